//! Opening a directory of segments. The segment that is written to is checked in full, of the others only that they are
//! there and what they begin with; [`crate::log::embedded::checking`] reads the rest.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::log::Error;
use crate::log::embedded::acknowledged::Acknowledged;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::retention::first_kept;
use crate::log::embedded::segment::Found;
use crate::log::embedded::segment::Offsets;
use crate::log::embedded::segment::Segment;
use crate::log::embedded::segment::Span;
use crate::log::embedded::segment::damaged;
use crate::log::embedded::segment::failed;
use crate::log::embedded::segments::SegmentLog;
use crate::log::embedded::segments::Writer;
use crate::log::embedded::segments::offset_of;

/// How to open a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A segment that has so many bytes is complete.
    pub(super) segment_bytes: u64,
    /// Batches after this number belong to nothing and are removed; none of them may have been acknowledged.
    pub(super) number_max: u64,
}

/// Opens a directory. `on_facts` gets the facts of the last segment's base, then those of each of its batches.
pub(super) fn open(
    directory: &Path,
    limits: Limits,
    on_facts: &mut dyn FnMut(&[u8]) -> Option<()>,
) -> Result<Writer, Error> {
    let (file, acknowledged) = Acknowledged::open(directory)?;
    let Listed {
        segments,
        leftovers,
    } = segments_of(directory)?;
    let active = segments.last();
    let active = active.ok_or_else(|| damaged(directory, "its segments are missing"))?;
    let unread = || damaged(&active.path, "what it knows besides records is damaged");
    on_facts(&active.base.facts).ok_or_else(unread)?;
    let mut ends = active.base.ends.clone();
    let mut number = active.base_number;
    let mut position = active.frame_at(0)?.map_or(0, |base| base.end);
    // Up to the first one that is not whole: it was being written, or what was acknowledged is damaged.
    while number < limits.number_max
        && let Some(found) = active.frame_at(position)?
        && let Some(batch) = read_batch(active, &found, number + 1, &ends)?
    {
        if let Some(facts) = batch.facts {
            on_facts(&facts).ok_or_else(unread)?;
        }
        ends.extend(batch.ends);
        number += 1;
        position = found.end;
    }
    if number < acknowledged {
        let lost = acknowledged - number;
        let what =
            format!("the last {lost} of {acknowledged} batches that were acknowledged are gone");
        return Err(damaged(&active.path, &what));
    }
    if position < active.bytes() {
        active.cut(position)?;
        active.sync()?;
    }
    let log = SegmentLog::new(directory, segments, leftovers);
    Ok(Writer::new(log, ends, number, file, limits.segment_bytes))
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
}

fn segments_of(directory: &Path) -> Result<Listed, Error> {
    let mut spans: Vec<(Span, PathBuf)> = Vec::new();
    let entries = std::fs::read_dir(directory).map_err(|source| failed(directory, source))?;
    for entry in entries {
        let path = entry.map_err(|source| failed(directory, source))?.path();
        spans.extend(Span::of_file(&path).map(|span| (span, path)));
    }
    // Of those that begin at one number, the longest comes first.
    spans.sort_by_key(|(span, _)| (span.first, std::cmp::Reverse(span.last)));
    let mut expected = first_kept(directory)?;
    let mut listed = Listed::default();
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
        match Segment::open(&path, span)? {
            Some(segment) => listed.segments.push(Arc::new(segment)),
            // Its base was being written, so no batch followed. If one did, it is missed when they are counted.
            None if Some(span) == last && !listed.segments.is_empty() => break,
            None => return Err(damaged(&path, "its first frame is damaged")),
        }
        expected = span.last + 1;
    }
    Ok(listed)
}
