//! A partition from its assignment to its first delivery: the store is opened, the changelog's
//! tail is folded into it chunk by chunk, and the input is read on from the checkpoint.

use std::sync::Arc;
use std::time::Instant;

use crate::codec::CodecError;
use crate::codec::changelog;
use crate::codec::changelog::Said;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::engine::state::definition::Definition;
use crate::engine::state::last_record::LastRecord;
use crate::engine::state::table::DefinitionTable;
use crate::faults::FaultPoint;
use crate::log::ChangelogRecord;
use crate::log::PartitionFacts;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::definition::DECIDING;
use crate::pipeline::partition::definition::DefinitionSearch;
use crate::pipeline::partition::running::RunningPartition;
use crate::pipeline::partitions::Opening;
use crate::pipeline::partitions::Owner;
use crate::store::memory::Advance;
use crate::store::memory::Before;
use crate::store::memory::Update;
use crate::store::partition::PartitionStore;
use crate::store::verification::Expected;
use crate::store::wipe_reason::WipeReason;
use crate::telemetry::observe;

/// Changelog records read at a time; between two chunks the worker does everything else. A store that was empty is counted
/// in one go at the end.
const CHUNK_RECORDS: usize = 1024;

/// A partition that is being restored.
#[derive(Debug)]
pub struct Restore {
    pub(super) owner: Owner,
    pub(super) store: Arc<PartitionStore>,
    pub(super) facts: PartitionFacts,
    started: Instant,
    records: u64,
    /// As far as the changelog was read.
    table: DefinitionTable,
    /// Where the partition has no definition yet and another one decides.
    pub(super) search: Option<DefinitionSearch>,
    /// The store lacked a part of an entry, and the changelog is read from its start.
    is_in_full: bool,
    /// The partition was assigned at the start of the process.
    pub(super) is_at_start: bool,
    /// Where the reading of the changelog began, and from where on it had every tombstone then.
    pub(super) begun_at: u64,
    pub(super) tombstones_from: u64,
    /// Where the store was empty, the wall time before its first record was read. A tombstone that is removed later cannot
    /// be missing, so what was read is of use to the next restore if this one is cut.
    empty_at: Option<Timestamp>,
    /// Records of sources that were read back and stand where they stood.
    pub(super) compared: Vec<(Source, LastRecord)>,
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
    /// Opens the store, or makes it anew. `is_at_start` where the process has committed nothing yet.
    ///
    /// # Errors
    /// If the log or the store cannot be used.
    pub fn begin(
        owner: Owner,
        is_at_start: bool,
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
            tombstones_from: facts.tombstones_from,
        };
        let (store, wiped) = match shared.partitions.open(owner, &expected)? {
            Opening::Opened(store, wiped) => (store, wiped),
            Opening::InUse => return Ok(Step::NotYet),
            Opening::Displaced => return Ok(Step::Displaced),
        };
        if let Some(reason) = wiped {
            observe::cache_wiped(&shared.metrics, partition.0, reason.as_str());
        }
        store.leave_uncounted(owner.epoch());
        Ok(Step::Done(Self {
            owner,
            table: DefinitionTable::clone(&store.table()),
            begun_at: store.changelog_next(),
            tombstones_from: facts.tombstones_from,
            empty_at: (store.changelog_reach() == 0).then(|| shared.wall.now()),
            store,
            facts,
            started: Instant::now(),
            records: 0,
            search: None,
            is_in_full: false,
            is_at_start,
            compared: Vec::new(),
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

    /// It waits for the definition of partition 0: nothing else can be done for it.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.search.is_some()
    }

    /// Folds one chunk of the changelog.
    ///
    /// # Errors
    /// If the log or the store fails, or the changelog holds what is no state.
    pub fn advance(&mut self, log: &mut dyn WorkerLog, shared: &Shared) -> Result<Step<()>, Error> {
        if self.is_waiting() {
            return Ok(Step::Done(()));
        }
        let partition = self.owner.partition();
        // A store that is empty begins where the changelog does.
        let from = self.store.changelog_next().max(self.facts.changelog_start);
        let chunk = log.read_changelog(partition, from, CHUNK_RECORDS)?;
        let caught_up_at = (chunk.remaining == 0).then(|| shared.wall.now());
        let mut updates = Vec::with_capacity(chunk.records.len());
        let mut advance = Advance {
            changelog_next: chunk.offset_next,
            caught_up_at: caught_up_at.or(self.empty_at),
            ..Advance::default()
        };
        for found in chunk.records {
            let offset = found.offset;
            let read = self.read(found, &mut advance);
            let read = read.map_err(|source| Error::Changelog {
                partition,
                offset,
                source,
            })?;
            updates.extend(read);
        }
        self.records += u64::try_from(updates.len()).unwrap_or(u64::MAX);
        if self.table != *self.store.table() {
            advance.table = Some(self.table.clone());
        }
        let epoch = self.owner.epoch();
        if self.store.apply(epoch, updates, advance)?.is_none() {
            return Ok(Step::Displaced);
        }
        shared.faults.cross(FaultPoint::Restored)?;
        let is_large = self.store.dirty_records() >= shared.limits.flush_records
            || self.store.dirty_bytes() >= shared.limits.flush_bytes;
        if is_large {
            self.store.flush(epoch)?;
        }
        shared.partitions.observe(self.owner, |metrics, number| {
            observe::restore_progress(metrics, number, chunk.remaining);
        });
        if chunk.remaining > 0 {
            return Ok(Step::NotYet);
        }
        Ok(if self.store.count(epoch)? {
            Step::Done(())
        } else {
            Step::Displaced
        })
    }

    /// Reads one record of the changelog; what it says of a customer, if that is what it is about.
    fn read(
        &mut self,
        found: ChangelogRecord,
        advance: &mut Advance,
    ) -> Result<Option<Update>, CodecError> {
        match changelog::read(&found.key, found.value, &mut self.table)? {
            Said::Checkpoint(checkpoint) => advance.checkpoint = Some(checkpoint),
            Said::OldCheckpoint(checkpoint) => {
                advance.checkpoint = Some(checkpoint);
                advance.has_old_checkpoint = Some(true);
            }
            Said::NoOldCheckpoint => advance.has_old_checkpoint = Some(false),
            Said::Table => {}
            Said::Customer(customer_id, put) => {
                return Ok(Some(Update {
                    customer_id,
                    put: Some(put),
                    parts: Vec::new(),
                    before: Before::Unknown,
                }));
            }
            Said::Part(customer_id, part, bytes) => {
                return Ok(Some(Update {
                    customer_id,
                    put: None,
                    parts: vec![(part, bytes.map(Arc::from))],
                    before: Before::Known(None),
                }));
            }
        }
        Ok(None)
    }

    /// Starts the deliveries from the checkpoint. `NotYet` where the log must be asked again first.
    ///
    /// # Errors
    /// If the state does not fit to the input or to the definition of this run.
    pub fn finish(
        &mut self,
        log: &mut dyn WorkerLog,
        shared: &Shared,
    ) -> Result<Step<RunningPartition>, Error> {
        let (checkpoint, definition) = match self.start(log, shared) {
            Ok(Some(start)) => start,
            Ok(None) => return Ok(Step::NotYet),
            // Another worker of the process writes the store by now: what was compared is not of one time.
            Err(_) if !shared.partitions.is_current(self.owner) => return Ok(Step::Displaced),
            Err(error) => return Err(error),
        };
        let mut table = self.table.clone();
        table.definition = definition;
        table.add(&shared.model)?;
        if !shared.partitions.show_running(self.owner, &self.store)? {
            return Ok(Step::Displaced);
        }
        let partition = self.owner.partition();
        log.resume_at(partition, checkpoint.offsets)?;
        let seconds = self.started.elapsed().as_secs_f64();
        shared.partitions.observe(self.owner, |metrics, number| {
            observe::restore_finished(metrics, number, self.records, seconds);
        });
        let store = Arc::clone(&self.store);
        let running = RunningPartition::new(self.owner, store, checkpoint, table, shared);
        Ok(Step::Done(running))
    }

    /// The store has read all of the changelog, and lacks a part of an entry.
    pub(super) fn restore_in_full(&mut self, shared: &Shared) -> Result<(), Error> {
        let partition = self.owner.partition();
        if self.is_in_full {
            return Err(Error::IncompleteChangelog { partition });
        }
        self.is_in_full = true;
        self.clear(shared, WipeReason::Incomplete)
    }

    /// Begins anew with an empty store.
    pub(super) fn clear(&mut self, shared: &Shared, reason: WipeReason) -> Result<(), Error> {
        let (partition, epoch) = (self.owner.partition(), self.owner.epoch());
        if self.store.clear(epoch)? {
            self.store.leave_uncounted(epoch);
            self.table = DefinitionTable::default();
            self.begun_at = 0;
            self.empty_at = Some(shared.wall.now());
            self.tombstones_from = self.facts.tombstones_from;
            observe::cache_wiped(&shared.metrics, partition.0, reason.as_str());
        }
        Ok(())
    }

    /// The definition to run under; `None` while it is not known.
    pub(super) fn definition(
        &mut self,
        log: &mut dyn WorkerLog,
        shared: &Shared,
    ) -> Result<Option<Definition>, Error> {
        let partition = self.owner.partition();
        let ours = &shared.definition;
        let refused = |partition, differences| Error::OtherDefinition {
            partition,
            differences,
        };
        let own = match self.store.checkpoint() {
            Some(_) => {
                let state = &self.table.definition;
                let continued = ours.continued(state);
                let definition =
                    continued.map_err(|differences| refused(partition, differences))?;
                // A process that has all partitions decides by itself.
                if definition.has_rates_of(state) || shared.control.gate.is_used() {
                    shared.partitions.agree(&definition);
                    return Ok(Some(definition));
                }
                Some(definition)
            }
            None => None,
        };
        if partition == DECIDING {
            return Ok(Some(own.unwrap_or_else(|| ours.begun())));
        }
        if let Some(agreed) = shared.partitions.agreed() {
            return Ok(Some(own.unwrap_or(agreed)));
        }
        let search = self.search.get_or_insert_default();
        let Some(deciding) = search.advance(log, shared)? else {
            return Ok(None);
        };
        let continued = ours.continued(&deciding);
        let definition = continued.map_err(|differences| refused(DECIDING, differences))?;
        if !definition.has_rates_of(&deciding) {
            if search.wait_for_rates() {
                observe::waiting_for_rates(partition.0);
            }
            return Ok(None);
        }
        shared.partitions.agree(&definition);
        Ok(Some(own.unwrap_or(definition)))
    }
}
