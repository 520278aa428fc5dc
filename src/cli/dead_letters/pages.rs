//! Dead letters of a log, within bounds of memory and time.

use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::http::LettersAsked;
use crate::http::LettersLookup;
use crate::log::Error;
use crate::log::outputs::OutputReader;
use crate::log::outputs::PlacedRecord;
use crate::log::outputs::ReadLimit;
use crate::view::dead_letter::DeadLetterView;
use crate::view::dead_letter::DeadLettersView;
use crate::view::dead_letter::LetterRecord;

/// Records and bytes that are read at a time.
const CHUNK: ReadLimit = ReadLimit {
    records: 256,
    bytes: 1 << 20,
};
/// A page ends after so many records or bytes, whether it has any of them or not.
const SCANNED_RECORDS_MAX: usize = 10_000;
const SCANNED_BYTES_MAX: usize = 16 << 20;
/// A page with records ends with the one that reaches so many bytes.
const SHOWN_BYTES_MAX: usize = 1 << 20;
/// An empty page is answered when nothing came for so long.
const WAIT: Duration = Duration::from_secs(2);
/// A place that is not decided is asked for again for so long.
const DECISION_WAIT: Duration = Duration::from_secs(9);

/// A page; `bytes_max` is the size of the largest record that is shown.
pub(super) fn page(
    reader: &mut dyn OutputReader,
    asked: &LettersAsked,
    bytes_max: usize,
) -> Result<LettersLookup<DeadLettersView>, Error> {
    let partitions = reader.partitions();
    if asked.partition >= partitions {
        return Ok(LettersLookup::NoPartition { partitions });
    }
    let begun = Instant::now();
    let mut view = DeadLettersView {
        partition: asked.partition,
        partitions,
        offset_next: asked.from,
        end: 0,
        dead_letters: Vec::new(),
    };
    let (mut records_scanned, mut bytes_scanned, mut bytes_shown) = (0, 0, 0);
    loop {
        let left = asked.limit.saturating_sub(view.dead_letters.len());
        let limit = if asked.reasons.is_empty() {
            ReadLimit {
                records: left.min(CHUNK.records),
                ..CHUNK
            }
        } else {
            CHUNK
        };
        let chunk = reader.read(Partition(asked.partition), view.offset_next, limit)?;
        view.end = chunk.end;
        if asked.from > chunk.end {
            let (start, end) = (chunk.start, chunk.end);
            return Ok(LettersLookup::NotThere { start, end });
        }
        let is_empty = chunk.records.is_empty();
        records_scanned += chunk.records.len();
        for placed in &chunk.records {
            view.offset_next = placed.offset + 1;
            bytes_scanned += placed.record.bytes();
            let Some(letter) = taken(placed, asked, bytes_max) else {
                continue;
            };
            bytes_shown += letter.payload().map_or(0, |payload| payload.len());
            view.dead_letters.push(letter);
            if view.dead_letters.len() >= asked.limit || bytes_shown >= SHOWN_BYTES_MAX {
                return Ok(LettersLookup::Found(view));
            }
        }
        view.offset_next = chunk.offset_next;
        let is_enough = view.offset_next >= view.end
            || records_scanned >= SCANNED_RECORDS_MAX
            || bytes_scanned >= SCANNED_BYTES_MAX
            || (is_empty && begun.elapsed() >= WAIT);
        if is_enough {
            return Ok(LettersLookup::Found(view));
        }
    }
}

fn taken(placed: &PlacedRecord, asked: &LettersAsked, bytes_max: usize) -> Option<DeadLetterView> {
    let letter = record_of(placed, asked.partition);
    let listed = DeadLetterView::listed(&letter);
    let reason = listed.reason.as_deref();
    let is_taken =
        asked.reasons.is_empty() || reason.is_some_and(|reason| asked.reasons.contains(&reason));
    match (is_taken, asked.has_records) {
        (false, _) => None,
        (true, false) => Some(listed),
        (true, true) => Some(DeadLetterView::shown(&letter, bytes_max)),
    }
}

fn record_of(placed: &PlacedRecord, partition: u32) -> LetterRecord<'_> {
    LetterRecord {
        partition,
        offset: placed.offset,
        timestamp: placed.record.timestamp,
        key: placed.record.key.as_deref(),
        value: placed.record.value.as_deref(),
        headers: &placed.record.headers,
    }
}

/// The dead letter at a place.
pub(super) fn one(
    reader: &mut dyn OutputReader,
    partition: u32,
    offset: u64,
    bytes_max: usize,
) -> Result<LettersLookup<DeadLetterView>, Error> {
    let partitions = reader.partitions();
    if partition >= partitions {
        return Ok(LettersLookup::NoPartition { partitions });
    }
    let begun = Instant::now();
    loop {
        let limit = ReadLimit::of_records(1);
        let chunk = reader.read(Partition(partition), offset, limit)?;
        let first = chunk.records.first();
        if let Some(found) = first.filter(|found| found.offset == offset) {
            let view = DeadLetterView::shown(&record_of(found, partition), bytes_max);
            return Ok(LettersLookup::Found(view));
        }
        // Where it does not get on, what stands there is not decided yet.
        if first.is_some() || chunk.offset_next > offset || offset >= chunk.end {
            let (start, end) = (chunk.start, chunk.end);
            return Ok(LettersLookup::NotThere { start, end });
        }
        if begun.elapsed() >= DECISION_WAIT {
            return Ok(LettersLookup::Busy);
        }
    }
}
