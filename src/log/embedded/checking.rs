//! Reading all of a log that was not read when it was opened.

use crate::log::Error;
use crate::log::embedded::frame::Entry;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::records;
use crate::log::embedded::segment::Segment;
use crate::log::embedded::segment::damaged;
use crate::log::embedded::segment::damaged_at;
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
            if let Err(error) = check(log, go_on) {
                for log in [&inner.input, &inner.changes, &inner.state] {
                    log.doubt(&error);
                }
                return Err(error);
            }
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
    log.remove_leftovers()
}

/// Reads a segment up to the one after it; false if it was told to stop.
fn check_segment(
    segment: &Segment,
    next: &Segment,
    go_on: &dyn Fn() -> bool,
) -> Result<bool, Error> {
    let is_compacted = segment.base.compaction.is_some();
    let mut ends = segment.base.ends.clone();
    let mut number = segment.base_number;
    let mut position = 0;
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
            let is_next = entry.first == offset_of(&ends, entry.stream);
            let is_whole = content.is_some_and(|content| has_its_records(&entry, &content));
            if entry.stream == Stream::FACTS {
                continue;
            }
            if !is_next || !is_whole {
                return Err(damaged_at(&segment.path, position));
            }
            ends.insert(entry.stream, entry.next);
        }
        position = found.end;
        if !go_on() {
            return Ok(false);
        }
    }
    // Of a compacted stream the last records may be gone, as later ones replace them.
    let is_whole = is_compacted || (ends == next.base.ends && number == next.base_number);
    if is_whole {
        Ok(true)
    } else {
        Err(damaged(&segment.path, "its last batches are missing"))
    }
}

/// The content has as many records as its directory says, at its offsets.
fn has_its_records(entry: &Entry, mut content: &[u8]) -> bool {
    if entry.stream == Stream::FACTS {
        return true;
    }
    let (mut found, mut next) = (0, entry.first);
    while !content.is_empty() {
        let Some((gap, _)) = records::take(&mut content) else {
            return false;
        };
        found += 1;
        next += gap + 1;
    }
    found == entry.records && next == entry.next
}
