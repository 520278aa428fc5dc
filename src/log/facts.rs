//! What a log says of a partition.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::ids::Source;
use crate::domain::time::Timestamp;

/// What the log says of a source of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// First offset that is still there.
    pub start: u64,
    /// The end, open transactions included.
    pub end: u64,
    /// The group's committed offset, a hint.
    pub group_offset: Option<u64>,
}

/// What the log says of a partition before it is restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionFacts {
    /// Identity of the log. A store that was made from another one cannot be used.
    pub lineage: String,
    /// First offset of the changelog that is still there.
    pub changelog_start: u64,
    /// End of the changelog.
    pub changelog_end: u64,
    /// How long tombstones stay in the changelog; `None` where that does not depend on time.
    pub tombstones_kept: Option<Duration>,
    /// Tombstones below this offset may be gone.
    pub tombstones_from: u64,
    /// Each source that the log has.
    pub sources: BTreeMap<Source, SourceFacts>,
}

/// A record of the changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangelogRecord {
    /// Its offset in the changelog.
    pub offset: u64,
    /// A key of the state.
    pub key: Vec<u8>,
    /// The record's bytes; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// A chunk of a partition's changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangelogChunk {
    /// In offset order; compaction leaves gaps.
    pub records: Vec<ChangelogRecord>,
    /// Where the next chunk begins.
    pub offset_next: u64,
    /// Offsets up to the end; 0 when this was the last chunk.
    pub remaining: u64,
}

/// The answer to [`crate::log::WorkerLog::read_back`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// The log cannot say yet: to be asked again.
    NotYet,
    /// The log does not say.
    Unknown,
    /// There is no record of a source.
    Missing,
    /// The record.
    Found {
        /// Its timestamp; `None` if it has none.
        record_time: Option<Timestamp>,
        /// Its key.
        key: Option<Vec<u8>>,
        /// Its value; `None` is null.
        value: Option<Vec<u8>>,
    },
}
