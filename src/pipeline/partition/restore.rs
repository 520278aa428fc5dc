//! A partition from its assignment to its first delivery: the store is opened, the changelog's
//! tail is folded into it chunk by chunk, and the input is read on from the checkpoint.

use std::sync::Arc;
use std::time::Instant;

use crate::domain::ids::CustomerId;
use crate::faults::FaultPoint;
use crate::log::ChangelogRecord;
use crate::log::PartitionFacts;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::PartitionClock;
use crate::pipeline::partition::running::RunningPartition;
use crate::pipeline::partitions::Owner;
use crate::store::codec;
use crate::store::codec::Checkpoint;
use crate::store::memory::Before;
use crate::store::memory::Update;
use crate::store::partition::PartitionStore;
use crate::store::verification::Expected;
use crate::telemetry::observe;

/// Changelog records read at a time; between two chunks the worker does everything else.
const CHUNK_RECORDS: usize = 1024;

/// A partition that is being restored.
#[derive(Debug)]
pub struct Restore {
    owner: Owner,
    store: Arc<PartitionStore>,
    facts: PartitionFacts,
    started: Instant,
    records: u64,
}

/// How far a step of a restore came.
#[derive(Debug)]
pub enum Step<T> {
    /// It is done.
    Done(T),
    /// It goes on, or the log cannot say yet: to be asked again.
    NotYet,
    /// Another worker of this process has taken the partition over; nothing was written.
    Displaced,
}

impl Restore {
    /// Opens the store, or makes it anew.
    ///
    /// # Errors
    /// If the log or the store cannot be used.
    pub fn begin(
        owner: Owner,
        log: &mut dyn WorkerLog,
        shared: &Shared,
    ) -> Result<Step<Self>, Error> {
        let partition = owner.partition();
        let Some(facts) = log.facts(partition)? else {
            return Ok(Step::NotYet);
        };
        let expected = Expected {
            lineage: facts.lineage.clone(),
            changelog_start: facts.changelog_start,
            changelog_end: facts.changelog_end,
            // Half of what the log promises, so that a restore has the other half to end in.
            current_since: facts.tombstones_kept.map(|kept| {
                let half_ms = i64::try_from(kept.as_millis() / 2).unwrap_or(i64::MAX);
                shared.wall.now().plus_milliseconds(-half_ms)
            }),
        };
        let Some((store, wiped)) = shared.partitions.open(owner, &expected)? else {
            return Ok(Step::Displaced);
        };
        if let Some(reason) = wiped {
            observe::cache_wiped(&shared.metrics, partition.0, reason.as_str());
        }
        Ok(Step::Done(Self {
            owner,
            store,
            facts,
            started: Instant::now(),
            records: 0,
        }))
    }

    /// Who restores.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The store as far as it is restored.
    #[must_use]
    pub fn store(&self) -> &Arc<PartitionStore> {
        &self.store
    }

    /// Folds one chunk of the changelog.
    ///
    /// # Errors
    /// If the log or the store fails, or the changelog holds what is no record.
    pub fn advance(&mut self, log: &mut dyn WorkerLog, shared: &Shared) -> Result<Step<()>, Error> {
        let partition = self.owner.partition();
        // A store that is empty begins where the changelog does.
        let from = self.store.changelog_next().max(self.facts.changelog_start);
        let chunk = log.read_changelog(partition, from, CHUNK_RECORDS)?;
        let mut updates = Vec::with_capacity(chunk.records.len());
        let mut checkpoint = None;
        for found in chunk.records {
            match self.decode(found)? {
                Restored::Checkpoint(found) => checkpoint = Some(found),
                Restored::Update(update) => updates.push(update),
            }
        }
        self.records += u64::try_from(updates.len()).unwrap_or(u64::MAX);
        let caught_up_at = (chunk.remaining == 0).then(|| shared.wall.now());
        let epoch = self.owner.epoch();
        let next = chunk.offset_next;
        let applied = self
            .store
            .apply(epoch, updates, checkpoint, next, caught_up_at)?;
        if applied.is_none() {
            return Ok(Step::Displaced);
        }
        shared.faults.cross(FaultPoint::Restored)?;
        let is_large = self.store.dirty_records() >= shared.limits.flush_records
            || self.store.dirty_bytes() >= shared.limits.flush_bytes;
        if is_large {
            self.store.flush(epoch)?;
        }
        observe::restore_progress(&shared.metrics, partition.0, chunk.remaining);
        Ok(if chunk.remaining == 0 {
            Step::Done(())
        } else {
            Step::NotYet
        })
    }

