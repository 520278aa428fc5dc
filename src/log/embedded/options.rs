//! What a log is opened with.

use crate::faults::Faults;

/// A segment that has so many bytes is complete.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// What a log is opened with.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Number of partitions of every topic.
    pub partitions: u32,
    /// A file that has so many bytes is complete, and another one is begun.
    pub segment_bytes: u64,
    /// Where a test cuts.
    pub faults: Faults,
}

impl LogOptions {
    /// With files of the usual size.
    #[must_use]
    pub fn new(partitions: u32, faults: Faults) -> Self {
        Self {
            partitions,
            segment_bytes: SEGMENT_BYTES,
            faults,
        }
    }
}
