//! Opening a directory of segments. The segment that is written to is checked in full, of the others only that they are
//! there and what they begin with; [`crate::log::embedded::checking`] reads the rest.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::log::Error;
use crate::log::embedded::acknowledged::Acknowledged;
use crate::log::embedded::base::Offsets;
use crate::log::embedded::doubt::Doubt;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::damaged_at;
use crate::log::embedded::errors::failed;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::names::Span;
use crate::log::embedded::names::UNFINISHED;
use crate::log::embedded::options::Access;
use crate::log::embedded::retention::first_kept;
use crate::log::embedded::segment::Found;
use crate::log::embedded::segment::Segment;
use crate::log::embedded::segments::SegmentLog;
use crate::log::embedded::segments::Writer;
use crate::log::embedded::segments::offset_of;
use crate::log::embedded::segments::sync_directory;

/// How to open a directory.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// A segment that has so many bytes is complete.
    pub(super) segment_bytes: u64,
    /// The batch after this number, if there is one, belongs to nothing, and no other follows.
    pub(super) number_max: u64,
    /// Of the whole log.
    pub(super) doubt: Doubt,
    pub(super) access: Access,
}

/// A directory that was read. Nothing was changed yet.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) writer: Writer,
    active: Arc<Segment>,
    /// Where the batches begin that were not acknowledged.
    acknowledged_to: u64,
    /// Where the last batch ends that belongs to the log.
    end: u64,
    /// Files that were being written.
    unfinished: Vec<PathBuf>,
}

impl Opened {
    /// The last segment has a batch.
    pub(super) fn has_batch(&self) -> bool {
        self.writer.number > self.active.base_number
    }

    /// Shows what belongs to the log, and leaves everything as it is.
    pub(super) fn only_shown(self) -> Writer {
        self.active.end_at(self.end);
        self.writer
    }

    /// Removes what was being written when the log was closed, and makes the rest durable.
    pub(super) fn settle(mut self) -> Result<Writer, Error> {
        for path in &self.unfinished {
            std::fs::remove_file(path).map_err(|source| failed(path, source))?;
        }
        let is_cut = self.end < self.active.bytes();
        if is_cut {
            self.active.cut(self.end)?;
        }
        if is_cut || self.acknowledged_to < self.end {
            self.active.write_again(self.acknowledged_to)?;
            sync_directory(&self.writer.log.directory)?;
            self.writer.acknowledge()?;
        }
        Ok(self.writer)
    }
}

/// Reads a directory. `on_facts` gets the facts of the last segment's base, then those of each of its batches.
pub(super) fn open(
    directory: &Path,
    limits: &Limits,
    on_facts: &mut dyn FnMut(&[u8]) -> Option<()>,
) -> Result<Opened, Error> {
    let (file, acknowledged) = Acknowledged::open(directory, limits.access)?;
    let listed = segments_of(directory, limits.access)?;
    let active = listed.segments.last().map(Arc::clone);
    let active = active.ok_or_else(|| damaged(directory, "its segments are missing"))?;
    let unread = || damaged(&active.path, "what it knows besides records is damaged");
    on_facts(&active.base.facts).ok_or_else(unread)?;
    let mut ends = active.base.ends.clone();
    let mut number = active.base_number;
    let mut end = active.frame_at(0)?.map_or(0, |base| base.end);
    let mut acknowledged_to = end;
    // Up to the first one that is not whole: it was being written, or what was acknowledged is damaged.
    while number < limits.number_max
        && let Some(found) = active.frame_at(end)?
        && let Some(batch) = read_batch(&active, &found, number + 1, &ends)?
    {
        if let Some(facts) = batch.facts {
            on_facts(&facts).ok_or_else(unread)?;
        }
        ends.extend(batch.ends);
        number += 1;
        end = found.end;
        if number <= acknowledged {
            acknowledged_to = end;
        }
    }
    if number < acknowledged {
        let lost = acknowledged - number;
        let what =
            format!("the last {lost} of {acknowledged} batches that were acknowledged are gone");
        return Err(damaged(&active.path, &what));
    }
    // Each batch is durable before the next one is written, so one at the most was being written.
    let last = if number == limits.number_max {
        number.saturating_add(1)
    } else {
        number
    };
    if active.has_batch_after(last, end)? {
        return Err(damaged_at(&active.path, end));
    }
    let log = SegmentLog::new(
        directory,
        listed.segments,
        listed.leftovers,
        limits.doubt.clone(),
    );
    Ok(Opened {
        writer: Writer::new(log, ends, number, file, limits.segment_bytes),
        active,
        acknowledged_to,
        end,
        unfinished: listed.unfinished,
    })
}

/// What a batch moves.
struct Batch {
    ends: Offsets,
    facts: Option<Vec<u8>>,
}

/// Reads a whole frame; `None` if it is not the batch that comes next.
fn read_batch(
    segment: &Segment,
    found: &Found,
    number: u64,
    ends: &Offsets,
) -> Result<Option<Batch>, Error> {
    if found.directory.number != number || found.directory.is_base {
        return Ok(None);
    }
    let mut batch = Batch {
        ends: Offsets::new(),
        facts: None,
    };
    for content in segment.contents(found) {
        let (entry, content) = content?;
        let stream = entry.stream;
        let is_next = stream == Stream::FACTS || entry.first == offset_of(ends, stream);
        let Some(content) = content.filter(|_| is_next) else {
            return Ok(None);
        };
        if stream == Stream::FACTS {
            batch.facts = Some(content);
        } else {
            batch.ends.insert(stream, entry.next);
        }
    }
    Ok(Some(batch))
}

/// The files of a directory.
#[derive(Debug, Default)]
struct Listed {
    /// In their order.
    segments: Vec<Arc<Segment>>,
    /// Those that others stand for, or that were kept long enough: what an interruption has left.
    leftovers: Vec<PathBuf>,
    /// Those that were being written, to take the place of others.
    unfinished: Vec<PathBuf>,
}

fn segments_of(directory: &Path, access: Access) -> Result<Listed, Error> {
    let mut listed = Listed::default();
    let mut spans: Vec<(Span, PathBuf)> = Vec::new();
    let entries = std::fs::read_dir(directory).map_err(|source| failed(directory, source))?;
    for entry in entries {
        let path = entry.map_err(|source| failed(directory, source))?.path();
        match Span::of_file(&path) {
            Some(span) => spans.push((span, path)),
            None if path.extension().is_some_and(|found| found == UNFINISHED) => {
                listed.unfinished.push(path);
            }
            None => {}
        }
    }
    // Of those that begin at one number, the longest comes first.
    spans.sort_by_key(|(span, _)| (span.first, std::cmp::Reverse(span.last)));
    let mut expected = first_kept(directory)?;
    let last = spans.last().map(|(span, _)| *span);
    for (span, path) in spans {
        if span.last < expected {
            listed.leftovers.push(path);
            continue;
        }
        if span.first != expected {
            let what = format!("segment {expected} before it is missing");
            return Err(damaged(&path, &what));
        }
        match Segment::open(&path, span, access)? {
            Some(segment) => listed.segments.push(Arc::new(segment)),
            // Its base was being written.
            None if Some(span) == last && !listed.segments.is_empty() => break,
            None => return Err(damaged(&path, "its first frame is damaged")),
        }
        expected = span.last + 1;
    }
    Ok(listed)
}
