//! A directory of segments: one is written to, the others are complete.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;

use crate::log::Error;
use crate::log::embedded::acknowledged::Acknowledged;
use crate::log::embedded::base::Base;
use crate::log::embedded::base::Offsets;
use crate::log::embedded::doubt::Doubt;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::failed;
use crate::log::embedded::errors::unusable;
use crate::log::embedded::frame;
use crate::log::embedded::frame::Section;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::names::Span;
use crate::log::embedded::segment::Segment;

/// So many segments that are complete have their index in memory.
const INDEXES_MAX: usize = 4;
/// From so many segments on they get larger.
const SEGMENTS_OF_A_SIZE: u64 = 256;

/// The readers' side of a directory of segments.
#[derive(Debug)]
pub(super) struct SegmentLog {
    pub(super) directory: PathBuf,
    /// In their order; the last one is written to.
    segments: RwLock<Vec<Arc<Segment>>>,
    /// The spans whose indexes were read, the latest last.
    indexed: Mutex<Vec<Span>>,
    /// Files that the log does not need any more, to be removed once the others are checked.
    leftovers: Mutex<Vec<PathBuf>>,
    pub(super) doubt: Doubt,
}

/// The writer's side.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) log: Arc<SegmentLog>,
    /// Where the streams end.
    pub(super) ends: Offsets,
    /// Batches written since the log was made.
    pub(super) number: u64,
    pub(super) acknowledged: Acknowledged,
    segment_bytes: u64,
}

/// What was written last, to be taken back.
#[derive(Debug)]
pub(super) struct Undo {
    segment: Arc<Segment>,
    bytes: u64,
    ends: Offsets,
    number: u64,
}

impl SegmentLog {
    pub(super) fn new(
        directory: &Path,
        segments: Vec<Arc<Segment>>,
        leftovers: Vec<PathBuf>,
        doubt: Doubt,
    ) -> Arc<Self> {
        Arc::new(Self {
            directory: directory.to_owned(),
            segments: RwLock::new(segments),
            indexed: Mutex::default(),
            leftovers: Mutex::new(leftovers),
            doubt,
        })
    }

    /// All segments, the one that is written to last.
    pub(super) fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The segments that are complete.
    pub(super) fn complete(&self) -> Vec<Arc<Segment>> {
        let mut segments = self.segments();
        segments.pop();
        segments
    }

    /// The offset at which a stream begins.
    pub(super) fn start(&self, stream: Stream) -> u64 {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let first = segments.first();
        first.map_or(0, |first| offset_of(&first.base.ends, stream))
    }

    /// The bytes of all its files.
    pub(super) fn bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.bytes()).sum()
    }

    /// The section of a stream with an offset, or, behind the last one of a compacted segment, the next: its first offset and
    /// its content. The offset must be below the stream's end.
    pub(super) fn section(
        &self,
        stream: Stream,
        offset: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, Error> {
        let segments = self.segments();
        let begun =
            segments.partition_point(|segment| offset_of(&segment.base.ends, stream) <= offset);
        let Some(place) = begun.checked_sub(1) else {
            let problem = format!("{stream:?} does not have offset {offset} any more");
            return Err(unusable(&self.directory, &problem));
        };
        for segment in segments.iter().skip(place) {
            let found = segment.find(stream, offset)?;
            self.limit_indexes(segment, &segments);
            let is_there = found.is_some_and(|place| place.entry.first <= offset);
            if !is_there && segment.base.compaction.is_none() {
                let what = format!("offset {offset} of {stream:?} is missing");
                return Err(damaged(&segment.path, &what));
            }
            if let Some(place) = found {
                let content = segment.content(place)?;
                let content = content.ok_or_else(|| {
                    let at = place.entry.first;
                    damaged(
                        &segment.path,
                        &format!("the section at offset {at} is damaged"),
                    )
                })?;
                return Ok(Some((place.entry.first, content)));
            }
        }
        Ok(None)
    }

    /// Frees the index that was read the longest time ago if there are too many.
    fn limit_indexes(&self, read: &Segment, segments: &[Arc<Segment>]) {
        let is_active = segments.last().is_some_and(|last| last.span == read.span);
        let mut indexed = self.indexed.lock().unwrap_or_else(PoisonError::into_inner);
        if is_active || indexed.last() == Some(&read.span) {
            return;
        }
        indexed.retain(|span| *span != read.span);
        indexed.push(read.span);
        if indexed.len() > INDEXES_MAX {
            let oldest = indexed.remove(0);
            for segment in segments.iter().filter(|segment| segment.span == oldest) {
                segment.forget_index();
            }
        }
    }

    /// Puts a segment in the place of those that it stands for. Its name must be durable.
    pub(super) fn replace(&self, new: Segment) {
        let new = Arc::new(new);
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let covers =
            |old: &Arc<Segment>| new.span.first <= old.span.first && old.span.last <= new.span.last;
        let place = segments.partition_point(|old| old.span.last < new.span.first);
        segments.retain(|old| !covers(old));
        segments.insert(place, Arc::clone(&new));
    }

    /// Removes the files that an interruption has left.
    pub(super) fn remove_leftovers(&self) -> Result<(), Error> {
        let mut leftovers = self
            .leftovers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while let Some(path) = leftovers.last() {
            std::fs::remove_file(path).map_err(|source| failed(path, source))?;
            leftovers.pop();
        }
        Ok(())
    }

    /// Forgets the segments before a number.
    pub(super) fn forget_before(&self, first: u64) {
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        segments.retain(|segment| segment.span.first >= first);
    }

    fn active(&self) -> Result<Arc<Segment>, Error> {
        self.doubt.check(&self.directory)?;
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let last = segments.last().map(Arc::clone);
        last.ok_or_else(|| unusable(&self.directory, "it has no segment"))
    }
}

