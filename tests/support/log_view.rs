//! A view of the embedded log that changes some of its answers. Every method that a view does not have is the log's.

use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::time::Timestamp;
use segstream::log::ChangelogChunk;
use segstream::log::Committed;
use segstream::log::Error;
use segstream::log::PartitionFacts;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::Progress;
use segstream::log::ProgressAnswer;
use segstream::log::ReadBack;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedWorker;

/// What a view answers in place of the log.
pub trait LogView: Send {
    /// The log.
    fn inner(&mut self) -> &mut EmbeddedWorker;

    /// A poll; its limit has no timeout.
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        self.inner().poll(limit)
    }

    fn resume_at(&mut self, partition: Partition, offsets: AppliedOffsets) -> Result<(), Error> {
        self.inner().resume_at(partition, offsets)
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        self.inner().commit(transaction)
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        self.inner().facts(partition)
    }

    fn progress_of(&mut self, partition: Partition) -> Progress {
        self.inner().progress_of(partition)
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        self.inner().read_changelog(partition, from, records)
    }

    fn read_back(&mut self, position: Position) -> Result<ReadBack, Error> {
        self.inner().read_back(position)
    }
}

/// A view as a worker's log. It waits for nothing.
pub struct Viewed<V>(pub V);

impl<V: LogView> WorkerLog for Viewed<V> {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        let timeout = Duration::ZERO;
        self.0.poll(PollLimit { timeout, ..limit })
    }

    fn resume_at(&mut self, partition: Partition, offsets: AppliedOffsets) -> Result<(), Error> {
        self.0.resume_at(partition, offsets)
    }

    fn pause(&mut self, partition: Partition) {
        self.0.inner().pause(partition);
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        self.0.commit(transaction)
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        self.0.facts(partition)
    }

    fn progress(
        &mut self,
        partitions: &[Partition],
        wall: Timestamp,
    ) -> Result<Option<ProgressAnswer>, Error> {
        Ok(Some(ProgressAnswer::at_once(
            partitions,
            wall,
            |partition| self.0.progress_of(partition),
        )))
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        self.0.read_changelog(partition, from, records)
    }

    fn read_back(&mut self, position: Position) -> Result<ReadBack, Error> {
        self.0.read_back(position)
    }

    fn restart(&mut self) {
        self.0.inner().restart();
    }
}
