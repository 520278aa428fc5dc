//! The bytes of a segment: frames, one for each batch. A frame is a header, a directory of its sections, and the
//! sections. A section has records of one stream, or what else the log knows.
//!
//! One checksum covers header and directory, and each section has its own, so that a reader of one stream reads no other.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::ids::Partition;

/// The first bytes of a frame.
const MAGIC: [u8; 4] = *b"sgf1";
/// Magic, checksum of the rest of the header and the directory, bytes of the directory, bytes of the sections.
pub(super) const HEADER_BYTES: usize = 20;
/// Where the part of the header that the checksum covers begins.
const CHECKED_FROM: usize = 8;
/// Shorter sections are not worth compressing.
const COMPRESSED_FROM_BYTES: usize = 200;
/// The fastest of zstd's levels: the next ones save little on records of this kind.
const COMPRESSION_LEVEL: i32 = 1;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Kind {
    /// Records of the input.
    Event,
    /// Transfers.
    Transfer,
    /// Changes.
    Change,
    /// Dead letters.
    DeadLetter,
    /// The state changelog; compacted, so that offsets have gaps.
    State,
    /// The latest change by customer; compacted as well.
    Current,
    /// What a segment knows besides records. It has no offsets, and its partition is 0.
    Facts,
}

/// A kind of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Stream {
    pub(super) kind: Kind,
    pub(super) partition: Partition,
}

impl Stream {
    /// Where facts are.
    pub(super) const FACTS: Self = Self {
        kind: Kind::Facts,
        partition: Partition(0),
    };
}

/// A section in the directory of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) stream: Stream,
    /// Where it begins: the offset of its first record, or, in a compacted stream, one before it.
    pub(super) first: u64,
    /// Offset after the last one.
    pub(super) next: u64,
    /// Records; as many as offsets, except in compacted streams.
    pub(super) records: u32,
    /// Bytes in the file.
    pub(super) stored_bytes: u32,
    /// Bytes once decompressed.
    raw_bytes: u32,
    is_compressed: bool,
    checksum: u32,
}

impl Entry {
    /// The content of the section from its stored bytes; `None` where they are damaged.
    pub(super) fn content(&self, stored: Vec<u8>) -> Option<Vec<u8>> {
        if crc32fast::hash(&stored) != self.checksum {
            return None;
        }
        if !self.is_compressed {
            return Some(stored);
        }
        let raw_bytes = usize::try_from(self.raw_bytes).ok()?;
        let content = zstd::bulk::decompress(&stored, raw_bytes).ok()?;
        (content.len() == raw_bytes).then_some(content)
    }
}

/// The sections of a frame, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Directory {
    /// Number of the batch. A base has that of the batch before it.
    pub(super) number: u64,
    /// The first frame of a segment, which says what was before it. It is no batch.
    pub(super) is_base: bool,
    pub(super) entries: Vec<Entry>,
}

/// What a header says of the frame that it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    checksum: u32,
    pub(super) directory_bytes: u32,
    pub(super) sections_bytes: u64,
}

impl Header {
    /// `None` if these are not the bytes of a header.
    pub(super) fn read(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (checksum, rest) = rest.split_first_chunk()?;
        let (directory_bytes, rest) = rest.split_first_chunk()?;
        let (sections_bytes, _) = rest.split_first_chunk()?;
        Some(Self {
            checksum: u32::from_le_bytes(*checksum),
            directory_bytes: u32::from_le_bytes(*directory_bytes),
            sections_bytes: u64::from_le_bytes(*sections_bytes),
        })
    }
}

impl Directory {
    /// Reads the directory that follows a header; `None` where either is damaged.
    pub(super) fn read(header: &[u8; HEADER_BYTES], directory: &[u8]) -> Option<Self> {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(header.get(CHECKED_FROM..)?);
        checksum.update(directory);
        if checksum.finalize() != Header::read(header)?.checksum {
            return None;
        }
        postcard::from_bytes(directory).ok()
    }
}

/// A section to be written. Its offsets count from 0 until it has its place.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) entry: Entry,
    stored: Vec<u8>,
}

impl Section {
    /// A section of so many records, at so many offsets; `None` if it is too large for one.
    pub(super) fn new(stream: Stream, content: Vec<u8>, records: u32, next: u64) -> Option<Self> {
        let raw_bytes = u32::try_from(content.len()).ok()?;
        let compressed = if content.len() < COMPRESSED_FROM_BYTES {
            None
        } else {
            let compressed = zstd::bulk::compress(&content, COMPRESSION_LEVEL).ok();
            compressed.filter(|bytes| bytes.len() < content.len())
        };
        let is_compressed = compressed.is_some();
        let stored = compressed.unwrap_or(content);
        let entry = Entry {
            stream,
            first: 0,
            next,
            records,
            stored_bytes: u32::try_from(stored.len()).ok()?,
            raw_bytes,
            is_compressed,
            checksum: crc32fast::hash(&stored),
        };
        Some(Self { entry, stored })
    }

    /// Moves the section so that its first record is at an offset.
    pub(super) fn place(&mut self, first: u64) {
        self.entry.next = first + (self.entry.next - self.entry.first);
        self.entry.first = first;
    }
}

/// The bytes of a frame and its directory; `None` if it is too large for one.
pub(super) fn write(
    number: u64,
    is_base: bool,
    sections: &[Section],
) -> Option<(Vec<u8>, Directory)> {
    let directory = Directory {
        number,
        is_base,
        entries: sections.iter().map(|section| section.entry).collect(),
    };
    let encoded = postcard::to_allocvec(&directory).ok()?;
    let sections_bytes: usize = sections.iter().map(|section| section.stored.len()).sum();
    let mut checked = Vec::with_capacity(HEADER_BYTES + encoded.len());
    checked.extend(u32::try_from(encoded.len()).ok()?.to_le_bytes());
    checked.extend(u64::try_from(sections_bytes).ok()?.to_le_bytes());
    checked.extend(encoded);
    let mut bytes = Vec::with_capacity(CHECKED_FROM + checked.len() + sections_bytes);
    bytes.extend(MAGIC);
    bytes.extend(crc32fast::hash(&checked).to_le_bytes());
    bytes.extend(checked);
    for section in sections {
        bytes.extend(&section.stored);
    }
    Some((bytes, directory))
}

/// Where in some bytes a frame may begin.
pub(super) fn places_of_frames(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let windows = bytes.windows(MAGIC.len()).enumerate();
    let begun = windows.filter(|(_, window)| *window == MAGIC);
    begun.map(|(place, _)| place)
}
