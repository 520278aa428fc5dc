//! The partitions of other processes, in a run with ends.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::domain::ids::Partition;

/// What the log said of them last.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) asked_at: Option<Instant>,
    /// Those that are committed up to their ends.
    pub(super) partitions: BTreeSet<Partition>,
}
