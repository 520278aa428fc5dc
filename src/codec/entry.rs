//! The bytes of an entry: a fixed header, which can be read and changed in place, and sections.
//!
//! | bytes | header |
//! | --- | --- |
//! | 0 | format |
//! | 1 to 4 | CRC-32 of what follows |
//! | 5 to 12 | deadline, milliseconds; the greatest value for none |
//! | 13 | what it is: 0 live, 1 moved, 2 suppressed |
//! | 14 | flags: 1, the changelog holds it under its old key |
//! | 15 to 22 | the instant as of which it was evaluated last, milliseconds |
//! | 23 to 30 | next offset of the events |
//! | 31 to 38 | number of the last change |
//! | 39 to 42 | number of the segment; the greatest value for none |
//! | 43 to 46 | number of the model version |
//! | 47 to 54 | since when it is in the segment, milliseconds |
//! | 55 | band of churn risk: 0 none, 1 low, 2 medium, 3 high |
//!
//! All numbers are little-endian. The deadline is at the same place as in format 3, so that a page is searched for
//! due entries without decoding them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::codec::format_3;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::frame::FORMAT;
use crate::codec::frame::PREFIX_BYTES;
use crate::codec::sections;
use crate::codec::sections::Section;
use crate::domain::churn::RiskBand;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::Assigned;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::ModelNumber;
use crate::engine::state::table::SegmentNumber;

const DEADLINE_BYTES: usize = 8;
/// Stands for no deadline; later than any instant.
const NO_DEADLINE_MS: i64 = i64::MAX;
/// Stands for no segment.
const NO_NUMBER: u32 = u32::MAX;
const OLD_KEY: u8 = 1;
/// Most entries are smaller.
const ENTRY_BYTES_USUAL: usize = 512;
/// Of the header behind the frame.
const HEADER_BYTES: usize = 51;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Live = 0,
    Moved = 1,
    Suppressed = 2,
}

/// The fixed header behind the frame.
#[derive(Clone, Copy, Debug)]
struct Header {
    deadline_ms: i64,
    tag: Tag,
    flags: u8,
    evaluated_at_ms: i64,
    offset_next: u64,
    sequence: u64,
    segment: u32,
    model: u32,
    since_ms: i64,
    band: u8,
}

impl Header {
    const EMPTY: Self = Self {
        deadline_ms: NO_DEADLINE_MS,
        tag: Tag::Live,
        flags: 0,
        evaluated_at_ms: 0,
        offset_next: 0,
        sequence: 0,
        segment: NO_NUMBER,
        model: NO_NUMBER,
        since_ms: 0,
        band: 0,
    };

    fn write(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.deadline_ms.to_le_bytes());
        bytes.push(self.tag as u8);
        bytes.push(self.flags);
        bytes.extend_from_slice(&self.evaluated_at_ms.to_le_bytes());
        bytes.extend_from_slice(&self.offset_next.to_le_bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.segment.to_le_bytes());
        bytes.extend_from_slice(&self.model.to_le_bytes());
        bytes.extend_from_slice(&self.since_ms.to_le_bytes());
        bytes.push(self.band);
    }

    /// The header, and the sections behind it.
    fn read(content: &[u8]) -> Result<(Self, &[u8]), CodecError> {
        let (mut header, rest) = content
            .split_at_checked(HEADER_BYTES)
            .ok_or(CodecError::Content)?;
        let header = &mut header;
        let deadline_ms = i64::from_le_bytes(take(header)?);
        let tag = match take::<1>(header)? {
            [0] => Tag::Live,
            [1] => Tag::Moved,
            [2] => Tag::Suppressed,
            [_] => return Err(CodecError::Content),
        };
        let [flags] = take(header)?;
        let evaluated_at_ms = i64::from_le_bytes(take(header)?);
        let offset_next = u64::from_le_bytes(take(header)?);
        let sequence = u64::from_le_bytes(take(header)?);
        let segment = u32::from_le_bytes(take(header)?);
        let model = u32::from_le_bytes(take(header)?);
        let since_ms = i64::from_le_bytes(take(header)?);
        let [band] = take(header)?;
        let header = Self {
            deadline_ms,
            tag,
            flags,
            evaluated_at_ms,
            offset_next,
            sequence,
            segment,
            model,
            since_ms,
            band,
        };
        Ok((header, rest))
    }

    fn deadline(self) -> Result<Option<Timestamp>, CodecError> {
        deadline_of_milliseconds(self.deadline_ms)
    }

    fn band(self) -> Result<Option<RiskBand>, CodecError> {
        match self.band {
            0 => Ok(None),
            number => RiskBand::ALL
                .get(usize::from(number - 1))
                .copied()
                .map(Some)
                .ok_or(CodecError::Content),
        }
    }

    fn summary(self) -> Result<RecordSummary, CodecError> {
        Ok(RecordSummary {
            segment: (self.segment != NO_NUMBER).then_some(SegmentNumber(self.segment)),
            band: self.band()?,
            deadline: self.deadline()?,
            has_old_key: self.flags & OLD_KEY != 0,
        })
    }
}

