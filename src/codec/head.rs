//! The head of an entry: what every transaction writes of a customer.
//!
//! | bytes | content |
//! | --- | --- |
//! | 0 | format |
//! | 1 to 4 | CRC-32 of what follows |
//! | 5 to 12 | deadline, milliseconds; the greatest value for none |
//! | 13 | bits 0 and 1, what it is: 0 live, 1 moved, 2 suppressed; bits 2 and 3, band of churn risk: 0 none, 1 low, 2 medium, 3 high |
//! | 14 | flags: 2 it has a segment; 4 purchases; 8 a greatest event day; 16 a first day that is kept; 32 a floor |
//! | 15 to 22 | with a segment: its number and that of the model version |
//!
//! Then follow, as numbers of [`super::bytes`]: how often the profile was written, and the chunks that belong to the
//! entry; the instant as of which it was evaluated last; next offsets of events and transfers; number of the last change; since when it is in the segment, the first and the last purchase and the
//! instant of the floor, each as the time before the evaluation; and so on in the order of [`write`]; the flags say which of them are there. A moved or suppressed entry is one
//! value of postcard behind the opening. At the end stand
//! the events that lie in it ([`super::past`]).
//!
//! The deadline is at the same place as in the older formats, so that a page is searched for due entries without
//! decoding them.

use crate::codec::bytes::push_length;
use crate::codec::bytes::push_number;
use crate::codec::bytes::push_signed;
use crate::codec::bytes::take;
use crate::codec::bytes::take_length;
use crate::codec::bytes::take_number;
use crate::codec::bytes::take_signed;
use crate::codec::bytes::take_small;
use crate::codec::bytes::timestamp;
use crate::codec::frame::CodecError;
use crate::codec::past::push_totals;
use crate::codec::past::take_totals;
use crate::domain::aggregate::PurchaseSpan;
use crate::domain::churn::RiskBand;
use crate::domain::ids::Source;
use crate::domain::ledger::Ledger;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::engine::state::chunk::Chunk;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::layout::Layout;
use crate::engine::state::record::Assigned;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::remembered::Floor;
use crate::engine::state::remembered::RememberedEvents;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::ModelNumber;
use crate::engine::state::table::SegmentNumber;

/// Stands for no deadline; later than any instant.
pub(super) const NO_DEADLINE_MS: i64 = i64::MAX;
const TAG_MASK: u8 = 3;
const BAND_SHIFT: u32 = 2;
const LEVEL_BITS: u32 = 3;
const LEVEL_MASK: u64 = 7;

const SEGMENT: u8 = 2;
const PURCHASES: u8 = 4;
const GREATEST_DAY: u8 = 8;
const FIRST_KEPT: u8 = 16;
const FLOOR: u8 = 32;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Live = 0,
    Moved = 1,
    Suppressed = 2,
}

/// What is counted of an entry, and what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) tag: Tag,
    flags: u8,
    model: Option<ModelNumber>,
    pub(super) summary: RecordSummary,
}

/// Writes the opening of an entry without a record.
pub(super) fn write_opening(bytes: &mut Vec<u8>, tag: Tag) {
    bytes.extend_from_slice(&NO_DEADLINE_MS.to_le_bytes());
    bytes.extend_from_slice(&[tag as u8, 0]);
}

/// Takes what is counted of an entry.
pub(super) fn take_opening(bytes: &mut &[u8]) -> Result<Opening, CodecError> {
    let deadline_ms = i64::from_le_bytes(take(bytes)?);
    let [tag, flags] = take(bytes)?;
    let band = band_of(tag >> BAND_SHIFT)?;
    let tag = match tag & TAG_MASK {
        0 => Tag::Live,
        1 => Tag::Moved,
        2 => Tag::Suppressed,
        _ => return Err(CodecError::Content),
    };
    let (segment, model) = if flags & SEGMENT == 0 {
        (None, None)
    } else {
        let segment = u32::from_le_bytes(take(bytes)?);
        let model = u32::from_le_bytes(take(bytes)?);
        (Some(SegmentNumber(segment)), Some(ModelNumber(model)))
    };
    Ok(Opening {
        tag,
        flags,
        model,
        summary: RecordSummary {
            segment,
            band,
            deadline: deadline_of_milliseconds(deadline_ms)?,
            has_old_key: false,
        },
    })
}

