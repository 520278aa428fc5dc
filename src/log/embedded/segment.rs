//! One file of a segment log: a base and the frames of its batches.

use std::collections::BTreeMap;
use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::log::Error;
use crate::log::embedded::base::Base;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::damaged_at;
use crate::log::embedded::errors::failed;
use crate::log::embedded::errors::unusable;
use crate::log::embedded::frame;
use crate::log::embedded::frame::Directory;
use crate::log::embedded::frame::Entry;
use crate::log::embedded::frame::HEADER_BYTES;
use crate::log::embedded::frame::Header;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::names::Span;
use crate::log::embedded::options::Access;

/// A header and the directory of most frames are read at once.
const GLANCE_BYTES: usize = 2048;

/// A section and where its bytes are in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) entry: Entry,
    position: u64,
}

/// The sections of a segment by stream, in the order of their offsets.
#[derive(Debug, Default)]
pub(super) struct Index(BTreeMap<Stream, Vec<Place>>);

impl Index {
    /// Takes the sections of a frame, which begin at a position.
    pub(super) fn add(&mut self, directory: &Directory, mut position: u64) {
        for entry in &directory.entries {
            if entry.stream != Stream::FACTS {
                let place = Place {
                    entry: *entry,
                    position,
                };
                self.0.entry(entry.stream).or_default().push(place);
            }
            position += u64::from(entry.stored_bytes);
        }
    }

    /// The section with an offset, or the first one after it.
    fn find(&self, stream: Stream, offset: u64) -> Option<Place> {
        let places = self.0.get(&stream)?;
        let place = places.partition_point(|place| place.entry.next <= offset);
        places.get(place).copied()
    }
}

/// A frame that was found in a file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) directory: Directory,
    /// Where its sections begin.
    pub(super) sections_at: u64,
    /// Where it ends.
    pub(super) end: u64,
}

/// A file of a segment log.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) span: Span,
    pub(super) path: PathBuf,
    file: File,
    pub(super) base: Base,
    /// Number of the batch before it.
    pub(super) base_number: u64,
    /// Where its last frame ends.
    bytes: AtomicU64,
    /// Read when it is needed.
    index: RwLock<Option<Index>>,
}

impl Segment {
    /// Makes the file of a segment, with its base. The name is durable once the directory is synced.
    pub(super) fn create(path: &Path, span: Span, base: Base, number: u64) -> Result<Self, Error> {
        let failed = |source| failed(path, source);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(path).map_err(failed)?;
        let section = postcard::to_allocvec(&base).ok();
        let section = section.and_then(|content| frame::Section::new(Stream::FACTS, content, 1, 0));
        let frame = section.and_then(|section| frame::write(number, true, &[section]));
        let (bytes, _) = frame.ok_or_else(|| unusable(path, "its base is too large"))?;
        file.write_all_at(&bytes, 0).map_err(failed)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(Self {
            span,
            path: path.to_owned(),
            file,
            base,
            base_number: number,
            bytes: AtomicU64::new(length),
            index: RwLock::new(Some(Index::default())),
        })
    }

    /// Opens the file of a segment and reads its base; `None` where that is not whole and no batch follows it, as its file
    /// was being made.
    pub(super) fn open(path: &Path, span: Span, access: Access) -> Result<Option<Self>, Error> {
        let failed = |source| failed(path, source);
        let file = access.open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut segment = Self {
            span,
            path: path.to_owned(),
            file,
            base: Base::default(),
            base_number: 0,
            bytes: AtomicU64::new(length),
            index: RwLock::new(None),
        };
        if let Some((number, base)) = segment.read_base()? {
            segment.base_number = number;
            segment.base = base;
            return Ok(Some(segment));
        }
        if segment.has_batch_after(0, 0)? {
            return Err(damaged(path, "its first frame is damaged"));
        }
        Ok(None)
    }

    fn read_base(&self) -> Result<Option<(u64, Base)>, Error> {
        let Some(found) = self.frame_at(0)? else {
            return Ok(None);
        };
        let entry = found.directory.entries.first().copied();
        let Some(entry) = entry.filter(|_| found.directory.is_base) else {
            return Ok(None);
        };
        let place = Place {
            entry,
            position: found.sections_at,
        };
        let content = self.content(place)?;
        let base = content.and_then(|content| postcard::from_bytes(&content).ok());
        Ok(base.map(|base| (found.directory.number, base)))
    }

    /// Where its last frame ends.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// The frame at a position; `None` where there is none that is whole. Sections are not read.
    pub(super) fn frame_at(&self, position: u64) -> Result<Option<Found>, Error> {
        let left = self.bytes().saturating_sub(position);
        let glance = usize::try_from(left).map_or(GLANCE_BYTES, |left| left.min(GLANCE_BYTES));
        let mut bytes = self.read(position, glance)?;
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>().copied() else {
            return Ok(None);
        };
        let Some(header_read) = Header::read(&header) else {
            return Ok(None);
        };
        let header_bytes = u64::try_from(HEADER_BYTES).unwrap_or(0);
        let before = header_bytes + u64::from(header_read.directory_bytes);
        let Some(end) = before.checked_add(header_read.sections_bytes) else {
            return Ok(None);
        };
        if end > left {
            return Ok(None);
        }
        let directory_end = usize::try_from(before).unwrap_or(usize::MAX);
        if directory_end > bytes.len() {
            bytes = self.read(position, directory_end)?;
        }
        let directory = bytes.get(HEADER_BYTES..directory_end);
        let directory = directory.and_then(|directory| Directory::read(&header, directory));
        let found = directory.map(|directory| Found {
            directory,
            sections_at: position + before,
            end: position + end,
        });
        let fits_header =
            |found: &Found| stored_bytes(&found.directory) == header_read.sections_bytes;
        Ok(found.filter(fits_header))
    }

