//! Reading all of a log that was not read when it was opened.

use crate::log::Error;
use crate::log::embedded::compaction::is_end;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::damaged_at;
use crate::log::embedded::frame::Entry;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::records;
use crate::log::embedded::segment::Segment;
use crate::log::embedded::segments::SegmentLog;
use crate::log::embedded::segments::offset_of;

impl EmbeddedLog {
    /// Reads every segment that is complete: that nothing is missing, and that every checksum is right. Where something
    /// is wrong, nothing is written to the log any more.
    ///
    /// # Errors
    /// [`Error::Unusable`] where the log is damaged, or an error of the disk.
    pub fn check(&self) -> Result<(), Error> {
        self.check_while(&|| true)
    }

    pub(super) fn check_while(&self, go_on: &dyn Fn() -> bool) -> Result<(), Error> {
        let inner = &*self.0;
        for log in [&inner.input, &inner.changes, &inner.state] {
            inner.doubt.or_raise(check(log, go_on))?;
        }
        Ok(())
    }

    /// Removes the files that an interruption has left, once everything else was checked.
    pub(super) fn remove_leftovers(&self) -> Result<(), Error> {
        let inner = &*self.0;
        for log in [&inner.input, &inner.changes, &inner.state] {
            log.remove_leftovers()?;
        }
        Ok(())
    }
}

fn check(log: &SegmentLog, go_on: &dyn Fn() -> bool) -> Result<(), Error> {
    let segments = log.segments();
    for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
        if !check_segment(segment, next, go_on)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads a segment up to the one after it; false where `go_on` ended the reading.
fn check_segment(
    segment: &Segment,
    next: &Segment,
    go_on: &dyn Fn() -> bool,
) -> Result<bool, Error> {
    let is_compacted = segment.base.compaction.is_some();
    let mut ends = segment.base.ends.clone();
    let mut number = segment.base_number;
    let (mut position, mut is_ended) = (0, false);
    while position < segment.bytes() {
        let found = segment.frame_at(position)?;
        let found = found.ok_or_else(|| damaged_at(&segment.path, position))?;
        if position > 0 {
            number += 1;
        }
        if !is_compacted && found.directory.number != number {
            return Err(damaged(
                &segment.path,
                &format!("batch {number} is missing"),
            ));
        }
        for content in segment.contents(&found) {
            let (entry, content) = content?;
            let content = content.ok_or_else(|| damaged_at(&segment.path, position))?;
            if entry.stream == Stream::FACTS {
                continue;
            }
            let is_next = entry.first == offset_of(&ends, entry.stream);
            if !is_next || !has_its_records(&entry, &content) {
                return Err(damaged_at(&segment.path, position));
            }
            ends.insert(entry.stream, entry.next);
        }
        is_ended = position > 0 && is_end(&found.directory);
        position = found.end;
        if !go_on() {
            return Ok(false);
        }
    }
    // Of a compacted stream the last records may be gone, as later ones replace them: a frame says that it ends there.
    let is_whole = if is_compacted {
        is_ended
    } else {
        ends == next.base.ends && number == next.base_number
    };
    if is_whole {
        Ok(true)
    } else {
        Err(damaged(&segment.path, "its last batches are missing"))
    }
}

/// The content has as many records as its directory says, at its offsets.
fn has_its_records(entry: &Entry, mut content: &[u8]) -> bool {
    let (mut found, mut next) = (0, entry.first);
    while !content.is_empty() {
        let Some((gap, _)) = records::take(&mut content) else {
            return false;
        };
        found += 1;
        next = next.saturating_add(gap).saturating_add(1);
    }
    found == entry.records && next == entry.next
}