/// Writes the head of a record up to its chunks.
pub(super) fn write(bytes: &mut Vec<u8>, record: &CustomerRecord) -> RecordSummary {
    let (aggregate, layout) = (&record.aggregate, &record.layout);
    let assigned = record.assignment.as_ref();
    let floor = record.remembered.floor();
    let first_kept = layout
        .first_kept
        .filter(|_| aggregate.greatest_event_day.is_some());
    let flags = flag(SEGMENT, assigned.is_some())
        | flag(PURCHASES, aggregate.purchases.is_some())
        | flag(GREATEST_DAY, aggregate.greatest_event_day.is_some())
        | flag(FIRST_KEPT, first_kept.is_some())
        | flag(FLOOR, floor.is_some());
    let deadline_ms = record
        .deadline
        .map_or(NO_DEADLINE_MS, Timestamp::as_milliseconds);
    bytes.extend_from_slice(&deadline_ms.to_le_bytes());
    let band = record.band.map_or(0, |band| 1 + band as u8);
    bytes.extend_from_slice(&[Tag::Live as u8 | band << BAND_SHIFT, flags]);
    let segment = assigned.map(|assigned| SegmentNumber::of(&assigned.segment_id));
    if let (Some(segment), Some(assigned)) = (segment, assigned) {
        bytes.extend_from_slice(&segment.0.to_le_bytes());
        let model = ModelNumber::of(&assigned.model_version);
        bytes.extend_from_slice(&model.0.to_le_bytes());
    }
    push_parts(bytes, layout);
    let evaluated_at = record.evaluated_at;
    push_signed(bytes, evaluated_at.as_milliseconds());
    push_number(bytes, record.applied.next(Source::Events));
    push_number(bytes, record.applied.next(Source::Transfers));
    push_number(bytes, record.sequence);
    if let Some(assigned) = assigned {
        push_before(bytes, evaluated_at, assigned.since);
    }
    if let Some(span) = aggregate.purchases {
        push_before(bytes, evaluated_at, span.first_at);
        push_before(bytes, evaluated_at, span.last_at);
    }
    if let Some(greatest) = aggregate.greatest_event_day {
        push_signed(bytes, i64::from(greatest.0));
        if let Some(first) = first_kept {
            push_signed(bytes, i64::from(greatest.0) - i64::from(first.0));
        }
    }
    if let Some(floor) = floor {
        push_before(bytes, evaluated_at, floor.occurred_at);
        bytes.extend_from_slice(&floor.event_hash.to_le_bytes());
    }
    let lifetime = aggregate.ledger.totals_since(None);
    push_number(bytes, u64::from(lifetime.days));
    push_totals(bytes, &lifetime);
    RecordSummary {
        segment,
        band: record.band,
        deadline: record.deadline,
        has_old_key: false,
    }
}

/// What is counted of a record.
pub(super) fn summary_of(record: &CustomerRecord, has_old_key: bool) -> RecordSummary {
    let assigned = record.assignment.as_ref();
    RecordSummary {
        segment: assigned.map(|assigned| SegmentNumber::of(&assigned.segment_id)),
        band: record.band,
        deadline: record.deadline,
        has_old_key,
    }
}

/// Takes the head of a record up to its chunks, behind its opening; the version of its profile is in its layout.
pub(super) fn take_record(
    bytes: &mut &[u8],
    opening: Opening,
    table: &DefinitionTable,
) -> Result<CustomerRecord, CodecError> {
    let mut record = CustomerRecord {
        band: opening.summary.band,
        deadline: opening.summary.deadline,
        ..CustomerRecord::default()
    };
    (record.layout.profile.version, record.layout.chunks) = take_parts(bytes)?;
    let evaluated_at = timestamp(take_signed(bytes)?)?;
    record.evaluated_at = evaluated_at;
    record.applied = AppliedOffsets::default()
        .with(Source::Events, take_number(bytes)?)
        .with(Source::Transfers, take_number(bytes)?);
    record.sequence = take_number(bytes)?;
    if let (Some(segment), Some(model)) = (opening.summary.segment, opening.model) {
        let since = take_before(bytes, evaluated_at)?;
        record.assignment = Some(assigned(segment, model, since, table)?);
    }
    let aggregate = &mut record.aggregate;
    if opening.flags & PURCHASES != 0 {
        aggregate.purchases = Some(PurchaseSpan {
            first_at: take_before(bytes, evaluated_at)?,
            last_at: take_before(bytes, evaluated_at)?,
        });
    }
    if opening.flags & GREATEST_DAY != 0 {
        let greatest = take_signed(bytes)?;
        aggregate.greatest_event_day = Some(day(greatest)?);
        if opening.flags & FIRST_KEPT != 0 {
            let first = greatest.checked_sub(take_signed(bytes)?);
            record.layout.first_kept = Some(day(first.ok_or(CodecError::Content)?)?);
        }
    }
    let floor = if opening.flags & FLOOR == 0 {
        None
    } else {
        Some(Floor {
            occurred_at: take_before(bytes, evaluated_at)?,
            event_hash: u64::from_le_bytes(take(bytes)?),
        })
    };
    record.remembered = RememberedEvents::restore(Vec::new(), floor);
    let days = take_small(bytes)?;
    aggregate.ledger = Ledger::with_lifetime(take_totals(bytes, days)?);
    Ok(record)
}

