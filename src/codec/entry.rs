//! The bytes of an entry: its head ([`super::head`]), and the parts that have keys of their own ([`super::part`]).

use std::sync::Arc;

use crate::codec::abridged;
use crate::codec::format_3;
use crate::codec::format_4;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::frame::FORMAT;
use crate::codec::frame::PREFIX_BYTES;
use crate::codec::head;
use crate::codec::head::Tag;
use crate::codec::head::deadline_of_milliseconds;
use crate::codec::names::SlotWriter;
use crate::codec::part;
use crate::codec::part::Part;
use crate::codec::part::PartOf;
use crate::codec::past::is_too_long;
use crate::codec::past::push_past;
use crate::codec::whole;
use crate::domain::profile::SharedProfile;
use crate::domain::time::Timestamp;
use crate::engine::state::chunk::Chunk;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::entry::Entry;
use crate::engine::state::layout::WrittenProfile;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::seal::Sealing;
use crate::engine::state::seal::seal;
use crate::engine::state::table::DefinitionTable;

const DEADLINE_BYTES: usize = 8;
/// Most heads are smaller.
const HEAD_BYTES_USUAL: usize = 256;

/// An encoded head, of any format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its bytes, in the changelog and in the store.
    pub bytes: Vec<u8>,
    /// Its part in the counts, and its deadline.
    pub summary: RecordSummary,
}

/// An encoded entry: its head, and the parts that were made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The head.
    pub head: Head,
    /// Parts that were made or changed.
    pub parts: Vec<(Part, Arc<[u8]>)>,
    /// All parts that the head names, ascending.
    pub named: Vec<Part>,
}

impl Encoded {
    /// Bytes of the head and of the parts that are written.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let parts = self.parts.iter().map(|(_, part)| part.len());
        self.head.bytes.len() + parts.sum::<usize>()
    }
}

/// Encodes an entry. Where too much lies in the head of a whole record, it is sealed before; an abridged one is written as
/// it is ([`crate::codec::abridged::seal`]). Names of categories are added to the table.
///
/// # Errors
/// Never for an entry made by the engine.
pub fn encode(
    entry: &mut Entry,
    table: &mut DefinitionTable,
    sealing: Sealing,
) -> Result<Encoded, CodecError> {
    match entry {
        Entry::Live(record) => encode_record(record, table, sealing),
        Entry::Moved(moved) => encode_other(Tag::Moved, moved),
        Entry::Suppressed(suppressed) => encode_other(Tag::Suppressed, suppressed),
    }
}

fn encode_record(
    record: &mut CustomerRecord,
    table: &mut DefinitionTable,
    sealing: Sealing,
) -> Result<Encoded, CodecError> {
    let mut parts = Vec::new();
    if record.has_new_profile() {
        let version = record.layout.profile.version.saturating_add(1);
        record.layout.profile = WrittenProfile {
            version,
            profile: record.aggregate.profile.clone(),
        };
        let bytes = part::encode_profile(version, &record.aggregate.profile)?;
        parts.push((Part::Profile, bytes.into()));
    }
    let mut bytes = frame::begin(HEAD_BYTES_USUAL);
    if let Some(abridged) = &mut record.abridged {
        abridged::absorb(abridged, table)?;
    }
    let mut summary = head::write(&mut bytes, record);
    let before = bytes.len();
    push_tail(&mut bytes, record, table)?;
    let tail_bytes = bytes.len() - before;
    let needs_chunk = record.layout.needs_chunk || is_too_long(tail_bytes, sealing);
    if needs_chunk && record.abridged.is_none() {
        let number = seal(record, sealing);
        let chunk = part::encode_chunk(record, number, table)?;
        parts.push((Part::Chunk(number), chunk.into()));
        bytes.truncate(PREFIX_BYTES);
        summary = head::write(&mut bytes, record);
        push_tail(&mut bytes, record, table)?;
    }
    Ok(Encoded {
        head: Head {
            bytes: frame::seal(bytes),
            summary,
        },
        parts,
        named: named(record),
    })
}

