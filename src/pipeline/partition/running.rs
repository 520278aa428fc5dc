//! One partition of a worker: its store, its clock, and the records staged since the last commit.

use std::sync::Arc;
use std::time::Instant;

use crate::codec;
use crate::codec::key::StateKey;
use crate::domain::change::SegmentChange;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::parse::parse_value;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::partitioner::Partitioner;
use crate::domain::time::Timestamp;
use crate::domain::transfer::Origin;
use crate::engine::admission::Admission;
use crate::engine::admission::Placement;
use crate::engine::admission::admit;
use crate::engine::commands::Delivered;
use crate::engine::commands::decide;
use crate::engine::elapse::elapse;
use crate::engine::policy::Rules;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::entry::Entry;
use crate::engine::state::table::DefinitionTable;
use crate::engine::verdict::Verdict;
use crate::log::Delivery;
use crate::log::PartitionCommit;
use crate::log::StateRecord;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partition::clock::PartitionClock;
use crate::pipeline::partition::lateness::Lateness;
use crate::pipeline::partition::pending::Pending;
use crate::pipeline::partition::pending::Replaced;
use crate::pipeline::partition::record_cache::RecordCache;
use crate::pipeline::partitions::Owner;
use crate::store::memory::Advance;
use crate::store::partition::PartitionStore;
use crate::telemetry::observe;

/// The label of events that could not be read far enough to tell their type.
const TYPE_UNKNOWN: &str = "unknown";

/// A restored partition.
#[derive(Debug)]
pub struct RunningPartition {
    owner: Owner,
    store: Arc<PartitionStore>,
    clock: PartitionClock,
    cache: RecordCache,
    /// Whose entries are not as they were committed.
    staged: Vec<CustomerId>,
    offsets: AppliedOffsets,
    committed: Checkpoint,
    /// The changelog has no checkpoint of it yet.
    is_new: bool,
    table: DefinitionTable,
    partitioner: Partitioner,
    /// What is due as of the last commit has been looked at.
    has_fired: bool,
    lateness: Lateness,
}

/// How a delivery ended.
#[derive(Debug)]
pub struct Judged {
    /// Label of its type.
    pub event_type: &'static str,
    /// Exactly one.
    pub verdict: Verdict,
    /// The moves of the customer, in their order: those of time first.
    pub changes: Vec<SegmentChange>,
    /// How often time alone had the customer looked at before.
    pub time_evaluations: usize,
    /// When it arrived, if it was applied: its record time, or, on the event clock, when it was polled.
    pub arrived_at: Option<Timestamp>,
}

/// What came due.
#[derive(Debug, Default)]
pub struct Fired {
    /// The moves, each customer's in their order.
    pub changes: Vec<SegmentChange>,
    /// How often a customer was looked at.
    pub evaluations: usize,
    /// There may be more that is due already.
    pub is_cut: bool,
}