fn take<const BYTES: usize>(bytes: &mut &[u8]) -> Result<[u8; BYTES], CodecError> {
    let (taken, rest) = bytes
        .split_first_chunk::<BYTES>()
        .ok_or(CodecError::Content)?;
    *bytes = rest;
    Ok(*taken)
}

fn timestamp(milliseconds: i64) -> Result<Timestamp, CodecError> {
    Timestamp::from_milliseconds(milliseconds).ok_or(CodecError::Content)
}

fn deadline_of_milliseconds(milliseconds: i64) -> Result<Option<Timestamp>, CodecError> {
    match milliseconds {
        NO_DEADLINE_MS => Ok(None),
        milliseconds => timestamp(milliseconds).map(Some),
    }
}

/// An encoded entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Its bytes, in the changelog and in the store.
    pub bytes: Vec<u8>,
    /// Its part in the counts, and its deadline.
    pub summary: RecordSummary,
}

/// Encodes an entry.
///
/// # Errors
/// Never for an entry made by the engine.
pub fn encode(entry: &Entry) -> Result<Encoded, CodecError> {
    encode_with(entry, 0)
}

fn encode_with(entry: &Entry, flags: u8) -> Result<Encoded, CodecError> {
    match entry {
        Entry::Live(record) => encode_record(record, flags),
        Entry::Moved(moved) => encode_other(Tag::Moved, moved),
        Entry::Suppressed(suppressed) => encode_other(Tag::Suppressed, suppressed),
    }
}

fn encode_record(record: &CustomerRecord, flags: u8) -> Result<Encoded, CodecError> {
    let assigned = record.assignment.as_ref();
    let header = Header {
        deadline_ms: record
            .deadline
            .map_or(NO_DEADLINE_MS, Timestamp::as_milliseconds),
        tag: Tag::Live,
        flags,
        evaluated_at_ms: record.evaluated_at.as_milliseconds(),
        offset_next: record.applied.next(Source::Events),
        sequence: record.sequence,
        segment: assigned.map_or(NO_NUMBER, |one| SegmentNumber::of(&one.segment_id).0),
        model: assigned.map_or(NO_NUMBER, |one| ModelNumber::of(&one.model_version).0),
        since_ms: assigned.map_or(0, |one| one.since.as_milliseconds()),
        band: record.band.map_or(0, |band| 1 + band as u8),
    };
    let aggregate = &record.aggregate;
    let mut bytes = frame::begin(ENTRY_BYTES_USUAL + record.remembered.bytes());
    header.write(&mut bytes);
    let bytes = sections::push(bytes, Section::Ledger, &aggregate.ledger)?;
    let span = (aggregate.purchases, aggregate.greatest_event_day);
    let bytes = sections::push(bytes, Section::Span, &span)?;
    let bytes = sections::push(bytes, Section::Profile, &*aggregate.profile)?;
    let bytes = sections::push(bytes, Section::Remembered, &record.remembered)?;
    let transfers = record.applied.next(Source::Transfers);
    let bytes = sections::push(bytes, Section::Sources, &transfers)?;
    Ok(Encoded {
        bytes: frame::seal(bytes),
        summary: header.summary()?,
    })
}