/// Appends what lies in the head.
fn push_tail(
    bytes: &mut Vec<u8>,
    record: &CustomerRecord,
    table: &mut DefinitionTable,
) -> Result<(), CodecError> {
    if let Some(abridged) = &record.abridged {
        abridged::push_tail(bytes, &abridged.tail);
        return Ok(());
    }
    let events = record.remembered.events_in_head();
    let sums = record.layout.sums_in(ChunkNumber::HEAD);
    let mut slots = SlotWriter::Named(&record.aggregate.categories, table);
    push_past(bytes, events, sums, &mut slots)
}

/// The parts that an entry's head names, ascending.
#[must_use]
pub fn named_by(entry: &Entry) -> Vec<Part> {
    entry.record().map_or_else(Vec::new, named)
}

/// The parts that a record's head names, ascending.
#[must_use]
pub fn named(record: &CustomerRecord) -> Vec<Part> {
    let profile = (record.layout.profile.version > 0).then_some(Part::Profile);
    let chunks = record.layout.chunks.iter();
    let chunks = chunks.map(|chunk| Part::Chunk(chunk.number));
    profile.into_iter().chain(chunks).collect()
}

/// Encodes an entry without a record: one value behind an empty opening.
fn encode_other<T: serde::Serialize>(tag: Tag, value: &T) -> Result<Encoded, CodecError> {
    let mut bytes = frame::begin(HEAD_BYTES_USUAL);
    head::write_opening(&mut bytes, tag);
    let summary = RecordSummary {
        segment: None,
        band: None,
        deadline: None,
        has_old_key: false,
    };
    Ok(Encoded {
        head: Head {
            bytes: frame::seal(frame::push(bytes, value)?),
            summary,
        },
        parts: Vec::new(),
        named: Vec::new(),
    })
}

/// Decodes an entry of format 5, 4 or 3 with the table of its numbers, given its parts; the entry and its summary.
///
/// # Errors
/// If the bytes are of another format or damaged, a number is not in the table, or a part is missing.
pub fn decode<'a>(
    bytes: &[u8],
    part: &mut dyn FnMut(Part) -> Option<&'a [u8]>,
    table: &DefinitionTable,
) -> Result<(Entry, RecordSummary), CodecError> {
    decode_with(bytes, part, table, whole::read)
}

/// The same, where a record of format 5 is abridged, unless the first purchase was before an instant.
///
/// # Errors
/// As [`decode`].
pub fn decode_abridged<'a>(
    bytes: &[u8],
    part: &mut dyn FnMut(Part) -> Option<&'a [u8]>,
    table: &DefinitionTable,
    since: Timestamp,
) -> Result<(Entry, RecordSummary), CodecError> {
    decode_with(bytes, part, table, |record, tail, part, table| {
        let purchases = record.aggregate.purchases;
        if purchases.is_some_and(|span| span.first_at < since) {
            return whole::read(record, tail, part, table);
        }
        record.abridged = Some(abridged::skim(record, tail, part)?);
        Ok(())
    })
}

fn decode_with<'a>(
    bytes: &[u8],
    part: PartOf<'_, 'a>,
    table: &DefinitionTable,
    take_past: impl FnOnce(
        &mut CustomerRecord,
        &[u8],
        PartOf<'_, 'a>,
        &DefinitionTable,
    ) -> Result<(), CodecError>,
) -> Result<(Entry, RecordSummary), CodecError> {
    match bytes.first() {
        Some(&format_3::FORMAT) => {
            let record = format_3::decode_record(bytes)?;
            let summary = head::summary_of(&record, true);
            return Ok((Entry::Live(Box::new(record)), summary));
        }
        Some(&format_4::FORMAT) => return format_4::decode(bytes, table),
        Some(_) | None => {}
    }
    let mut content = frame::checked(bytes)?;
    let opening = head::take_opening(&mut content)?;
    let entry = match opening.tag {
        Tag::Live => {
            let mut record = Box::new(head::take_record(&mut content, opening, table)?);
            take_past(&mut record, content, part, table)?;
            take_profile(&mut record, part)?;
            Entry::Live(record)
        }
        Tag::Moved => Entry::Moved(frame::whole(content)?),
        Tag::Suppressed => Entry::Suppressed(frame::whole(content)?),
    };
    Ok((entry, opening.summary))
}

