//! Abridged records: what lies in the tail of a head and in chunks is passed over, and only what an ordinary event needs
//! of it is kept. The tail stays as it is written, and events are appended to it.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::codec::bytes::length_bytes;
use crate::codec::bytes::push_length;
use crate::codec::bytes::push_signed;
use crate::codec::bytes::take_length;
use crate::codec::bytes::take_number;
use crate::codec::bytes::take_signed;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::names::SlotReader;
use crate::codec::names::push_name;
use crate::codec::names::skip_category;
use crate::codec::part;
use crate::codec::part::Part;
use crate::codec::part::PartOf;
use crate::codec::past::EventOpening;
use crate::codec::past::Past;
use crate::codec::past::is_too_long;
use crate::codec::past::push_event;
use crate::codec::past::take_past;
use crate::codec::past::take_sums_of_days;
use crate::codec::whole;
use crate::domain::categories::Categories;
use crate::engine::state::abridged::Abridged;
use crate::engine::state::abridged::Tail;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::remembered::Floor;
use crate::engine::state::seal::Sealing;
use crate::engine::state::seal::seal as seal_and_merge;
use crate::engine::state::seal::seal_alone;
use crate::engine::state::table::DefinitionTable;

/// No sums.
const NO_SUMS: &[u8] = &[0];
/// An event of one category takes less.
const EVENT_BYTES_USUAL: usize = 32;

/// What is known of the past of a record, given the tail of its head and its parts.
pub(super) fn skim<'a>(
    record: &CustomerRecord,
    mut tail: &[u8],
    part: &mut dyn FnMut(Part) -> Option<&'a [u8]>,
) -> Result<Abridged, CodecError> {
    let floor = record.remembered.floor();
    let mut abridged = Abridged::default();
    let chunks = &record.layout.chunks;
    for (place, chunk) in chunks.iter().enumerate() {
        let bytes = part(Part::Chunk(chunk.number)).ok_or(CodecError::Missing)?;
        let mut content = frame::checked(bytes)?;
        let categories = part::skip_sums(&mut content)?;
        // The last chunk has the categories of all.
        if place + 1 == chunks.len() {
            abridged.count_categories(categories);
        }
        let mut skip_place = |bytes: &mut &[u8]| take_number(bytes).map(drop);
        skim_past(&mut content, floor, &mut abridged, &mut skip_place)?;
    }
    let mut categories = 0;
    let mut skip_name = |bytes: &mut &[u8]| {
        categories += 1;
        skip_category(bytes)
    };
    let in_head = skim_past(&mut tail, floor, &mut abridged, &mut skip_name)?;
    abridged.count_categories(categories);
    // There is room for the next event.
    let mut event_bytes = Vec::with_capacity(in_head.event_bytes.len() + EVENT_BYTES_USUAL);
    event_bytes.extend_from_slice(in_head.event_bytes);
    abridged.tail = Tail {
        events: in_head.events,
        event_bytes,
        last_at_ms: in_head.last_at_ms,
        sum_bytes: in_head.sum_bytes.map(Box::from),
    };
    Ok(abridged)
}

/// Where the events and the sums lie that were passed.
struct Passed<'a> {
    events: usize,
    event_bytes: &'a [u8],
    last_at_ms: i64,
    sum_bytes: Option<&'a [u8]>,
}

/// Passes all events and sums that are there.
fn skim_past<'a>(
    bytes: &mut &'a [u8],
    floor: Option<Floor>,
    abridged: &mut Abridged,
    skip_category: &mut impl FnMut(&mut &[u8]) -> Result<(), CodecError>,
) -> Result<Passed<'a>, CodecError> {
    let events = take_length(bytes)?;
    let from = *bytes;
    let mut last_at_ms = 0;
    for _ in 0..events {
        let opening = EventOpening::take(bytes, &mut last_at_ms)?;
        if floor.is_none_or(|floor| !floor.covers(&opening.id)) {
            abridged.remember(&opening.id);
        }
        if let Some(day) = opening.purchase_day()? {
            abridged.purchased_on(day);
            skip_purchase(bytes, skip_category)?;
        }
    }
    let event_bytes = taken(from, bytes);
    let from = *bytes;
    let mut has_sums = false;
    take_sums_of_days(bytes, |day, _| {
        has_sums = true;
        abridged.purchased_on(day);
    })?;
    if !bytes.is_empty() {
        return Err(CodecError::Content);
    }
    Ok(Passed {
        events,
        event_bytes,
        last_at_ms,
        sum_bytes: has_sums.then_some(from),
    })
}

fn skip_purchase(
    bytes: &mut &[u8],
    skip_category: &mut impl FnMut(&mut &[u8]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    take_signed(bytes)?;
    match take_number(bytes)? {
        0 => {}
        1 => skip_category(bytes)?,
        more => {
            for _ in 1..more {
                skip_category(bytes)?;
                take_signed(bytes)?;
            }
        }
    }
    Ok(())
}

/// What was taken off the front.
fn taken<'a>(from: &'a [u8], left: &[u8]) -> &'a [u8] {
    from.get(..from.len() - left.len()).unwrap_or_default()
}

