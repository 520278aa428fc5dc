//! Compaction of the state: of each key only the latest record is kept, at its offset. All complete segments become one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::embedded::base::Base;
use crate::log::embedded::base::Compaction;
use crate::log::embedded::base::Offsets;
use crate::log::embedded::cursor::Cursor;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::failed;
use crate::log::embedded::errors::unusable;
use crate::log::embedded::frame;
use crate::log::embedded::frame::Directory;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Section;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::names::Span;
use crate::log::embedded::names::unfinished;
use crate::log::embedded::options::Access;
use crate::log::embedded::records::Content;
use crate::log::embedded::records::Stored;
use crate::log::embedded::segment::Segment;
use crate::log::embedded::segments::SegmentLog;
use crate::log::embedded::segments::offset_of;
use crate::log::embedded::segments::sync_directory;

/// A section of a compacted segment takes so much before it is compressed, and one record more.
const SECTION_BYTES: usize = 256 * 1024;

/// So many offsets are read between two questions whether to go on.
const ASKED_EVERY: u64 = 1024;

/// Whether to go on.
pub(super) type GoOn<'a> = &'a dyn Fn() -> bool;

impl EmbeddedLog {
    /// Compacts the state if as much was written since the last time as that one left, or else does nothing.
    ///
    /// # Errors
    /// If the disk fails or the log is damaged. Nothing is lost.
    pub fn compact(&self) -> Result<(), Error> {
        self.compact_while(&|| true)
    }

    pub(super) fn compact_while(&self, go_on: GoOn<'_>) -> Result<(), Error> {
        let log = &self.0.state;
        let _held = self.lock_segments();
        self.0.doubt.check(&self.0.path)?;
        let complete = log.complete();
        let bytes_of = |is_compacted: bool| -> u64 {
            let segments = complete.iter();
            let segments =
                segments.filter(|segment| segment.base.compaction.is_some() == is_compacted);
            segments.map(|segment| segment.bytes()).sum()
        };
        let written = bytes_of(false);
        if written == 0 || written < bytes_of(true) {
            return Ok(());
        }
        compact(log, &complete, go_on)
    }

    /// A store that was made up to a lower offset may lack tombstones that were removed.
    pub(super) fn tombstones_from(&self, partition: Partition) -> u64 {
        let segments = self.0.state.segments();
        let first = segments.first();
        let compaction = first.and_then(|first| first.base.compaction.as_ref());
        let kind = Kind::State;
        compaction.map_or(0, |compaction| {
            offset_of(&compaction.tombstones_from, Stream { kind, partition })
        })
    }
}

/// Makes one segment of those that are complete.
fn compact(log: &SegmentLog, complete: &[Arc<Segment>], go_on: GoOn<'_>) -> Result<(), Error> {
    let (Some(first), Some(last)) = (complete.first(), complete.last()) else {
        return Ok(());
    };
    let segments = log.segments();
    let next = segments
        .iter()
        .find(|next| next.span.first > last.span.last);
    let next = next.ok_or_else(|| unusable(&log.directory, "no segment is written to"))?;
    let before = first.base.compaction.clone().unwrap_or_default();
    let compaction = Compaction {
        until: next.base.ends.clone(),
        // A tombstone outlives one compaction, so that a store which is somewhat behind still reads it.
        tombstones_from: before.until,
    };
    let span = Span {
        first: first.span.first,
        last: last.span.last,
    };
    let path = log.directory.join(span.file_name());
    let unfinished = unfinished(&path);
    let base = Base {
        compaction: Some(compaction.clone()),
        ..first.base.clone()
    };
    let new = Segment::create(&unfinished, span, base, first.base_number);
    let written = new.and_then(|new| {
        let survivors = Survivors {
            log,
            new: &new,
            number: next.base_number,
            compaction: &compaction,
        };
        survivors.write_all(&first.base.ends, go_on)
    });
    if !matches!(written, Ok(true)) {
        let removed = std::fs::remove_file(&unfinished);
        // What has failed first is reported.
        written?;
        return removed.map_err(|source| failed(&unfinished, source));
    }
    std::fs::rename(&unfinished, &path).map_err(|source| failed(&path, source))?;
    sync_directory(&log.directory)?;
    let new = Segment::open(&path, span, Access::Write)?;
    let new = new.ok_or_else(|| damaged(&path, "its first frame is damaged"))?;
    log.replace(new);
    for old in complete.iter().filter(|old| old.path != path) {
        std::fs::remove_file(&old.path).map_err(|source| failed(&old.path, source))?;
    }
    sync_directory(&log.directory)
}

