//! When the stores of a worker reach the disk: a flush begins in time, and a thread of its own writes it by chunks, so
//! that events do not wait for it. Where memory has run out, the worker writes everything before the next event.
//!
//! Where memory asks for it, one store is written at a time, the one with the most to write. So the stores of a worker
//! are of all ages, and each is written about half as often as if all were written together.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::held::HeldPartitions;
use crate::pipeline::partition::running::RunningPartition;
use crate::store;
use crate::telemetry::observe;

/// The flush under way, or the next one.
#[derive(Debug, Default)]
pub struct Flushes {
    /// Partitions whose stores are still to be written.
    pending: VecDeque<Partition>,
    /// When the last flush of each began, or the partition came.
    begun_at: BTreeMap<Partition, Instant>,
    /// The partition that another thread writes.
    writing: Option<(Partition, JoinHandle<Result<(), store::Error>>)>,
}

impl Flushes {
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
        if limits.flushes_in_background {
            self.advance_thread((bytes, records), partitions, shared)
        } else {
            self.advance_here((bytes, records), partitions, shared)
        }
    }

    /// Writes a chunk on the worker's own thread, so that a run can be played again.
    fn advance_here(
        &mut self,
        sizes: (usize, usize),
        partitions: &HeldPartitions,
        shared: &Shared,
    ) -> Result<(), Error> {
        let Some(partition) = self.pending.front() else {
            self.begin(sizes, partitions, shared);
            return Ok(());
        };
        if let Some(running) = partitions.get(*partition) {
            let (store, owner) = (running.store(), running.owner().epoch());
            if !store.flush_chunk(owner, shared.limits.flush_pages)? {
                return Ok(());
            }
            observe_bytes(running, shared)?;
        }
        self.pending.pop_front();
        Ok(())
    }

    /// Lets another thread write a store: a file that is synced beside a busy broker takes a while.
    fn advance_thread(
        &mut self,
        sizes: (usize, usize),
        partitions: &HeldPartitions,
        shared: &Shared,
    ) -> Result<(), Error> {
        match self.writing.take() {
            Some((partition, thread)) if !thread.is_finished() => {
                self.writing = Some((partition, thread));
                return Ok(());
            }
            Some((partition, thread)) => {
                thread.join().map_err(|_| Error::FlushPanicked)??;
                if let Some(running) = partitions.get(partition) {
                    observe_bytes(running, shared)?;
                }
            }
            None => {}
        }
        if self.pending.is_empty() {
            self.begin(sizes, partitions, shared);
        }
        let Some(partition) = self.pending.pop_front() else {
            return Ok(());
        };
        let Some(running) = partitions.get(partition) else {
            return Ok(());
        };
        let (store, owner) = (Arc::clone(running.store()), running.owner().epoch());
        let pages = shared.limits.flush_pages;
        let write = move || {
            while !store.flush_chunk(owner, pages)? {}
            Ok(())
        };
        let thread = std::thread::Builder::new().name("flush".to_owned());
        let thread = thread.spawn(write).map_err(Error::NoThread)?;
        self.writing = Some((partition, thread));
        Ok(())
    }

    /// Chooses what is written next: the stores whose interval is over, or the one with the most to write.
    fn begin(
        &mut self,
        (bytes, records): (usize, usize),
        partitions: &HeldPartitions,
        shared: &Shared,
    ) {
        let limits = &shared.limits;
        let now = shared.monotonic.now();
        let interval = limits.flush_interval;
        self.begun_at
            .retain(|partition, _| partitions.get(*partition).is_some());
        for (partition, _) in partitions.running() {
            let begun_at = self.begun_at.entry(partition).or_insert(now);
            if now.saturating_duration_since(*begun_at) >= interval {
                *begun_at = now;
                self.pending.push_back(partition);
            }
        }
        if !self.pending.is_empty() {
            return;
        }
        if bytes >= begins_at(limits.flush_bytes) || records >= begins_at(limits.flush_records) {
            let running = partitions.running();
            let most = running.max_by_key(|(_, running)| running.store().dirty_bytes());
            if let Some((partition, _)) = most {
                self.begun_at.insert(partition, now);
                self.pending.push_back(partition);
            }
        }
    }

    /// Writes everything now.
    ///
    /// # Errors
    /// If a store fails.
    pub fn write_all(&mut self, partitions: &HeldPartitions, shared: &Shared) -> Result<(), Error> {
        for (partition, running) in partitions.running() {
            self.begun_at.insert(partition, shared.monotonic.now());
            running.store().flush(running.owner().epoch())?;
            observe_bytes(running, shared)?;
        }
        self.pending.clear();
        if let Some((_, thread)) = self.writing.take() {
            thread.join().map_err(|_| Error::FlushPanicked)??;
        }
        Ok(())
    }
}

/// Where the first flush begins, below a limit. What is left must suffice for what comes meanwhile.
fn begins_at(limit: usize) -> usize {
    limit / 4 * 3
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
