//! The checkpoint of a store.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::churn::RiskBand;
use crate::domain::time::Timestamp;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::SegmentNumber;

/// Customers that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// Their segment.
    pub segment: SegmentNumber,
    /// Their band of churn risk; `None` where there is none.
    pub band: Option<RiskBand>,
}

impl Group {
    /// The group of an entry; `None` before its first assignment.
    #[must_use]
    pub fn of(summary: &RecordSummary) -> Option<Self> {
        Some(Self {
            segment: summary.segment?,
            band: summary.band,
        })
    }
}

/// The checkpoint of a store, written in the same batch as its entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreCheckpoint {
    /// The partition's checkpoint as of the batch; `None` before the first transaction.
    pub checkpoint: Option<Checkpoint>,
    /// The changelog still holds a checkpoint under the key of an older format.
    pub has_old_checkpoint: bool,
    /// What the numbers in the entries mean.
    pub table: DefinitionTable,
    /// The place in the changelog from which it is read after a restart.
    pub changelog_next: u64,
    /// The furthest place in the changelog that any entry here belongs to: beyond `changelog_next` while a
    /// flush is under way.
    pub changelog_reach: u64,
    /// The last time, by the wall clock, at which nothing of the changelog was missing; `None`: never known.
    pub caught_up_at: Option<Timestamp>,
    /// Identity of the log the store was made from.
    pub lineage: String,
    /// Number of entries.
    pub records: u64,
    /// Sum of the pages' digests, wrapping. A lost or stale page changes it.
    pub digest: u64,
    /// Assigned customers by segment and band.
    pub customers: BTreeMap<Group, u64>,
    /// Entries with a deadline.
    pub deadlines: u64,
}
