//! When the stores of a worker reach the disk: a flush begins in time and goes on by pieces between
//! polls, so that events do not wait for it; only what is too much at once is written at once.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::owned::OwnedPartition;
use crate::telemetry::observe;

/// The flush under way, or the next one.
#[derive(Debug)]
pub struct Flushes {
    /// Partitions whose stores are still to be written.
    pending: VecDeque<Partition>,
    /// When the last one began.
    begun_at: Instant,
}

impl Flushes {
    /// The next one is due an interval from now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            pending: VecDeque::new(),
            begun_at: now,
        }
    }

    /// Begins a flush if one is due, or writes the next piece of the one under way.
    ///
    /// # Errors
    /// If a store fails.
    pub fn advance(
        &mut self,
        running: &BTreeMap<Partition, OwnedPartition>,
        shared: &Shared,
    ) -> Result<(), Error> {
        let limits = &shared.limits;
        let stores = || running.values().map(OwnedPartition::store);
        let records: usize = stores().map(|store| store.dirty_records()).sum();
        let bytes: usize = stores().map(|store| store.dirty_bytes()).sum();
        let is_full = records >= limits.flush_records || bytes >= limits.flush_bytes;
        if is_full || limits.flush_interval.is_zero() {
            return self.write_all(running, shared);
        }
        let Some(partition) = self.pending.front() else {
            let is_due = self.begun_at.elapsed() >= limits.flush_interval;
            if is_due || bytes >= limits.flush_bytes / 2 {
                self.begun_at = Instant::now();
                self.pending = running.keys().copied().collect();
            }
            return Ok(());
        };
        if let Some(owned) = running.get(partition) {
            if !owned.store().flush_piece(limits.flush_pages)? {
                return Ok(());
            }
            observe_bytes(*partition, owned, shared)?;
        }
        self.pending.pop_front();
        Ok(())
    }

    /// Writes everything now.
    ///
    /// # Errors
    /// If a store fails.
    pub fn write_all(
        &mut self,
        running: &BTreeMap<Partition, OwnedPartition>,
        shared: &Shared,
    ) -> Result<(), Error> {
        for (partition, owned) in running {
            owned.store().flush()?;
            observe_bytes(*partition, owned, shared)?;
        }
        self.pending.clear();
        self.begun_at = Instant::now();
        Ok(())
    }
}

fn observe_bytes(
    partition: Partition,
    owned: &OwnedPartition,
    shared: &Shared,
) -> Result<(), Error> {
    let bytes = owned.store().disk_bytes()?;
    observe::store_bytes(&shared.metrics, partition.0, bytes);
    Ok(())
}