    fn decode(&self, found: ChangelogRecord) -> Result<Restored, Error> {
        let unreadable = |source| Error::Changelog {
            partition: self.owner.partition(),
            offset: found.offset,
            source,
        };
        let Some(bytes) = found.value else {
            // Nothing is erased yet, so a tombstone was not written by this version.
            return Err(unreadable(codec::CodecError::Content));
        };
        if found.key.is_empty() {
            let checkpoint = codec::decode_checkpoint(&bytes).map_err(unreadable)?;
            return Ok(Restored::Checkpoint(checkpoint));
        }
        let record = codec::decode_record(&bytes).map_err(unreadable)?;
        let customer_id =
            std::str::from_utf8(&found.key).map_err(|_| unreadable(codec::CodecError::Content))?;
        Ok(Restored::Update(Update {
            customer_id: CustomerId::new(customer_id),
            bytes,
            summary: record.summary(),
            before: Before::Unknown,
        }))
    }

    /// Starts the deliveries from the checkpoint. `NotYet` where the log must be asked again first.
    ///
    /// # Errors
    /// If the state does not fit to the input or to the model of this run.
    pub fn finish(
        &mut self,
        log: &mut dyn WorkerLog,
        shared: &Shared,
    ) -> Result<Step<RunningPartition>, Error> {
        let partition = self.owner.partition();
        let checkpoint = self.checkpoint(shared)?;
        let offset = checkpoint.offset_next;
        if !(self.facts.input_start..=self.facts.input_end).contains(&offset) {
            // The facts are from before the restore. Only what the log says now is a reason to refuse.
            let Some(facts) = log.facts(partition)? else {
                return Ok(Step::NotYet);
            };
            let (input_start, input_end) = (facts.input_start, facts.input_end);
            if !(input_start..=input_end).contains(&offset) {
                return Err(Error::InputOutOfRange {
                    partition,
                    offset,
                    input_start,
                    input_end,
                });
            }
        }
        if !shared.partitions.show_running(self.owner, &self.store)? {
            return Ok(Step::Displaced);
        }
        log.resume_at(partition, offset)?;
        let seconds = self.started.elapsed().as_secs_f64();
        observe::restore_finished(&shared.metrics, partition.0, self.records, seconds);
        let clock = PartitionClock::resume(
            shared.clock_rules,
            checkpoint.record_time_max,
            checkpoint.clock,
        );
        let store = Arc::clone(&self.store);
        let cache_bytes = shared.limits.record_cache_bytes;
        let running = RunningPartition::new(self.owner, store, clock, checkpoint, cache_bytes);
        Ok(Step::Done(running))
    }

    /// The checkpoint to go on from.
    fn checkpoint(&self, shared: &Shared) -> Result<Checkpoint, Error> {
        let partition = self.owner.partition();
        let given = shared.model.facts().version.as_str();
        let fingerprint = shared.model.fingerprint();
        let checkpoint = match (self.store.checkpoint(), self.facts.group_offset) {
            (Some(checkpoint), group_offset) => {
                if group_offset.is_some_and(|offset| offset != checkpoint.offset_next) {
                    observe::offset_mismatch(&shared.metrics, partition.0);
                }
                checkpoint
            }
            (None, Some(group_offset)) => {
                return Err(Error::OffsetWithoutCheckpoint {
                    partition,
                    group_offset,
                });
            }
            (None, None) => Checkpoint {
                offset_next: self.facts.input_start,
                model_version: given.to_owned(),
                model_fingerprint: fingerprint.to_owned(),
                ..Checkpoint::default()
            },
        };
        let found = (
            checkpoint.model_version.as_str(),
            checkpoint.model_fingerprint.as_str(),
        );
        if found != (given, fingerprint) {
            return Err(Error::OtherModel {
                partition,
                found: format!("{} ({})", found.0, found.1),
                given: format!("{given} ({fingerprint})"),
            });
        }
        Ok(checkpoint)
    }
}

/// What a record of the changelog says.
enum Restored {
    Checkpoint(Checkpoint),
    Update(Update),
}
