//! What a segment says of the time before it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::log::embedded::frame::Stream;

/// An offset for each stream; 0 for those that are not there.
pub(super) type Offsets = BTreeMap<Stream, u64>;

/// What was before a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base {
    /// Where its streams begin.
    pub(super) ends: Offsets,
    /// What the holder of the log knows besides records, as it was then.
    pub(super) facts: Vec<u8>,
    /// Where the segment is the result of a compaction.
    pub(super) compaction: Option<Compaction>,
}

/// What a compaction has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Compaction {
    /// Only the latest record of each key is left of what is below.
    pub(super) until: Offsets,
    /// Tombstones below were removed.
    pub(super) tombstones_from: Offsets,
}