/// Takes the profile, where the head names one.
fn take_profile(record: &mut CustomerRecord, part: PartOf<'_, '_>) -> Result<(), CodecError> {
    let version = record.layout.profile.version;
    if version > 0 {
        let bytes = part(Part::Profile).ok_or(CodecError::Missing)?;
        let profile = SharedProfile::new(part::decode_profile(bytes, version)?);
        record.layout.profile.profile = profile.clone();
        record.aggregate.profile = profile;
    }
    Ok(())
}

/// Adds the names that a record of format 3 uses to the table.
///
/// # Errors
/// If the bytes are of another format or damaged, or a name's number is taken.
pub fn add_names(bytes: &[u8], table: &mut DefinitionTable) -> Result<(), CodecError> {
    let record = format_3::decode_record(bytes)?;
    let Some(assigned) = &record.assignment else {
        return Ok(());
    };
    let added = table
        .add_segment(&assigned.segment_id)
        .and_then(|_| table.add_model(&assigned.model_version));
    added.map(drop).map_err(|_| CodecError::Content)
}

/// The parts that an encoded head names, ascending. Heads of older formats hold all of their entries.
///
/// # Errors
/// If the bytes are damaged.
pub fn parts_of(bytes: &[u8]) -> Result<impl Iterator<Item = Part>, CodecError> {
    let (profile_version, chunks) = named_in(bytes)?.unwrap_or_default();
    let profile = (profile_version > 0).then_some(Part::Profile);
    let chunks = chunks.into_iter().map(|chunk| Part::Chunk(chunk.number));
    Ok(profile.into_iter().chain(chunks))
}

/// How often the profile was written, and the chunks; `None` for an entry that has no parts.
fn named_in(head: &[u8]) -> Result<Option<(u32, Vec<Chunk>)>, CodecError> {
    if [format_3::FORMAT, format_4::FORMAT].contains(head.first().unwrap_or(&0)) {
        return Ok(None);
    }
    let mut content = head.get(PREFIX_BYTES..).ok_or(CodecError::Content)?;
    let opening = head::take_opening(&mut content)?;
    if opening.tag != Tag::Live {
        return Ok(None);
    }
    head::take_parts(&mut content).map(Some)
}

/// Whether a part that an encoded head names is missing, or is an older one.
///
/// # Errors
/// If the bytes are damaged.
pub fn lacks_a_part<'a>(
    head: &[u8],
    part: &mut dyn FnMut(Part) -> Option<&'a [u8]>,
) -> Result<bool, CodecError> {
    let Some((profile_version, chunks)) = named_in(head)? else {
        return Ok(false);
    };
    if profile_version > 0 {
        match part(Part::Profile) {
            Some(bytes) if part::profile_version(bytes)? == profile_version => {}
            Some(_) | None => return Ok(true),
        }
    }
    let mut chunks = chunks.into_iter();
    Ok(chunks.any(|chunk| part(Part::Chunk(chunk.number)).is_none()))
}

/// The summary of an entry of format 5, 4 or 3, by its head. Its checksum is compared.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn summary_of(bytes: &[u8]) -> Result<RecordSummary, CodecError> {
    match bytes.first() {
        Some(&format_3::FORMAT) => {
            let record = format_3::decode_record(bytes)?;
            Ok(head::summary_of(&record, true))
        }
        Some(&format_4::FORMAT) => format_4::summary_of(bytes),
        Some(_) | None => Ok(head::take_opening(&mut frame::checked(bytes)?)?.summary),
    }
}

/// The deadline of an encoded head, of format 5, 4 or 3; its checksum is not compared.
///
/// # Errors
/// If the bytes are of another format or too short.
pub fn deadline_of(bytes: &[u8]) -> Result<Option<Timestamp>, CodecError> {
    let format = bytes.first().ok_or(CodecError::Content)?;
    if ![FORMAT, format_4::FORMAT, format_3::FORMAT].contains(format) {
        return Err(frame::unexpected(*format));
    }
    let deadline = bytes
        .get(PREFIX_BYTES..)
        .and_then(|content| content.first_chunk::<DEADLINE_BYTES>())
        .ok_or(CodecError::Content)?;
    deadline_of_milliseconds(i64::from_le_bytes(*deadline))
}
