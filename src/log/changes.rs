//! Reading the published changes by partition and offset, beside the workers.

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::OutputRecord;

/// A published change and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedChange {
    /// Its offset in its partition.
    pub offset: u64,
    /// The record.
    pub record: OutputRecord,
}

/// A part of a partition's changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangesChunk {
    /// In offset order; on Kafka with gaps where a transaction ended.
    pub changes: Vec<PublishedChange>,
    /// Where the next chunk begins.
    pub offset_next: u64,
    /// End of the partition when the chunk was read. Everything was read once `offset_next` is there.
    pub end: u64,
}

/// Reads committed changes. A reader belongs to one thread.
pub trait ChangesReader: Send {
    /// Number of partitions of the changes.
    fn partitions(&self) -> u32;

    /// Reads at most `limit` changes of a partition, from an offset on, or from the first one that is still there. A
    /// chunk may be empty with something remaining: read on from `offset_next`.
    ///
    /// # Errors
    /// If the log cannot be read, or does not have the partition.
    fn read_changes(
        &mut self,
        partition: Partition,
        from: u64,
        limit: usize,
    ) -> Result<ChangesChunk, Error>;
}
