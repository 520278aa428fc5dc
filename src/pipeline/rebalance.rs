//! What a worker does when partitions come and go.

use std::ops::Bound;
use std::sync::Arc;

use crate::domain::ids::Partition;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::batch::Batch;
use crate::pipeline::restore::Restore;
use crate::pipeline::worker::Worker;
use crate::store::partition::PartitionStore;
use crate::telemetry::observe;

impl<B: WorkerLog> Worker<B> {
    pub(super) fn assigned(&mut self, partitions: &[Partition]) {
        observe::assigned(&self.shared.metrics, partitions.len());
        self.is_starting_over = false;
        for partition in partitions {
            self.shared.partitions.show_restoring(*partition);
            self.waiting.insert(*partition);
        }
    }

    /// The one after the last that was asked for, so that none that cannot say yet holds up the rest.
    fn next_waiting(&mut self) -> Option<Partition> {
        let after = (Bound::Excluded(self.asked_last), Bound::Unbounded);
        let next = self.waiting.range(after).next();
        self.asked_last = *next.or_else(|| self.waiting.first())?;
        Some(self.asked_last)
    }

    pub(super) fn is_restoring(&self) -> bool {
        !self.waiting.is_empty() || !self.restoring.is_empty()
    }

    /// One chunk of one partition, so that running partitions go on meanwhile.
    pub(super) fn restore_a_chunk(&mut self) -> Result<(), Error> {
        if self.restoring.is_empty()
            && let Some(partition) = self.next_waiting()
        {
            self.waiting.remove(&partition);
            match Restore::begin(partition, &mut self.log, &self.shared)? {
                Some(restore) => self.restoring.insert(partition, restore),
                None => {
                    self.waiting.insert(partition);
                    return Ok(());
                }
            };
        }
        let Some(mut first) = self.restoring.first_entry() else {
            return Ok(());
        };
        if !first.get_mut().advance(&mut self.log, &self.shared)? {
            return Ok(());
        }
        let (partition, restore) = first.remove_entry();
        let owned = restore.finish(&mut self.log, &self.shared)?;
        self.shared.control.finished(partition, false);
        self.running.insert(partition, owned);
        Ok(())
    }

    pub(super) fn revoked(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        self.commit()?;
        self.write_moved_clocks()?;
        observe::revoked(&self.shared.metrics, partitions.len());
        for partition in partitions {
            if let Some(store) = self.let_go(*partition) {
                store.flush()?;
            }
            self.shared
                .partitions
                .directory()
                .unmark_owned(*partition)?;
        }
        Ok(())
    }

    /// Somebody else may own these already, and the transaction in hand may hold some of theirs: all goes
    /// back to the checkpoints.
    pub(super) fn lost(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        observe::revoked(&self.shared.metrics, partitions.len());
        self.start_over();
        for partition in partitions {
            let directory = self.shared.partitions.directory();
            directory.unmark_owned(*partition)?;
        }
        Ok(())
    }

    pub(super) fn start_over(&mut self) {
        self.batch = Batch::default();
        let held: Vec<Partition> = self
            .running
            .keys()
            .chain(self.restoring.keys())
            .chain(&self.waiting)
            .copied()
            .collect();
        for partition in held {
            self.let_go(partition);
        }
        self.is_starting_over = true;
        self.log.restart();
    }

    fn let_go(&mut self, partition: Partition) -> Option<Arc<PartitionStore>> {
        self.log.pause(partition);
        self.shared.partitions.hide(partition);
        self.restoring.remove(&partition);
        self.waiting.remove(&partition);
        observe::let_go(&self.shared.metrics, partition.0);
        let owned = self.running.remove(&partition)?;
        owned.count(&self.shared.metrics, -1);
        Some(Arc::clone(owned.store()))
    }
}
