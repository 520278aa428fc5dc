//! One partition of a worker: its store, its clock, and the records staged since the last commit.

use std::sync::Arc;
use std::time::Instant;

use crate::domain::change::SegmentChange;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::partitioner::Partitioner;
use crate::domain::time::Timestamp;
use crate::engine::commands::elapsing_needs_past;
use crate::engine::elapse::elapse;
use crate::engine::policy::Rules;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::definition::Definition;
use crate::engine::state::entry::Entry;
use crate::engine::state::last_record::LastRecords;
use crate::engine::state::seal::Sealing;
use crate::engine::state::table::DefinitionTable;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partition::clock::PartitionClock;
use crate::pipeline::partition::lateness::Lateness;
use crate::pipeline::partition::past::PastReader;
use crate::pipeline::partition::record_cache::RecordCache;
use crate::pipeline::partitions::Owner;
use crate::store::partition::PartitionStore;

/// A restored partition.
#[derive(Debug)]
pub struct RunningPartition {
    pub(super) owner: Owner,
    pub(super) store: Arc<PartitionStore>,
    pub(super) clock: PartitionClock,
    pub(super) cache: RecordCache,
    pub(super) sealing: Sealing,
    /// Whose entries are not as they were committed.
    pub(super) staged: Vec<CustomerId>,
    /// Deliveries were taken since the last commit.
    pub(super) has_taken: bool,
    pub(super) offsets: AppliedOffsets,
    pub(super) last_records: LastRecords,
    pub(super) committed: Checkpoint,
    /// The changelog has no checkpoint of it under its definition yet.
    pub(super) is_new: bool,
    /// This worker has written to the changelog since it read it. Until then an earlier owner that the log has not
    /// stopped may still write there; afterwards the log aborts whatever it writes.
    pub(super) is_claimed: bool,
    pub(super) table: DefinitionTable,
    pub(super) partitioner: Partitioner,
    /// What is due as of the last commit is staged.
    pub(super) has_fired: bool,
    pub(super) lateness: Lateness,
}

/// What came due.
#[derive(Debug, Default)]
pub struct Fired {
    /// The moves, each customer's in their order.
    pub changes: Vec<SegmentChange>,
    /// Evaluations of customers.
    pub evaluations: usize,
    /// There may be more that is due already.
    pub is_cut: bool,
    /// State that its transaction writes because of them, in bytes, about.
    pub state_bytes: usize,
}

impl RunningPartition {
    /// A partition that goes on from a checkpoint, under the definition of its table.
    #[must_use]
    pub fn new(
        owner: Owner,
        store: Arc<PartitionStore>,
        committed: Checkpoint,
        mut table: DefinitionTable,
        shared: &Shared,
    ) -> Self {
        table.limit_category_names(shared.limits.sealing.names_bytes_max);
        let clock = PartitionClock::resume(
            shared.clock_rules,
            committed.record_time_max,
            committed.clock,
        );
        Self {
            owner,
            is_new: table.definition != store.table().definition,
            is_claimed: false,
            store,
            clock,
            cache: RecordCache::new(shared.limits.record_cache_bytes),
            sealing: shared.limits.sealing,
            staged: Vec::new(),
            has_taken: false,
            offsets: committed.offsets,
            last_records: committed.last_records,
            committed,
            partitioner: table.definition.partitioner(),
            table,
            has_fired: false,
            lateness: Lateness::default(),
        }
    }