    /// The contents of a frame's sections, in their order; `None` for one that is damaged.
    pub(super) fn contents<'a>(
        &'a self,
        found: &'a Found,
    ) -> impl Iterator<Item = Result<(Entry, Option<Vec<u8>>), Error>> + 'a {
        let mut position = found.sections_at;
        found.directory.entries.iter().map(move |entry| {
            let place = Place {
                entry: *entry,
                position,
            };
            position += u64::from(entry.stored_bytes);
            Ok((*entry, self.content(place)?))
        })
    }

    /// The section of a stream with an offset, or the first one after it.
    pub(super) fn find(&self, stream: Stream, offset: u64) -> Result<Option<Place>, Error> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &*index {
            return Ok(index.find(stream, offset));
        }
        drop(index);
        // Under the lock, so that no batch is added between the reading and the keeping of the index.
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let index = match &mut *index {
            Some(index) => index,
            none => none.insert(self.read_index()?),
        };
        Ok(index.find(stream, offset))
    }

    /// The content of a section; `None` where it is damaged.
    pub(super) fn content(&self, place: Place) -> Result<Option<Vec<u8>>, Error> {
        let Ok(length) = usize::try_from(place.entry.stored_bytes) else {
            return Ok(None);
        };
        let stored = self.read(place.position, length)?;
        Ok(place.entry.content(stored))
    }

    /// Writes a frame at the end.
    pub(super) fn append(&self, bytes: &[u8], directory: &Directory) -> Result<(), Error> {
        let position = self.bytes();
        if let Err(source) = self.file.write_all_at(bytes, position) {
            // What was written of it must not be taken for the beginning of the next one.
            self.file
                .set_len(position)
                .map_err(|source| failed(&self.path, source))?;
            return Err(failed(&self.path, source));
        }
        let end = position + u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &mut *index {
            index.add(directory, end - stored_bytes(directory));
        }
        self.bytes.store(end, Ordering::Release);
        Ok(())
    }

    /// Shows nothing from a position on; the file stays as it is.
    pub(super) fn end_at(&self, position: u64) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        self.bytes.store(position, Ordering::Release);
        *index = None;
    }

    /// Removes everything from a position on.
    pub(super) fn cut(&self, position: u64) -> Result<(), Error> {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let cut = self.file.set_len(position);
        cut.map_err(|source| failed(&self.path, source))?;
        self.bytes.store(position, Ordering::Release);
        *index = None;
        Ok(())
    }

    /// Writes everything from a position on again, and makes it durable. What was written before a failed sync may be in
    /// memory alone, where a later sync does not see it.
    pub(super) fn write_again(&self, position: u64) -> Result<(), Error> {
        let length = usize::try_from(self.bytes().saturating_sub(position)).unwrap_or(usize::MAX);
        let bytes = self.read(position, length)?;
        let written = self.file.write_all_at(&bytes, position);
        written.map_err(|source| failed(&self.path, source))?;
        self.sync()
    }

    /// There is a whole frame of a batch after this number, somewhere from a position on.
    pub(super) fn has_batch_after(&self, number: u64, position: u64) -> Result<bool, Error> {
        let length = usize::try_from(self.bytes().saturating_sub(position)).unwrap_or(usize::MAX);
        let bytes = self.read(position, length)?;
        for place in frame::places_of_frames(&bytes) {
            let at = position + u64::try_from(place).unwrap_or(u64::MAX);
            let found = self.frame_at(at)?.map(|found| found.directory);
            if found.is_some_and(|directory| !directory.is_base && directory.number > number) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Frees the memory of the index, to be read again when it is needed.
    pub(super) fn forget_index(&self) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Makes it durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.file
            .sync_data()
            .map_err(|source| failed(&self.path, source))
    }

    /// When it was written last.
    pub(super) fn modified(&self) -> Result<std::time::SystemTime, Error> {
        let modified = self.file.metadata().and_then(|file| file.modified());
        modified.map_err(|source| failed(&self.path, source))
    }

    /// Gives it the time at which another one was written last.
    pub(super) fn set_modified(&self, modified: std::time::SystemTime) -> Result<(), Error> {
        let set = self.file.set_modified(modified);
        set.map_err(|source| failed(&self.path, source))
    }

    /// A copy of it up to a position, at which a frame begins.
    pub(super) fn copy_until(&self, path: &Path, position: u64) -> Result<Self, Error> {
        let copied = std::fs::copy(&self.path, path);
        copied.map_err(|source| failed(path, source))?;
        let copy = Self::open(path, self.span, Access::Write)?;
        let copy = copy.ok_or_else(|| damaged(path, "its first frame is damaged"))?;
        copy.cut(position)?;
        Ok(copy)
    }

    fn read_index(&self) -> Result<Index, Error> {
        let mut index = Index::default();
        let mut position = 0;
        while position < self.bytes() {
            let found = self.frame_at(position)?;
            let found = found.ok_or_else(|| damaged_at(&self.path, position))?;
            index.add(&found.directory, found.sections_at);
            position = found.end;
        }
        Ok(index)
    }

    /// Reads bytes of the file.
    pub(super) fn read(&self, position: u64, length: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, position);
        read.map_err(|source| failed(&self.path, source))?;
        Ok(bytes)
    }
}

fn stored_bytes(directory: &Directory) -> u64 {
    let entries = directory.entries.iter();
    entries.map(|entry| u64::from(entry.stored_bytes)).sum()
}
