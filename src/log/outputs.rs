//! Reading what transactions have written for others, by partition and offset, beside the workers.

use crate::domain::ids::Partition;
use crate::domain::topic::Topic;
use crate::log::Error;
use crate::log::OutputRecord;

/// What can be read so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// The published changes.
    Changes,
    /// The dead letters.
    DeadLetters,
}

impl OutputKind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Changes, Self::DeadLetters];

    /// Where they are written.
    #[must_use]
    pub fn topic(self) -> Topic {
        match self {
            Self::Changes => Topic::Changes,
            Self::DeadLetters => Topic::DeadLetters,
        }
    }
}

/// A record and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedRecord {
    /// Its offset in its partition.
    pub offset: u64,
    /// The record.
    pub record: OutputRecord,
}

/// A part of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputChunk {
    /// In offset order; on Kafka with gaps where a transaction ended.
    pub records: Vec<PlacedRecord>,
    /// Where the next chunk begins.
    pub offset_next: u64,
    /// The first offset that is still there.
    pub start: u64,
    /// End of the partition when the chunk was read. Everything was read once `offset_next` is there.
    pub end: u64,
}

/// Limits of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimit {
    /// Most records.
    pub records: usize,
    /// Stop after the record that reaches this many bytes.
    pub bytes: usize,
}

impl ReadLimit {
    /// So many records, whatever their size.
    #[must_use]
    pub fn of_records(records: usize) -> Self {
        Self {
            records,
            bytes: usize::MAX,
        }
    }
}

/// Reads the committed records of one kind. A reader belongs to one thread.
pub trait OutputReader: Send {
    /// Number of partitions.
    fn partitions(&self) -> u32;

    /// Reads records of a partition within the limit, from an offset on, or from the first one that is still there. A
    /// chunk may be empty with something remaining: read on from `offset_next`.
    ///
    /// # Errors
    /// If the log cannot be read, or does not have the partition.
    fn read(
        &mut self,
        partition: Partition,
        from: u64,
        limit: ReadLimit,
    ) -> Result<OutputChunk, Error>;
}

impl OutputReader for Box<dyn OutputReader> {
    fn partitions(&self) -> u32 {
        (**self).partitions()
    }

    fn read(
        &mut self,
        partition: Partition,
        from: u64,
        limit: ReadLimit,
    ) -> Result<OutputChunk, Error> {
        (**self).read(partition, from, limit)
    }
}
