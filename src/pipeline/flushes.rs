//! When the stores of a worker reach the disk: a flush begins in time and goes on by chunks between
//! polls, so that events do not wait for it; only what is too much at once is written at once.

use std::collections::VecDeque;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::held::HeldPartitions;
use crate::pipeline::partition::running::RunningPartition;
use crate::telemetry::observe;

/// How many times as many pages a chunk has when memory is about to run out.
const HASTE_MAX: usize = 8;

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

    /// Begins a flush if one is due, or writes the next chunk of the one under way.
    ///
    /// # Errors
    /// If a store fails.
    pub fn advance(&mut self, partitions: &HeldPartitions, shared: &Shared) -> Result<(), Error> {
        let limits = &shared.limits;
        let stores = || partitions.running().map(|(_, running)| running.store());
        let records: usize = stores().map(|store| store.dirty_records()).sum();
        let bytes: usize = stores().map(|store| store.dirty_bytes()).sum();
        let is_full = records >= limits.flush_records || bytes >= limits.flush_bytes;
        if is_full || limits.flush_interval.is_zero() {
            return self.write_all(partitions, shared);
        }
        let Some(partition) = self.pending.front() else {
            let is_due = shared
                .monotonic
                .now()
                .saturating_duration_since(self.begun_at)
                >= limits.flush_interval;
            if is_due || bytes >= limits.flush_bytes / 2 || records >= limits.flush_records / 2 {
                self.begun_at = shared.monotonic.now();
                self.pending = partitions
                    .running()
                    .map(|(partition, _)| partition)
                    .collect();
            }
            return Ok(());
        };
        if let Some(running) = partitions.get(*partition) {
            let haste = haste(bytes, limits.flush_bytes).max(haste(records, limits.flush_records));
            if !running
                .store()
                .flush_chunk(running.owner().epoch(), limits.flush_pages * haste)?
            {
                return Ok(());
            }
            observe_bytes(running, shared)?;
        }
        self.pending.pop_front();
        Ok(())
    }

    /// Writes everything now.
    ///
    /// # Errors
    /// If a store fails.
    pub fn write_all(&mut self, partitions: &HeldPartitions, shared: &Shared) -> Result<(), Error> {
        for (_, running) in partitions.running() {
            running.store().flush(running.owner().epoch())?;
            observe_bytes(running, shared)?;
        }
        self.pending.clear();
        self.begun_at = shared.monotonic.now();
        Ok(())
    }
}

/// From half of a limit on chunks grow, so that a burst does not end in everything being written at once.
fn haste(reached: usize, limit: usize) -> usize {
    let beyond_half = reached.saturating_mul(2).saturating_sub(limit).min(limit);
    1 + (HASTE_MAX - 1).saturating_mul(beyond_half) / limit.max(1)
}

fn observe_bytes(running: &RunningPartition, shared: &Shared) -> Result<(), Error> {
    let bytes = running.store().disk_bytes()?;
    shared
        .partitions
        .observe(running.owner(), |metrics, number| {
            observe::store_bytes(metrics, number, bytes);
        });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 1 up to half of 800, 1 + 7 / 2 in the middle of the rest, 8 at the whole.
    #[test]
    fn pieces_grow_from_half_of_the_limit_on() {
        let hastes = [0, 400, 401, 600, 800, 9000].map(|reached| haste(reached, 800));
        assert_eq!(hastes, [1, 1, 1, 4, 8, 8]);
        assert_eq!(haste(5, 0), 1);
    }
}