    /// Who runs it.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> &Arc<PartitionStore> {
        &self.store
    }

    /// The next offset of every source as committed.
    #[must_use]
    pub fn committed_offsets(&self) -> AppliedOffsets {
        self.committed.offsets
    }

    /// The next offset of every source as folded or passed.
    #[must_use]
    pub fn offsets(&self) -> AppliedOffsets {
        self.offsets
    }

    /// Deliveries were taken, or deadlines came due, since the last commit, or this worker has committed nothing yet.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        !self.is_claimed || self.has_taken || !self.staged.is_empty()
    }

    /// The changelog has no checkpoint of it under its definition yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The definition under which it runs.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.table.definition
    }

    /// Records that are never delivered were passed, or deliveries taken, since the last commit.
    #[must_use]
    pub fn has_moved_offsets(&self) -> bool {
        self.offsets != self.committed.offsets
    }

    /// The clock moved since the last commit.
    #[must_use]
    pub fn has_moved_clock(&self) -> bool {
        self.clock.now() != self.committed.clock
    }

    /// Every record below these offsets was taken, or is never delivered. The checkpoint must say so: once retention
    /// has deleted the records, the source may start there.
    pub fn pass(&mut self, offsets: AppliedOffsets) {
        for source in Source::ALL {
            let next = self.offsets.next(source).max(offsets.next(source));
            self.offsets = self.offsets.with(source, next);
        }
    }

    /// Nothing was unread at `wall`.
    pub fn caught_up(&mut self, wall: Timestamp) {
        self.clock.caught_up(wall);
    }

    /// Where the clock stands; `None` before its first reading.
    #[must_use]
    pub fn clock(&self) -> Option<Timestamp> {
        self.clock.now()
    }

    /// Moves the clock to an instant that was asked for.
    pub fn advance_clock(&mut self, to: Timestamp) {
        self.clock.advance(to);
    }

    /// How late the earliest deadline is that was not evaluated yet, in seconds; asked about once a second.
    pub fn deadline_lag_seconds(&mut self, mode: ClockMode, now: Instant) -> f64 {
        let (clock, earliest) = (self.clock.now(), self.store.earliest_deadline());
        self.lateness.look(mode, now, clock, earliest).as_secs_f64()
    }

    /// Something committed is due by the clock.
    #[must_use]
    pub fn has_due(&self) -> bool {
        let (clock, earliest) = (self.clock.now(), self.store.earliest_deadline());
        matches!((clock, earliest), (Some(clock), Some(earliest)) if earliest <= clock)
    }

    /// Something committed is due by an instant.
    #[must_use]
    pub fn has_due_by(&self, at: Timestamp) -> bool {
        let earliest = self.store.earliest_deadline();
        earliest.is_some_and(|earliest| earliest <= at)
    }

    /// Evaluates the customers whose deadlines have come by the clock, about `limit` of them, and stages their
    /// records. Once a transaction, as due customers are read from committed state.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn fire_due(&mut self, limit: usize, shared: &Shared) -> Result<Fired, Error> {
        let mut fired = Fired::default();
        let Some(clock) = self.clock.now().filter(|_| !self.has_fired) else {
            return Ok(fired);
        };
        let past = PastReader {
            store: &self.store,
            owner: self.owner,
        };
        let rules = Rules {
            policy: &shared.policy,
            model: &shared.model,
        };
        let due = past.load_due(clock, limit, rules)?;
        self.has_fired = !due.is_empty();
        fired.is_cut = due.len() >= limit;
        for (customer_id, found) in due {
            // One customer may have many: the rest stays due.
            if fired.evaluations >= limit {
                fired.is_cut = true;
                break;
            }
            let found = || Ok::<_, Error>(Some(found));
            let held = self.cache.hold(customer_id.as_str(), found)?;
            let id = customer_id.as_str();
            if let Some(entry) = &mut held.entry
                && let Entry::Live(record) = entry
                && elapsing_needs_past(record, clock, rules)
            {
                past.complete(id, entry, &mut self.table)?;
            }
            let changes = &mut fired.changes;
            let evaluations = match &mut held.entry {
                Some(Entry::Live(record)) => elapse(record, id, clock, rules, changes),
                Some(Entry::Moved(_) | Entry::Suppressed(_)) | None => 0,
            };
            fired.evaluations += evaluations;
            if evaluations > 0
                && let Some(bytes) = held.stage()
            {
                fired.state_bytes += bytes;
                self.staged.push(customer_id);
            }
        }
        Ok(fired)
    }

    /// Whether the customer has a committed entry here.
    ///
    /// # Errors
    /// If the customer's entry cannot be read.
    pub fn has(&self, customer_id: &CustomerId) -> Result<bool, Error> {
        Ok(self.store.get(customer_id.as_str())?.is_some())
    }

    /// Deletes what is kept of a customer, in the next transaction.
    ///
    /// # Errors
    /// If the customer's entry cannot be read.
    pub fn delete(&mut self, customer_id: &CustomerId) -> Result<(), Error> {
        let id = customer_id.as_str();
        let held = self.cache.hold(id, || self.store.get(id))?;
        held.entry = None;
        if held.stage().is_some() {
            self.staged.push(customer_id.clone());
        }
        Ok(())
    }
}
