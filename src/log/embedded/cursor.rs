//! Reading the records of a stream, one after the other.

use crate::log::Error;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::records;
use crate::log::embedded::segments::SegmentLog;

/// Reads a stream from an offset on.
#[derive(Debug)]
pub(super) struct Cursor {
    stream: Stream,
    next: u64,
    section: Option<OpenSection>,
}

/// A section that is partly read.
#[derive(Debug)]
struct OpenSection {
    content: Vec<u8>,
    /// Where the next record begins.
    at: usize,
    /// The offset of the next record if there is no gap before it.
    offset: u64,
}

impl Cursor {
    pub(super) fn new(stream: Stream, from: u64) -> Self {
        Self {
            stream,
            next: from,
            section: None,
        }
    }

    /// What it reads.
    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// The next offset that it looks for.
    pub(super) fn position(&self) -> u64 {
        self.next
    }

    /// The next record below an end, which must be committed, and its offset. An empty slot has no bytes.
    pub(super) fn next(
        &mut self,
        log: &SegmentLog,
        end: u64,
    ) -> Result<Option<(u64, &[u8])>, Error> {
        loop {
            if self.next >= end {
                return Ok(None);
            }
            if self.section.is_none() {
                let found = log.section(self.stream, self.next)?;
                let Some((first, content)) = found.filter(|(first, _)| *first < end) else {
                    self.next = end;
                    return Ok(None);
                };
                self.section = Some(OpenSection {
                    content,
                    at: 0,
                    offset: first,
                });
            }
            let Some(found) = self.step(log)? else {
                self.section = None;
                continue;
            };
            let (offset, range) = found;
            if offset < self.next {
                continue;
            }
            // A compaction may have put later records into the same section.
            if offset >= end {
                self.next = end;
                self.section = None;
                return Ok(None);
            }
            self.next = offset + 1;
            let section = self.section.as_ref();
            let bytes = section.and_then(|section| section.content.get(range));
            return Ok(Some((offset, bytes.unwrap_or_default())));
        }
    }

    /// Steps over a record of the section: its offset, and where its bytes are. `None` at the section's end.
    fn step(&mut self, log: &SegmentLog) -> Result<Option<(u64, std::ops::Range<usize>)>, Error> {
        let Some(section) = &mut self.section else {
            return Ok(None);
        };
        let rest = section.content.get(section.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let mut left = rest;
        let (gap, record) = records::take(&mut left).ok_or_else(|| {
            let what = format!("a record at offset {} is damaged", section.offset);
            damaged(&log.directory, &what)
        })?;
        let offset = section.offset.saturating_add(gap);
        section.at = section.content.len() - left.len();
        section.offset = offset.saturating_add(1);
        Ok(Some((offset, section.at - record.len()..section.at)))
    }
}
