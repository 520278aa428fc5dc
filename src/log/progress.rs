//! How far the partitions of a worker were read.

use std::collections::BTreeMap;

use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;

/// How far a source of a partition was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceProgress {
    /// Next offset to be delivered, control and aborted records passed; `None` before the first.
    pub position: Option<u64>,
    /// The end, open transactions included.
    pub end: u64,
}

/// How far each source of a partition was read.
pub type Progress = BTreeMap<Source, SourceProgress>;

/// How far partitions were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressAnswer {
    /// The wall time of the call that asked for the ends: what was written to the log before it is below them.
    pub asked_at: Timestamp,
    /// Those of the partitions of that question of which the log could say it. The positions are as of now.
    pub partitions: BTreeMap<Partition, Progress>,
}

impl ProgressAnswer {
    /// The answer of a log that says it at once.
    pub fn at_once(
        partitions: &[Partition],
        wall: Timestamp,
        mut progress_of: impl FnMut(Partition) -> Progress,
    ) -> Self {
        let each = partitions.iter();
        Self {
            asked_at: wall,
            partitions: each
                .map(|partition| (*partition, progress_of(*partition)))
                .collect(),
        }
    }
}
