//! The parts of an entry that have keys of their own: sealed chunks, and the profile.

use std::sync::Arc;

use crate::codec::bytes::push_length;
use crate::codec::bytes::push_number;
use crate::codec::bytes::push_signed;
use crate::codec::bytes::take;
use crate::codec::bytes::take_length;
use crate::codec::bytes::take_signed;
use crate::codec::bytes::take_small;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::names::SlotWriter;
use crate::codec::names::push_category;
use crate::codec::names::skip_category;
use crate::codec::names::take_category;
use crate::codec::past::push_past;
use crate::domain::categories::CATEGORIES_MAX;
use crate::domain::categories::Categories;
use crate::domain::categories::CategorySlot;
use crate::domain::money::Money;
use crate::domain::profile::Profile;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::layout::DaySum;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::remembered::RememberedEvent;
use crate::engine::state::table::DefinitionTable;

/// Most chunks and profiles are smaller.
const BYTES_USUAL: usize = 256;

/// A part of an entry besides its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is known of the person.
    Profile,
    /// Events and sums of days.
    Chunk(ChunkNumber),
}

/// Gives the parts of an entry.
pub(super) type PartOf<'part, 'a> = &'part mut dyn FnMut(Part) -> Option<&'a [u8]>;

/// A part, and what its key holds from now on; nothing for a deleted one.
pub type PartChange = (Part, Option<Arc<[u8]>>);

/// The bytes of a chunk of a whole record.
pub(super) fn encode_chunk(
    record: &CustomerRecord,
    chunk: ChunkNumber,
    table: &mut DefinitionTable,
) -> Result<Vec<u8>, CodecError> {
    let events = record.remembered.events();
    let events = events.filter(|event| event.chunk == chunk);
    let sums = record.layout.sums_in(chunk);
    encode_past(&record.aggregate.categories, events, sums, table)
}

/// The bytes of a chunk: spend by category since ever, as of when it was made, and what lies in it.
pub(super) fn encode_past<'a>(
    categories: &Categories,
    events: impl Iterator<Item = &'a RememberedEvent> + Clone,
    sums: impl Iterator<Item = &'a DaySum> + Clone,
    table: &mut DefinitionTable,
) -> Result<Vec<u8>, CodecError> {
    let mut bytes = frame::begin(BYTES_USUAL);
    push_sums(&mut bytes, categories, table);
    push_past(&mut bytes, events, sums, &mut SlotWriter::Places)?;
    Ok(frame::seal(bytes))
}

fn push_sums(bytes: &mut Vec<u8>, categories: &Categories, table: &mut DefinitionTable) {
    match categories.other() {
        None => bytes.push(0),
        Some(sum) => {
            bytes.push(1);
            push_signed(bytes, sum.0);
        }
    }
    push_length(bytes, categories.named().len());
    for (slot, sum) in categories.slots() {
        push_category(bytes, slot, categories, table);
        push_signed(bytes, sum.0);
    }
}

/// Takes the sums of categories with which a chunk begins.
pub(super) fn take_sums(
    bytes: &mut &[u8],
    table: &DefinitionTable,
) -> Result<Categories, CodecError> {
    let (other, count) = take_other_and_count(bytes)?;
    let mut named = Vec::with_capacity(count);
    for _ in 0..count {
        let name = take_category(bytes, table)?.name();
        named.push((name.ok_or(CodecError::Content)?, Money(take_signed(bytes)?)));
    }
    Ok(Categories::from_sums(named, other))
}

/// Takes the sums of categories with which a chunk begins, and gives the slots that their names have among `categories`.
/// A category that was displaced since belongs to the rest.
pub(super) fn take_slots(
    bytes: &mut &[u8],
    categories: &Categories,
    table: &DefinitionTable,
) -> Result<Vec<CategorySlot>, CodecError> {
    let (_, count) = take_other_and_count(bytes)?;
    let mut slots = Vec::with_capacity(count);
    for _ in 0..count {
        let slot = take_category(bytes, table)?.slot_in(categories);
        slots.push(slot.ok_or(CodecError::Content)?);
        take_signed(bytes)?;
    }
    Ok(slots)
}

/// Passes the sums of categories with which a chunk begins, and gives their number.
pub(super) fn skip_sums(bytes: &mut &[u8]) -> Result<usize, CodecError> {
    let (_, count) = take_other_and_count(bytes)?;
    for _ in 0..count {
        skip_category(bytes)?;
        take_signed(bytes)?;
    }
    Ok(count)
}

fn take_other_and_count(bytes: &mut &[u8]) -> Result<(Option<Money>, usize), CodecError> {
    let other = match take(bytes)? {
        [0] => None,
        [1] => Some(Money(take_signed(bytes)?)),
        [_] => return Err(CodecError::Content),
    };
    let count = take_length(bytes)?;
    if count > CATEGORIES_MAX {
        return Err(CodecError::Content);
    }
    Ok((other, count))
}

/// The bytes of a profile that is written for the `version`th time.
pub(super) fn encode_profile(version: u32, profile: &Profile) -> Result<Vec<u8>, CodecError> {
    let mut bytes = frame::begin(BYTES_USUAL);
    push_number(&mut bytes, u64::from(version));
    Ok(frame::seal(frame::push(bytes, profile)?))
}

/// How often a profile was written; its checksum is not compared.
pub(super) fn profile_version(bytes: &[u8]) -> Result<u32, CodecError> {
    let mut content = bytes
        .get(frame::PREFIX_BYTES..)
        .ok_or(CodecError::Content)?;
    take_small(&mut content)
}

/// Decodes a profile that was written this often.
pub(super) fn decode_profile(bytes: &[u8], version: u32) -> Result<Profile, CodecError> {
    let mut content = frame::checked(bytes)?;
    if take_small(&mut content)? != version {
        return Err(CodecError::Missing);
    }
    frame::whole(content)
}