/// Copies what is left of each stream.
struct Survivors<'a> {
    log: &'a SegmentLog,
    new: &'a Segment,
    number: u64,
    compaction: &'a Compaction,
}

/// A compacted segment ends with a frame without records.
pub(super) fn is_end(directory: &Directory) -> bool {
    let mut entries = directory.entries.iter();
    entries.all(|entry| entry.stream == Stream::FACTS)
}

impl Survivors<'_> {
    /// Copies all streams, which begin at these offsets; false where `go_on` ended the copying.
    fn write_all(&self, begins: &Offsets, go_on: GoOn<'_>) -> Result<bool, Error> {
        for (stream, until) in &self.compaction.until {
            if !self.copy(*stream, offset_of(begins, *stream), *until, go_on)? {
                return Ok(false);
            }
        }
        let section = Section::new(Stream::FACTS, Vec::new(), 0, 0);
        self.write_section(section.ok_or_else(|| self.too_large())?)?;
        self.new.sync()?;
        Ok(true)
    }

    /// Copies the latest record of each key of a stream; false where `go_on` ended the copying.
    fn copy(
        &self,
        stream: Stream,
        begins: u64,
        until: u64,
        go_on: GoOn<'_>,
    ) -> Result<bool, Error> {
        let mut latest: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut cursor = Cursor::new(stream, begins);
        while let Some((offset, bytes)) = cursor.next(self.log, until)? {
            if offset % ASKED_EVERY == 0 && !go_on() {
                return Ok(false);
            }
            let key = self.read(offset, bytes)?.key().unwrap_or_default();
            match latest.get_mut(key) {
                Some(known) => *known = offset,
                None => {
                    latest.insert(key.to_vec(), offset);
                }
            }
        }
        let tombstones_from = offset_of(&self.compaction.tombstones_from, stream);
        let (mut content, mut first, mut next) = (Content::default(), begins, begins);
        let mut cursor = Cursor::new(stream, begins);
        while let Some((offset, bytes)) = cursor.next(self.log, until)? {
            let record = self.read(offset, bytes)?;
            let is_latest = latest.get(record.key().unwrap_or_default()) == Some(&offset);
            let is_removed = record.value().is_none() && offset < tombstones_from;
            if !is_latest || is_removed {
                continue;
            }
            let pushed = content.push_bytes(offset - next, bytes);
            pushed.ok_or_else(|| self.too_large())?;
            next = offset + 1;
            if content.bytes() >= SECTION_BYTES {
                self.write(stream, std::mem::take(&mut content), first)?;
                first = next;
                if !go_on() {
                    return Ok(false);
                }
            }
        }
        if !content.is_empty() {
            self.write(stream, content, first)?;
        }
        Ok(go_on())
    }

    fn read<'a>(&self, offset: u64, bytes: &'a [u8]) -> Result<Stored<'a>, Error> {
        Stored::read(bytes).ok_or_else(|| {
            let what = format!("the state record at offset {offset} is damaged");
            damaged(&self.log.directory, &what)
        })
    }

    fn write(&self, stream: Stream, content: Content, first: u64) -> Result<(), Error> {
        let section = content.into_section(stream);
        let mut section = section.ok_or_else(|| self.too_large())?;
        section.place(first);
        self.write_section(section)
    }

    fn write_section(&self, section: Section) -> Result<(), Error> {
        let frame = frame::write(self.number, false, &[section]);
        let (bytes, directory) = frame.ok_or_else(|| self.too_large())?;
        self.new.append(&bytes, &directory)
    }

    fn too_large(&self) -> Error {
        unusable(&self.new.path, "a section is too large to be written")
    }
}