/// Encodes an entry without a header of its own: one value behind an empty header.
fn encode_other<T: serde::Serialize>(tag: Tag, value: &T) -> Result<Encoded, CodecError> {
    let header = Header {
        tag,
        ..Header::EMPTY
    };
    let mut bytes = frame::begin(ENTRY_BYTES_USUAL);
    header.write(&mut bytes);
    Ok(Encoded {
        bytes: frame::seal(frame::push(bytes, value)?),
        summary: header.summary()?,
    })
}

/// Decodes an entry of format 4 or 3 with the table of its numbers; the entry and its summary.
///
/// # Errors
/// If the bytes are of another format or damaged, or a number is not in the table.
pub fn decode(bytes: &[u8], table: &DefinitionTable) -> Result<(Entry, RecordSummary), CodecError> {
    if bytes.first() == Some(&format_3::FORMAT) {
        let entry = format_3::decode_record(bytes).map(Entry::Live)?;
        let summary = encode_with(&entry, OLD_KEY)?.summary;
        return Ok((entry, summary));
    }
    let (header, rest) = Header::read(frame::checked(bytes, FORMAT)?)?;
    let entry = match header.tag {
        Tag::Live => Entry::Live(decode_record(header, rest, table)?),
        Tag::Moved => Entry::Moved(frame::whole(rest)?),
        Tag::Suppressed => Entry::Suppressed(frame::whole(rest)?),
    };
    Ok((entry, header.summary()?))
}

fn decode_record(
    header: Header,
    rest: &[u8],
    table: &DefinitionTable,
) -> Result<CustomerRecord, CodecError> {
    let mut record = CustomerRecord {
        applied: AppliedOffsets::default().with(Source::Events, header.offset_next),
        evaluated_at: timestamp(header.evaluated_at_ms)?,
        sequence: header.sequence,
        assignment: assigned(header, table)?,
        band: header.band()?,
        deadline: header.deadline()?,
        ..CustomerRecord::default()
    };
    sections::each(rest, |kind, content| {
        let aggregate = &mut record.aggregate;
        match kind {
            kind if kind == Section::Ledger as u8 => aggregate.ledger = sections::read(content)?,
            kind if kind == Section::Span as u8 => {
                (aggregate.purchases, aggregate.greatest_event_day) = sections::read(content)?;
            }
            kind if kind == Section::Profile as u8 => {
                aggregate.profile = Arc::new(sections::read(content)?);
            }
            kind if kind == Section::Remembered as u8 => {
                record.remembered = sections::read(content)?;
            }
            kind if kind == Section::Sources as u8 => {
                let next = sections::read(content)?;
                record.applied = record.applied.with(Source::Transfers, next);
            }
            _ => return Err(CodecError::Content),
        }
        Ok(())
    })?;
    Ok(record)
}

fn assigned(header: Header, table: &DefinitionTable) -> Result<Option<Assigned>, CodecError> {
    if header.segment == NO_NUMBER {
        return Ok(None);
    }
    let unnamed = |number| CodecError::Unnamed { number };
    let segment_id = table
        .segment(SegmentNumber(header.segment))
        .ok_or(unnamed(header.segment))?;
    let model_version = table
        .model(ModelNumber(header.model))
        .ok_or(unnamed(header.model))?;
    Ok(Some(Assigned {
        segment_id: segment_id.clone(),
        model_version: model_version.clone(),
        since: timestamp(header.since_ms)?,
    }))
}

/// Encodes a record of format 3 as format 4, with a flag that the changelog holds it under its old key. The names
/// that it uses are added to the table.
///
/// # Errors
/// If the bytes are of another format or damaged, or a name's number is taken.
pub fn upgrade(bytes: &[u8], table: &mut DefinitionTable) -> Result<Encoded, CodecError> {
    let record = format_3::decode_record(bytes)?;
    if let Some(assigned) = &record.assignment {
        let added = table
            .add_segment(&assigned.segment_id)
            .and_then(|_| table.add_model(&assigned.model_version));
        added.map_err(|_| CodecError::Content)?;
    }
    encode_with(&Entry::Live(record), OLD_KEY)
}

