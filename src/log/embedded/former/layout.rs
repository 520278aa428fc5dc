//! Keys and values of the one tree of the former log. Keys sort by kind, partition and offset.

use serde::Deserialize;

use crate::domain::ids::Partition;
use crate::domain::ids::Source;

/// Format of the whole log. In format 1 records had no null values, and those of sources no headers; there were
/// no transfers. A log of format 1 is read as it is, and is of this one from the next batch on.
pub(super) const FORMAT: u8 = 2;
pub(super) const FORMAT_OLDEST: u8 = 1;
pub(super) const META_KEY: &[u8] = b"m";
/// Number of batches written, in every batch.
pub(super) const BATCHES_KEY: &[u8] = b"b";

/// What a key holds; the first byte of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Input records by offset.
    Input = b'i',
    /// Changes by offset.
    Change = b'c',
    /// Latest change by customer.
    Current = b'u',
    /// Dead letters by offset.
    DeadLetter = b'd',
    /// The state changelog by offset.
    State = b's',
    /// Ends of a partition's topics and the group's offset.
    Ends = b'e',
    /// How far a source was appended.
    Cursor = b'p',
    /// Transfers by offset.
    Transfer = b't',
    /// End of a partition's transfers and the group's offset there.
    TransferEnds = b'f',
}

/// Where the records of a source are.
pub(super) fn kind_of(source: Source) -> Kind {
    match source {
        Source::Events => Kind::Input,
        Source::Transfers => Kind::Transfer,
    }
}

/// Identity of the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Meta {
    pub(super) partitions: u32,
    pub(super) lineage: String,
}

/// The next offsets of one partition's topics, written in every batch that moves one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct MainEnds {
    input: u64,
    pub(super) changes: u64,
    dead_letters: u64,
    pub(super) state: u64,
    /// Records in the changelog after compaction.
    pub(super) state_records: u64,
    /// The group's committed input offset.
    group: Option<u64>,
}

/// The same of its transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct TransferEnds {
    end: u64,
    group: Option<u64>,
}

/// All next offsets of one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) main: MainEnds,
    pub(super) transfers: TransferEnds,
}

impl Ends {
    /// The group's offset in a source.
    pub(super) fn group(&self, source: Source) -> Option<u64> {
        match source {
            Source::Events => self.main.group,
            Source::Transfers => self.transfers.group,
        }
    }

    /// The kinds whose offsets have no gaps, with their ends.
    pub(super) fn gapless(&self) -> [(Kind, u64); 4] {
        [
            (Kind::Input, self.main.input),
            (Kind::Transfer, self.transfers.end),
            (Kind::Change, self.main.changes),
            (Kind::DeadLetter, self.main.dead_letters),
        ]
    }
}

/// What was found in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Former {
    pub(super) meta: Meta,
    /// By partition.
    pub(super) ends: Vec<Ends>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StoredState<'a> {
    #[serde(borrow)]
    pub(super) key: &'a [u8],
    #[serde(borrow)]
    pub(super) value: Option<&'a [u8]>,
}

/// What all keys of a kind in a partition begin with.
pub(super) fn partition_key(kind: Kind, partition: Partition) -> Vec<u8> {
    let mut key = Vec::with_capacity(16);
    key.push(kind as u8);
    key.extend_from_slice(&partition.0.to_be_bytes());
    key
}

/// The offset at the end of a key.
pub(super) fn offset_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>()
        .map(|bytes| u64::from_be_bytes(*bytes))
}

/// How a value is written. The checksum covers it, so that bytes of one are never read as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As format 1 has it.
    One,
    /// Records of sources and outputs since format 2.
    Two,
}

impl Encoding {
    fn checksum(self, content: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(content);
        match self {
            Self::One => {}
            Self::Two => hasher.update(&[2]),
        }
        hasher.finalize()
    }
}

/// Decodes a value; `None` where it is damaged or of another encoding.
pub(super) fn decode<'a, T: Deserialize<'a>>(encoding: Encoding, bytes: &'a [u8]) -> Option<T> {
    let (checksum, content) = bytes.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*checksum) != encoding.checksum(content) {
        return None;
    }
    postcard::from_bytes(content).ok()
}

/// The value matches its checksum.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let Some((checksum, content)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    let checksum = u32::from_le_bytes(*checksum);
    [Encoding::One, Encoding::Two]
        .iter()
        .any(|encoding| checksum == encoding.checksum(content))
}
