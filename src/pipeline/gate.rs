//! Where one process has all partitions, nothing of them is taken or written before the state of each is open and fits to
//! the settings. So a process that is refused has changed nothing.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::domain::ids::Partition;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::batch::Poll;
use crate::pipeline::partition::running::RunningPartition;
use crate::pipeline::worker::Worker;

/// Closed while there are partitions whose state is not open yet.
#[derive(Debug, Default)]
pub struct Gate {
    left: Mutex<BTreeSet<Partition>>,
}

impl Gate {
    /// It waits for the state of so many partitions.
    pub fn close(&self, partitions: u32) {
        self.left().extend((0..partitions).map(Partition));
    }

    /// The state of a partition is open and fits.
    pub fn opened(&self, partition: Partition) {
        self.left().remove(&partition);
    }

    /// It waits for no partition.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.left().is_empty()
    }

    fn left(&self) -> MutexGuard<'_, BTreeSet<Partition>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: WorkerLog> Worker<L> {
    /// A partition whose state is open and fits waits for the others.
    pub(super) fn wait_at_gate(&mut self, running: &RunningPartition) -> Result<(), Error> {
        let partition = running.owner().partition();
        self.log.pause(partition);
        self.require_ahead(running, self.shared.control.clock_at_end())?;
        if running.is_new() {
            // Nothing is committed under it yet, but all partitions are this process's: none begins under another one.
            self.shared.partitions.agree(running.definition());
        }
        self.shared.control.gate.opened(partition);
        Ok(())
    }

    /// Lets the partitions that have waited take deliveries, once all are open.
    pub(super) fn pass_gate(&mut self) -> Result<(), Error> {
        if self.is_past_gate || !self.shared.control.gate.is_open() {
            return Ok(());
        }
        self.is_past_gate = true;
        let mut has_new = false;
        for (partition, running) in self.partitions.running() {
            self.log.resume_at(partition, running.offsets())?;
            has_new |= running.is_new();
            // The first checkpoint claims the partition.
            let poll = Poll::without_deliveries(&self.shared);
            self.batch.start(&self.shared.limits, poll);
        }
        if has_new { self.commit() } else { Ok(()) }
    }
}