/// The summary of an entry of format 4 or 3. Its checksum is compared.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn summary_of(bytes: &[u8]) -> Result<RecordSummary, CodecError> {
    let bytes: Cow<'_, [u8]> = if bytes.first() == Some(&format_3::FORMAT) {
        let record = format_3::decode_record(bytes)?;
        Cow::Owned(encode_with(&Entry::Live(record), OLD_KEY)?.bytes)
    } else {
        Cow::Borrowed(bytes)
    };
    Header::read(frame::checked(&bytes, FORMAT)?)?.0.summary()
}

/// The deadline of an encoded entry, of format 4 or 3; its checksum is not compared.
///
/// # Errors
/// If the bytes are of another format or too short.
pub fn deadline_of(bytes: &[u8]) -> Result<Option<Timestamp>, CodecError> {
    let format = bytes.first().ok_or(CodecError::Content)?;
    if *format != FORMAT && *format != format_3::FORMAT {
        return Err(frame::unexpected(*format));
    }
    let deadline = bytes
        .get(PREFIX_BYTES..)
        .and_then(|content| content.first_chunk::<DEADLINE_BYTES>())
        .ok_or(CodecError::Content)?;
    deadline_of_milliseconds(i64::from_le_bytes(*deadline))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CustomerId;
    use crate::domain::ids::ModelVersion;
    use crate::domain::ids::SegmentId;
    use crate::engine::state::entry::Moved;
    use crate::engine::state::entry::Suppressed;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds).unwrap()
    }

    fn table() -> DefinitionTable {
        let mut table = DefinitionTable::default();
        table.add_segment(&SegmentId::new("dormant")).unwrap();
        table.add_model(&ModelVersion::new("m-1")).unwrap();
        table
    }

    fn record() -> CustomerRecord {
        CustomerRecord {
            applied: AppliedOffsets::default()
                .with(Source::Events, 300)
                .with(Source::Transfers, 7),
            sequence: 7,
            evaluated_at: at(1_700_000_000_000),
            deadline: Some(at(1_770_000_000_000)),
            band: Some(RiskBand::High),
            assignment: Some(Assigned {
                segment_id: SegmentId::new("dormant"),
                model_version: ModelVersion::new("m-1"),
                since: at(1_600_000_000_000),
            }),
            ..CustomerRecord::default()
        }
    }

    fn entries() -> [Entry; 4] {
        [
            Entry::Live(record()),
            Entry::Live(CustomerRecord::default()),
            Entry::Moved(Moved {
                to: CustomerId::new("c-2"),
                applied: AppliedOffsets::default(),
                floor: Some(at(5)),
            }),
            Entry::Suppressed(Suppressed {
                applied: AppliedOffsets::default(),
                sequence: 3,
                erased_at: at(9),
                event_hash: 4,
            }),
        ]
    }

    #[test]
    fn every_kind_of_entry_reads_back_and_every_flipped_bit_is_noticed() {
        for entry in entries() {
            let Encoded { bytes, summary } = encode(&entry).unwrap();
            assert_eq!(decode(&bytes, &table()), Ok((entry.clone(), summary)));
            assert_eq!(summary_of(&bytes), Ok(summary));
            let deadline = entry.record().and_then(|record| record.deadline);
            assert_eq!(deadline_of(&bytes), Ok(deadline));
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(&damaged, &table()).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn bytes_cut_short_or_grown_are_refused() {
        for entry in entries() {
            let bytes = encode(&entry).unwrap().bytes;
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length], &table()).is_err(), "{length}");
            }
            let grown = [bytes.as_slice(), &[0]].concat();
            assert!(decode(&grown, &table()).is_err());
        }
    }

    #[test]
    fn a_number_that_the_table_lacks_and_a_newer_format_are_refused_with_a_sentence() {
        let mut bytes = encode(&Entry::Live(record())).unwrap().bytes;
        let unnamed = decode(&bytes, &DefinitionTable::default()).unwrap_err();
        assert!(matches!(unnamed, CodecError::Unnamed { .. }));
        bytes[0] = FORMAT + 1;
        let newer = decode(&bytes, &table()).unwrap_err();
        assert!(
            newer.to_string().contains("run the newer version"),
            "{newer}"
        );
    }
}