impl RunningPartition {
    /// A partition that goes on from a checkpoint, under the definition of its table.
    #[must_use]
    pub fn new(
        owner: Owner,
        store: Arc<PartitionStore>,
        committed: Checkpoint,
        table: DefinitionTable,
        shared: &Shared,
    ) -> Self {
        let clock = PartitionClock::resume(
            shared.clock_rules,
            committed.record_time_max,
            committed.clock,
        );
        Self {
            owner,
            is_new: store.checkpoint().is_none(),
            store,
            clock,
            cache: RecordCache::new(shared.limits.record_cache_bytes),
            staged: Vec::new(),
            offsets: committed.offsets,
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

    /// The next offset of every source as folded.
    #[must_use]
    pub fn offsets(&self) -> AppliedOffsets {
        self.offsets
    }

    /// Deliveries were taken, or deadlines came due, since the last commit, or there was none yet.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.is_new || self.offsets != self.committed.offsets || !self.staged.is_empty()
    }

    /// The clock moved since the last commit.
    #[must_use]
    pub fn has_moved_clock(&self) -> bool {
        self.clock.now() != self.committed.clock
    }

    /// Nothing was unread at `wall`.
    pub fn caught_up(&mut self, wall: Timestamp) {
        self.clock.caught_up(wall);
    }

    /// Moves the clock to an instant that was asked for.
    pub fn advance_clock(&mut self, to: Timestamp) {
        self.clock.advance(to);
    }

    /// How late the earliest deadline is that has not been looked at, in seconds; asked about once a second.
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

    /// Takes customers through the deadlines that are due by the clock, about `limit` of them, and stages
    /// their records. Once a transaction: what is due is told by what is committed.
    ///
    /// # Errors
    /// If a record cannot be read.
    pub fn fire_due(&mut self, limit: usize, shared: &Shared) -> Result<Fired, Error> {
        let mut fired = Fired::default();
        let Some(clock) = self.clock.now().filter(|_| !self.has_fired) else {
            return Ok(fired);
        };
        let due = self.store.due(clock, limit)?;
        self.has_fired = !due.is_empty();
        fired.is_cut = due.len() >= limit;
        let rules = Rules {
            policy: &shared.policy,
            model: &shared.model,
        };
        for (customer_id, found) in due {
            // One customer may have many: the rest stays due.
            if fired.evaluations >= limit {
                fired.is_cut = true;
                break;
            }
            let held = self.cache.hold(customer_id.as_str(), || Ok(Some(found)))?;
            let id = customer_id.as_str();
            let changes = &mut fired.changes;
            let evaluations = match &mut held.entry {
                Some(Entry::Live(record)) => elapse(record, id, clock, rules, changes),
                Some(Entry::Moved(_) | Entry::Suppressed(_)) | None => 0,
            };
            fired.evaluations += evaluations;
            if evaluations > 0 && !held.is_staged {
                held.is_staged = true;
                self.staged.push(customer_id);
            }
        }
        Ok(fired)
    }

    /// Parses a delivery that was polled at `wall`, folds it and stages its record.
    ///
    /// # Errors
    /// If the customer's record cannot be read.
    pub fn take(
        &mut self,
        delivery: &Delivery,
        wall: Timestamp,
        shared: &Shared,
    ) -> Result<Judged, Error> {
        let judged = match self.origin(delivery, wall) {
            Ok(origin) => self.judge(delivery, (origin, wall), shared)?,
            Err(invalid) => rejected(TYPE_UNKNOWN, invalid),
        };
        // The record time of a transfer moved the clock of the partition that its event came from.
        let is_event = delivery.position.source == Source::Events;
        if is_event && judged.verdict.reject_reason().is_none() {
            self.clock.observe(delivery.record_time, wall);
        }
        self.offsets = self.offsets.after(delivery.position);
        Ok(judged)
    }

    /// Where the event of a delivery was delivered first, and the record time that it counts with.
    fn origin(&self, delivery: &Delivery, wall: Timestamp) -> Result<Origin, InvalidEvent> {
        match delivery.position.source {
            Source::Events => {
                let stated = delivery.record_time;
                let record_time = self.clock.effective_record_time(stated, wall);
                Ok(Origin {
                    position: delivery.position,
                    record_time: record_time.ok_or_else(no_record_time)?,
                })
            }
            Source::Transfers => Origin::read(|name| delivery.header(name)),
        }
    }

    fn judge(
        &mut self,
        delivery: &Delivery,
        (origin, wall): (Origin, Timestamp),
        shared: &Shared,
    ) -> Result<Judged, Error> {
        let record_time = origin.record_time;
        let payload = delivery.payload.as_deref();
        let event = match parse_value(payload, record_time, &shared.intake) {
            Ok(event) => event,
            Err(invalid) => return Ok(rejected(TYPE_UNKNOWN, invalid)),
        };
        let event_type = event.body.event_type().as_str();
        let placement = Placement {
            partitioner: self.partitioner,
            partition: delivery.position.partition,
            partitions: shared.partition_count,
        };
        let customer_id = match admit(&event, delivery.key.as_deref(), placement) {
            Admission::Customer { customer_id } => customer_id,
            Admission::Ended(verdict) => {
                return Ok(Judged {
                    event_type,
                    verdict,
                    changes: Vec::new(),
                    time_evaluations: 0,
                    arrived_at: None,
                });
            }
        };
        let held = self
            .cache
            .hold(customer_id, || self.store.get(customer_id))?;
        let delivered = Delivered {
            event: &event,
            position: delivery.position,
            origin: origin.position,
            record_time,
            clock: self.clock.now(),
        };
        let rules = Rules {
            policy: &shared.policy,
            model: &shared.model,
        };
        let done = decide(held.entry.take(), customer_id, delivered, rules);
        held.entry = done.entry;
        let is_applied = done.verdict == Verdict::Applied;
        if is_applied && !held.is_staged {
            held.is_staged = true;
            self.staged.push(CustomerId::new(customer_id));
        }
        let arrived_at = is_applied.then_some(match shared.clock_rules.mode {
            ClockMode::Wall => record_time,
            ClockMode::Event => wall,
        });
        Ok(Judged {
            event_type,
            verdict: done.verdict,
            changes: done.changes,
            time_evaluations: done.time_evaluations,
            arrived_at,
        })
    }

    /// Empties the stage into what the transaction writes for this partition, and what becomes
    /// visible once it is committed.
    ///
    /// # Errors
    /// Only if a record cannot be encoded.
    pub fn assemble(&mut self) -> Result<(PartitionCommit, Pending), Error> {
        let encode_error = |source| Error::Encode(Box::new(source));
        let mut staged = std::mem::take(&mut self.staged);
        staged.sort_unstable();
        let mut state = Vec::with_capacity(staged.len() + 1);
        let mut customers = Vec::with_capacity(staged.len());
        for customer_id in staged {
            let unstaged = self.cache.unstage(&customer_id, codec::entry::encode);
            let unstaged = unstaged.map_err(encode_error)?.ok_or(Error::NotWritten)?;
            let after = unstaged.entry.as_ref().map(|entry| entry.summary);
            let place = state.len();
            state.push(StateRecord {
                key: StateKey::Head(customer_id.clone()).encode(),
                value: unstaged.entry.map(|entry| entry.bytes),
            });
            if unstaged.before.is_some_and(|before| before.has_old_key) {
                // Else the old record stays in the compacted topic for ever.
                state.push(tombstone(&StateKey::OldRecord(customer_id.clone())));
            }
            customers.push(Replaced {
                customer_id,
                before: unstaged.before,
                after,
                place,
            });
        }
        self.cache.age();
        let has_new_table = self.table != *self.store.table() || self.is_new;
        let table = has_new_table.then(|| self.table.clone());
        if let Some(table) = &table {
            state.push(StateRecord {
                key: StateKey::Table.encode(),
                value: Some(codec::partition::encode_table(table).map_err(encode_error)?),
            });
        }
        let checkpoint = Checkpoint {
            offsets: self.offsets,
            clock: self.clock.now(),
            record_time_max: self.clock.record_time_max(),
            transactions: self.committed.transactions + 1,
            definition: self.table.definition.fingerprint(),
        };
        let value = codec::partition::encode_checkpoint(checkpoint).map_err(encode_error)?;
        state.push(StateRecord {
            key: StateKey::Checkpoint.encode(),
            value: Some(value),
        });
        if self.store.has_old_checkpoint() {
            state.push(tombstone(&StateKey::OldCheckpoint));
        }
        let commit = PartitionCommit {
            partition: self.owner.partition(),
            offsets: self.offsets,
            state,
        };
        let pending = Pending {
            customers,
            checkpoint,
            table,
        };
        Ok((commit, pending))
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
        if !held.is_staged {
            held.is_staged = true;
            self.staged.push(customer_id.clone());
        }
        Ok(())
    }

    /// The transaction is committed: readers see it, and the gauges count it. `false` where another worker of this
    /// process has taken the partition over since; then nothing was applied.
    ///
    /// # Errors
    /// If the store fails.
    pub fn apply(
        &mut self,
        (state, mut pending): (Vec<StateRecord>, Pending),
        changelog_next: u64,
        shared: &Shared,
    ) -> Result<bool, Error> {
        let wall = shared.wall.now();
        let updates = pending.updates(state)?;
        let advance = Advance {
            checkpoint: Some(pending.checkpoint),
            has_old_checkpoint: Some(false),
            table: pending.table,
            changelog_next,
            caught_up_at: Some(wall),
        };
        let applied = self.store.apply(self.owner.epoch(), updates, advance)?;
        let Some(deltas) = applied else {
            return Ok(false);
        };
        if self.is_new {
            shared.partitions.agree(&self.table.definition);
            self.is_new = false;
        }
        if pending.checkpoint.offsets != self.committed.offsets {
            let seconds = wall.seconds_since(Timestamp::default());
            observe::last_event(&shared.metrics, self.owner.partition().0, seconds);
        }
        shared
            .partitions
            .count(self.owner, &deltas, &self.store.table());
        self.has_fired = false;
        self.committed = pending.checkpoint;
        Ok(true)
    }
}

fn rejected(event_type: &'static str, invalid: InvalidEvent) -> Judged {
    let verdict = Verdict::Rejected(invalid);
    Judged {
        event_type,
        verdict,
        changes: Vec::new(),
        time_evaluations: 0,
        arrived_at: None,
    }
}

fn tombstone(key: &StateKey) -> StateRecord {
    StateRecord {
        key: key.encode(),
        value: None,
    }
}

fn no_record_time() -> InvalidEvent {
    InvalidEvent {
        reason: RejectReason::NoRecordTime,
        detail: "the record has no timestamp at or before the wall clock plus time.skew, and its \
                 partition has had none yet"
            .to_owned(),
    }
}
