//! Replacing records by empty slots. Offsets stay as they are.
//!
//! A segment is written anew beside the old one and takes its place at once, so an interruption leaves either. To
//! go on after one, do it again: slots that are empty stay so.

use crate::log::Error;
use crate::log::embedded::ends::facts_bytes;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::damaged_at;
use crate::log::embedded::errors::failed;
use crate::log::embedded::errors::unusable;
use crate::log::embedded::frame;
use crate::log::embedded::frame::Entry;
use crate::log::embedded::frame::Section;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::names::unfinished;
use crate::log::embedded::options::Access;
use crate::log::embedded::records;
use crate::log::embedded::records::Content;
use crate::log::embedded::records::Stored;
use crate::log::embedded::segment::Found;
use crate::log::embedded::segment::Segment;
use crate::log::embedded::segments::SegmentLog;
use crate::log::embedded::segments::sync_directory;

/// Decides by a record's key and value.
type IsEmptied<'a> = &'a dyn Fn(Option<&[u8]>, Option<&[u8]>) -> bool;

impl EmbeddedLog {
    /// Replaces records of the sources, changes and dead letters by empty slots, of which readers see nothing: those
    /// whose key and value satisfy `is_emptied`. The number of records that it replaced. It is durable when it returns.
    ///
    /// # Errors
    /// If the disk fails or the log is damaged. Some records may be replaced by then.
    pub fn empty_slots(&self, is_emptied: IsEmptied<'_>) -> Result<u64, Error> {
        let _held = self.lock_segments();
        // Only complete segments are rewritten.
        let mut sources = self.lock_sources();
        if !sources.writer.is_new()? {
            let facts = facts_bytes(&sources.cursors).ok_or_else(|| self.too_large())?;
            sources.writer.roll(facts)?;
        }
        drop(sources);
        let mut outputs = self.lock_outputs();
        if !outputs.changes.is_new()? {
            outputs.changes.roll(Vec::new())?;
        }
        drop(outputs);
        let mut emptied = 0;
        for log in [&self.0.input, &self.0.changes] {
            for segment in log.complete() {
                let done = empty(log, &segment, is_emptied);
                if done.is_err() {
                    // It may have taken the room that is missing. What has failed is reported.
                    let _removed = std::fs::remove_file(unfinished(&segment.path));
                }
                emptied += done?;
            }
        }
        Ok(emptied)
    }
}

/// Rewrites a segment if it has a record that is to be replaced.
fn empty(log: &SegmentLog, old: &Segment, is_emptied: IsEmptied<'_>) -> Result<u64, Error> {
    let unfinished = unfinished(&old.path);
    let mut new: Option<Segment> = None;
    let mut emptied = 0;
    let mut position = 0;
    while position < old.bytes() {
        let found = old.frame_at(position)?;
        let found = found.ok_or_else(|| damaged_at(&old.path, position))?;
        if let Some(rewritten) = rewrite(old, (position, &found), is_emptied)? {
            if new.is_none() {
                new = Some(old.copy_until(&unfinished, position)?);
            }
            if let Some(new) = &new {
                new.append(&rewritten.bytes, &rewritten.directory)?;
            }
            emptied += rewritten.emptied;
        } else if let Some(new) = &new {
            let bytes = old.read(position, usize_of(found.end - position))?;
            new.append(&bytes, &found.directory)?;
        }
        position = found.end;
    }
    let Some(new) = new else { return Ok(0) };
    new.sync()?;
    new.set_modified(old.modified()?)?;
    drop(new);
    let path = &old.path;
    std::fs::rename(&unfinished, path).map_err(|source| failed(path, source))?;
    sync_directory(&log.directory)?;
    let new = Segment::open(path, old.span, Access::Write)?;
    log.replace(new.ok_or_else(|| damaged(path, "its first frame is damaged"))?);
    Ok(emptied)
}

struct Rewritten {
    bytes: Vec<u8>,
    directory: frame::Directory,
    emptied: u64,
}

/// A frame with empty slots; `None` if it has none of the records.
fn rewrite(
    old: &Segment,
    (position, found): (u64, &Found),
    is_emptied: IsEmptied<'_>,
) -> Result<Option<Rewritten>, Error> {
    let mut sections = Vec::with_capacity(found.directory.entries.len());
    let mut emptied = 0;
    for content in old.contents(found) {
        let (entry, content) = content?;
        let content = content.ok_or_else(|| damaged_at(&old.path, position))?;
        let section = if entry.stream == Stream::FACTS {
            Section::new(Stream::FACTS, content, entry.records, 0)
        } else {
            let replaced = replaced(&entry, &content, is_emptied);
            let (section, replaced) = replaced.ok_or_else(|| damaged_at(&old.path, position))?;
            emptied += replaced;
            section
        };
        sections.push(section.ok_or_else(|| unusable(&old.path, "a section is too large"))?);
    }
    if emptied == 0 {
        return Ok(None);
    }
    let frame = frame::write(found.directory.number, found.directory.is_base, &sections);
    let (bytes, directory) = frame.ok_or_else(|| unusable(&old.path, "a batch is too large"))?;
    Ok(Some(Rewritten {
        bytes,
        directory,
        emptied,
    }))
}

/// The section with empty slots, and how many are new; `None` where the content is damaged.
fn replaced(
    entry: &Entry,
    mut content: &[u8],
    is_emptied: IsEmptied<'_>,
) -> Option<(Option<Section>, u64)> {
    let mut new = Content::default();
    let mut emptied = 0;
    while !content.is_empty() {
        let (gap, bytes) = records::take(&mut content)?;
        let is_hit = !bytes.is_empty() && {
            let record = Stored::read(bytes)?;
            is_emptied(record.key(), record.value())
        };
        emptied += u64::from(is_hit);
        new.push_bytes(gap, if is_hit { &[] } else { bytes })?;
    }
    let mut section = new.into_section(entry.stream);
    if let Some(section) = &mut section {
        section.place(entry.first);
    }
    Some((section, emptied))
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