/// Appends the version of the profile and the chunks.
fn push_parts(bytes: &mut Vec<u8>, layout: &Layout) {
    push_number(bytes, u64::from(layout.profile.version));
    push_length(bytes, layout.chunks.len());
    let mut before = 0;
    for chunk in &layout.chunks {
        let number = u64::from(chunk.number.0);
        let difference = number - before;
        push_number(bytes, difference << LEVEL_BITS | u64::from(chunk.level));
        before = number;
    }
}

/// Takes the version of the profile, 0 for none, and the chunks.
pub(super) fn take_parts(bytes: &mut &[u8]) -> Result<(u32, Vec<Chunk>), CodecError> {
    let version = take_small(bytes)?;
    let count = take_length(bytes)?;
    let mut chunks = Vec::with_capacity(count);
    let mut before = 0_u64;
    for _ in 0..count {
        let both = take_number(bytes)?;
        let difference = both >> LEVEL_BITS;
        let number = before.checked_add(difference).filter(|_| difference > 0);
        before = number.ok_or(CodecError::Content)?;
        let number = u32::try_from(before).map_err(|_| CodecError::Content)?;
        let level = u8::try_from(both & LEVEL_MASK).map_err(|_| CodecError::Content)?;
        chunks.push(Chunk {
            number: ChunkNumber(number),
            level,
        });
    }
    Ok((version, chunks))
}

/// The segment of a customer by its numbers.
pub(super) fn assigned(
    segment: SegmentNumber,
    model: ModelNumber,
    since: Timestamp,
    table: &DefinitionTable,
) -> Result<Assigned, CodecError> {
    let unnamed = |number| CodecError::Unnamed { number };
    let segment_id = table.segment(segment).ok_or(unnamed(segment.0))?;
    let model_version = table.model(model).ok_or(unnamed(model.0))?;
    Ok(Assigned {
        segment_id: segment_id.clone(),
        model_version: model_version.clone(),
        since,
    })
}

fn flag(flag: u8, is_set: bool) -> u8 {
    if is_set { flag } else { 0 }
}

/// Most instants are near the evaluation, so the time between them is short.
fn push_before(bytes: &mut Vec<u8>, evaluated_at: Timestamp, at: Timestamp) {
    let before_ms = evaluated_at.as_milliseconds() - at.as_milliseconds();
    push_signed(bytes, before_ms);
}

fn take_before(bytes: &mut &[u8], evaluated_at: Timestamp) -> Result<Timestamp, CodecError> {
    let at_ms = evaluated_at
        .as_milliseconds()
        .checked_sub(take_signed(bytes)?);
    timestamp(at_ms.ok_or(CodecError::Content)?)
}

fn day(number: i64) -> Result<Day, CodecError> {
    i32::try_from(number)
        .map(Day)
        .map_err(|_| CodecError::Content)
}

pub(super) fn deadline_of_milliseconds(milliseconds: i64) -> Result<Option<Timestamp>, CodecError> {
    match milliseconds {
        NO_DEADLINE_MS => Ok(None),
        milliseconds => timestamp(milliseconds).map(Some),
    }
}

pub(super) fn band_of(number: u8) -> Result<Option<RiskBand>, CodecError> {
    match number {
        0 => Ok(None),
        number => RiskBand::ALL
            .get(usize::from(number - 1))
            .copied()
            .map(Some)
            .ok_or(CodecError::Content),
    }
}
