//! A partition from its assignment to its first delivery: the store is opened, the changelog's
//! tail is folded into it chunk by chunk, and the input is read on from the checkpoint.

use std::sync::Arc;
use std::time::Instant;

use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::faults::FaultPoint;
use crate::log::PartitionFacts;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::clock::PartitionClock;
use crate::pipeline::running::RunningPartition;
use crate::store::codec;
use crate::store::codec::Checkpoint;
use crate::store::memory::Before;
use crate::store::memory::Update;
use crate::store::partition::PartitionStore;
use crate::store::verification::Expected;
use crate::telemetry::observe;

/// Changelog records read at a time; between two chunks the worker looks at everything else.
const CHUNK_RECORDS: usize = 1024;

/// A partition that is being restored.
#[derive(Debug)]
pub struct Restore {
    partition: Partition,
    store: Arc<PartitionStore>,
    facts: PartitionFacts,
    started: Instant,
    records: u64,
}

impl Restore {
    /// Opens the store, or makes it anew; `None` while the log cannot say where the partition
    /// stands.
    ///
    /// # Errors
    /// If the log or the store cannot be used.
    pub fn begin(
        partition: Partition,
        log: &mut dyn WorkerLog,
        shared: &Shared,
    ) -> Result<Option<Self>, Error> {
        shared.partitions.show_restoring(partition);
        let Some(facts) = log.facts(partition)? else {
            return Ok(None);
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
        let (store, wiped) = shared.partitions.open(partition, &expected)?;
        if let Some(reason) = wiped {
            observe::cache_wiped(&shared.metrics, partition.0, reason.as_str());
        }
        Ok(Some(Self {
            partition,
            store,
            facts,
            started: Instant::now(),
            records: 0,
        }))
    }

    /// The store as far as it is restored.
    #[must_use]
    pub fn store(&self) -> &Arc<PartitionStore> {
        &self.store
    }

    /// Folds one chunk of the changelog; `true` when that was the last.
    ///
    /// # Errors
    /// If the log or the store fails, or the changelog holds what is no record.
    pub fn advance(&mut self, log: &mut dyn WorkerLog, shared: &Shared) -> Result<bool, Error> {
        // A store that is empty begins where the changelog does.
        let from = self.store.changelog_next().max(self.facts.changelog_start);
        let chunk = log.read_changelog(self.partition, from, CHUNK_RECORDS)?;
        let mut records = Vec::with_capacity(chunk.records.len());
        let mut checkpoint = None;
        for found in chunk.records {
            let unreadable = |source| Error::Changelog {
                partition: self.partition,
                offset: found.offset,
                source,
            };
            let Some(bytes) = found.value else {
                // Nothing is erased yet, so a tombstone was not written by this version.
                return Err(unreadable(codec::CodecError::Content));
            };
            if found.key.is_empty() {
                checkpoint = Some(codec::decode_checkpoint(&bytes).map_err(unreadable)?);
                continue;
            }
            let record = codec::decode_record(&bytes).map_err(unreadable)?;
            let customer_id = std::str::from_utf8(&found.key)
                .map_err(|_| unreadable(codec::CodecError::Content))?;
            records.push(Update {
                customer_id: CustomerId::new(customer_id),
                bytes,
                summary: record.summary(),
                before: Before::Unknown,
            });
        }
        self.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
        let caught_up_at = (chunk.remaining == 0).then(|| shared.wall.now());
        self.store
            .apply(records, checkpoint, chunk.offset_next, caught_up_at)?;
        shared.faults.cross(FaultPoint::Restored)?;
        let is_large = self.store.dirty_records() >= shared.limits.flush_records
            || self.store.dirty_bytes() >= shared.limits.flush_bytes;
        if is_large {
            self.store.flush()?;
        }
        observe::restore_progress(&shared.metrics, self.partition.0, chunk.remaining);
        Ok(chunk.remaining == 0)
    }

    /// Starts the deliveries from the checkpoint.
    ///
    /// # Errors
    /// If the state does not fit to the input or to the model of this run.
    pub fn finish(
        self,
        log: &mut dyn WorkerLog,
        shared: &Shared,
    ) -> Result<RunningPartition, Error> {
        let partition = self.partition;
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
        if (
            checkpoint.model_version.as_str(),
            checkpoint.model_fingerprint.as_str(),
        ) != (given, fingerprint)
        {
            return Err(Error::OtherModel {
                partition,
                found: format!(
                    "{} ({})",
                    checkpoint.model_version, checkpoint.model_fingerprint
                ),
                given: format!("{given} ({fingerprint})"),
            });
        }
        let offset = checkpoint.offset_next;
        let (input_start, input_end) = (self.facts.input_start, self.facts.input_end);
        if !(input_start..=input_end).contains(&offset) {
            return Err(Error::InputOutOfRange {
                partition,
                offset,
                input_start,
                input_end,
            });
        }
        shared.partitions.directory().mark_owned(partition)?;
        shared.partitions.show_running(partition, &self.store);
        log.resume_at(partition, offset)?;
        let seconds = self.started.elapsed().as_secs_f64();
        observe::restore_finished(&shared.metrics, partition.0, self.records, seconds);
        let clock = PartitionClock::resume(
            shared.clock_rules,
            checkpoint.record_time_max,
            checkpoint.clock,
        );
        let record_cache_bytes = shared.limits.record_cache_bytes;
        let owned =
            RunningPartition::new(partition, self.store, clock, checkpoint, record_cache_bytes);
        owned.count(&shared.metrics, 1);
        Ok(owned)
    }
}
