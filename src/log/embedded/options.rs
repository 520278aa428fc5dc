//! What a log is opened with.

use std::fs::File;
use std::fs::OpenOptions;
use std::path::Path;

use crate::faults::Faults;

/// A segment that has so many bytes is complete.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// What is done with the files of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// They are only read, and stay as they are.
    Read,
    /// They are read and written.
    Write,
}

impl Access {
    /// Opens a file that is there.
    pub(super) fn open(self, path: &Path) -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(self == Self::Write).open(path)
    }
}

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