/// Writes the events that were added behind those of the tail. Names of categories are added to the table.
pub(super) fn absorb(
    abridged: &mut Abridged,
    table: &mut DefinitionTable,
) -> Result<(), CodecError> {
    let tail = &mut abridged.tail;
    for event in abridged.added.drain(..) {
        let at_ms = event.id.occurred_at.as_milliseconds();
        push_signed(&mut tail.event_bytes, at_ms.wrapping_sub(tail.last_at_ms));
        tail.last_at_ms = at_ms;
        tail.events += 1;
        let bytes = &mut tail.event_bytes;
        let mut push = |bytes: &mut Vec<u8>, name: &SmolStr| push_name(bytes, name, table);
        push_event(bytes, &event.id, event.purchase.as_ref(), &mut push)?;
    }
    Ok(())
}

/// How long a tail is as [`push_tail`] writes it.
fn tail_bytes(tail: &Tail) -> usize {
    let sums = tail.sum_bytes.as_deref().unwrap_or(NO_SUMS);
    length_bytes(tail.events) + tail.event_bytes.len() + sums.len()
}

/// Appends a tail.
pub(super) fn push_tail(bytes: &mut Vec<u8>, tail: &Tail) {
    push_length(bytes, tail.events);
    bytes.extend_from_slice(&tail.event_bytes);
    bytes.extend_from_slice(tail.sum_bytes.as_deref().unwrap_or(NO_SUMS));
}

/// So much lies in the head of an abridged record that it has to be sealed: [`seal`]. Else it is written with what
/// lies in its head. Names of categories are added to the table.
///
/// # Errors
/// Never for an entry made by the engine.
pub fn must_be_sealed(
    entry: &mut Entry,
    table: &mut DefinitionTable,
    sealing: Sealing,
) -> Result<bool, CodecError> {
    let Entry::Live(record) = entry else {
        return Ok(false);
    };
    let Some(abridged) = &mut record.abridged else {
        return Ok(false);
    };
    absorb(abridged, table)?;
    Ok(is_too_long(tail_bytes(&abridged.tail), sealing))
}

/// Moves what lies in the head of an abridged record into a chunk, given its parts; the chunk, which is written before the
/// head. The record stays abridged.
///
/// # Errors
/// As [`complete`].
pub fn seal<'a>(
    record: &mut CustomerRecord,
    part: &mut dyn FnMut(Part) -> Option<&'a [u8]>,
    table: &mut DefinitionTable,
    sealing: Sealing,
) -> Result<(Part, Arc<[u8]>), CodecError> {
    let last = record.layout.chunks.last().map(|chunk| chunk.number);
    let (number, bytes) = match seal_alone(record, sealing) {
        Some(number) => (number, chunk_of_tail(record, last, part, table)?),
        None => {
            complete(record, part, table)?;
            let number = seal_and_merge(record, sealing);
            let bytes = part::encode_chunk(record, number, table)?;
            record.abridge();
            (number, bytes)
        }
    };
    Ok((Part::Chunk(number), bytes.into()))
}

/// Makes an abridged record whole, given the parts that its head names. Names of categories are added to the table.
///
/// # Errors
/// If a part is missing or damaged, or a number is not in the table; the record is of no use then.
pub fn complete<'a>(
    record: &mut CustomerRecord,
    part: &mut dyn FnMut(Part) -> Option<&'a [u8]>,
    table: &mut DefinitionTable,
) -> Result<(), CodecError> {
    let Some(mut abridged) = record.abridged.take() else {
        return Ok(());
    };
    absorb(&mut abridged, table)?;
    let mut tail = Vec::new();
    push_tail(&mut tail, &abridged.tail);
    whole::read(record, &tail, part, table)
}

/// The bytes of a chunk with what lies in the head, given the last chunk before it. Nothing lies in the head then.
fn chunk_of_tail<'a>(
    record: &mut CustomerRecord,
    last: Option<ChunkNumber>,
    part: PartOf<'_, 'a>,
    table: &mut DefinitionTable,
) -> Result<Vec<u8>, CodecError> {
    let mut categories = match last {
        Some(number) => {
            let bytes = part(Part::Chunk(number)).ok_or(CodecError::Missing)?;
            part::take_sums(&mut frame::checked(bytes)?, table)?
        }
        None => Categories::default(),
    };
    let Some(abridged) = &mut record.abridged else {
        return Err(CodecError::Content);
    };
    let mut tail = Vec::with_capacity(tail_bytes(&abridged.tail));
    push_tail(&mut tail, &abridged.tail);
    let mut past = Past::default();
    let mut counting = SlotReader::Named(&mut categories, table);
    take_past(
        &mut tail.as_slice(),
        ChunkNumber::HEAD,
        &mut counting,
        &mut past,
    )?;
    abridged.sealed(categories.named().len());
    part::encode_past(&categories, past.events.iter(), past.sums.iter(), table)
}