impl Writer {
    /// The writer of an open log, which goes on from its ends.
    pub(super) fn new(
        log: Arc<SegmentLog>,
        ends: Offsets,
        number: u64,
        acknowledged: Acknowledged,
        segment_bytes: u64,
    ) -> Self {
        Self {
            log,
            ends,
            number,
            acknowledged,
            segment_bytes,
        }
    }

    /// Makes a directory with one empty segment.
    pub(super) fn create(directory: &Path, segment_bytes: u64) -> Result<Self, Error> {
        std::fs::create_dir_all(directory).map_err(|source| failed(directory, source))?;
        let acknowledged = Acknowledged::create(directory)?;
        let span = Span::one(1);
        let path = directory.join(span.file_name());
        let segment = Segment::create(&path, span, Base::default(), 0)?;
        segment.sync()?;
        sync_directory(directory)?;
        let log = SegmentLog::new(
            directory,
            vec![Arc::new(segment)],
            Vec::new(),
            Doubt::default(),
        );
        Ok(Self::new(
            log,
            Offsets::new(),
            0,
            acknowledged,
            segment_bytes,
        ))
    }

    /// The end of a stream.
    pub(super) fn end(&self, stream: Stream) -> u64 {
        offset_of(&self.ends, stream)
    }

    /// The segment is full: the next batch goes to another one. Segments grow with the log, as each is an open file.
    pub(super) fn is_full(&self) -> Result<bool, Error> {
        let bytes = self.log.active()?.bytes();
        Ok(bytes >= self.segment_bytes && bytes >= self.log.bytes() / SEGMENTS_OF_A_SIZE)
    }

    /// The segment has no batch.
    pub(super) fn is_new(&self) -> Result<bool, Error> {
        Ok(self.log.active()?.base_number == self.number)
    }

    /// Completes the segment and begins another one; `facts` are as of now.
    pub(super) fn roll(&mut self, facts: Vec<u8>) -> Result<(), Error> {
        let active = self.log.active()?;
        self.log.doubt.or_raise(active.sync())?;
        let base = Base {
            ends: self.ends.clone(),
            facts,
            compaction: None,
        };
        let span = Span::one(active.span.last + 1);
        let path = self.log.directory.join(span.file_name());
        // A file of this name that is there already is left from an interruption here.
        let segment = Segment::create(&path, span, base, self.number)?;
        let synced = segment.sync();
        let synced = synced.and_then(|()| sync_directory(&self.log.directory));
        // Whether a later start finds the new segment is not known, so nothing may be added to the old one.
        self.log.doubt.or_raise(synced)?;
        active.forget_index();
        let segments = &self.log.segments;
        let mut segments = segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.push(Arc::new(segment));
        Ok(())
    }

    /// Writes a batch at the end, its sections where their streams end. It is durable after [`Self::sync`].
    pub(super) fn write(&mut self, mut sections: Vec<Section>) -> Result<Undo, Error> {
        let active = self.log.active()?;
        let mut ends = self.ends.clone();
        for section in &mut sections {
            let stream = section.entry.stream;
            if stream != Stream::FACTS {
                section.place(offset_of(&ends, stream));
                ends.insert(stream, section.entry.next);
            }
        }
        let frame = frame::write(self.number + 1, false, &sections);
        let (bytes, directory) =
            frame.ok_or_else(|| unusable(&self.log.directory, "a batch is too large"))?;
        let undo = Undo {
            bytes: active.bytes(),
            ends: std::mem::replace(&mut self.ends, ends),
            number: self.number,
            segment: active,
        };
        self.number += 1;
        if let Err(error) = undo.segment.append(&bytes, &directory) {
            self.undo(undo)?;
            return Err(error);
        }
        Ok(undo)
    }

    /// Takes the last batch back.
    pub(super) fn undo(&mut self, undo: Undo) -> Result<(), Error> {
        self.log.doubt.or_raise(undo.segment.cut(undo.bytes))?;
        self.ends = undo.ends;
        self.number = undo.number;
        Ok(())
    }

    /// Makes what was written durable. After a failure nothing more is written, as the disk may hold any part of it.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let active = self.log.active()?;
        self.log.doubt.or_raise(active.sync())
    }

    /// Counts what is durable.
    pub(super) fn acknowledge(&mut self) -> Result<(), Error> {
        let advanced = self.acknowledged.advance(self.number);
        self.log.doubt.or_raise(advanced)
    }
}

/// The offset of a stream.
pub(super) fn offset_of(offsets: &Offsets, stream: Stream) -> u64 {
    offsets.get(&stream).copied().unwrap_or(0)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    synced.map_err(|source| failed(directory, source))
}
