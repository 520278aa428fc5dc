//! One partition of a worker: its store, its clock, and the records staged since the last commit.

use std::sync::Arc;
use std::time::Instant;

use crate::domain::change::SegmentChange;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::parse::parse;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::admission::Admission;
use crate::engine::admission::admit;
use crate::engine::elapse::elapse;
use crate::engine::record::RecordSummary;
use crate::engine::step::Delivered;
use crate::engine::step::Rules;
use crate::engine::step::step;
use crate::engine::verdict::Verdict;
use crate::log::Delivery;
use crate::log::PartitionCommit;
use crate::log::StateRecord;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partition::clock::PartitionClock;
use crate::pipeline::partition::lateness::Lateness;
use crate::pipeline::partition::record_cache::RecordCache;
use crate::pipeline::partitions::Owner;
use crate::store::codec;
use crate::store::codec::Checkpoint;
use crate::store::memory::Before;
use crate::store::memory::Update;
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
    /// Whose records are not as they were committed.
    staged: Vec<CustomerId>,
    offset_next: u64,
    committed: Checkpoint,
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

/// Records that become visible when their transaction is known to be committed.
#[derive(Debug)]
pub struct Pending {
    customers: Vec<Moved>,
    /// The checkpoint of the transaction.
    pub checkpoint: Checkpoint,
}

#[derive(Debug)]
struct Moved {
    customer_id: CustomerId,
    before: RecordSummary,
    after: RecordSummary,
}

impl Pending {
    /// What the store takes over, given what was written to the changelog.
    pub fn updates(&mut self, state: Vec<StateRecord>) -> Vec<Update> {
        // The checkpoint is the last and has no customer.
        let records = std::mem::take(&mut self.customers).into_iter().zip(state);
        records
            .filter_map(|(moved, state)| {
                Some(Update {
                    customer_id: moved.customer_id,
                    bytes: state.value?,
                    summary: moved.after,
                    before: Before::Known(moved.before),
                })
            })
            .collect()
    }
}

impl RunningPartition {
    /// A partition that goes on from its checkpoint, with so much memory for decoded records.
    #[must_use]
    pub fn new(
        owner: Owner,
        store: Arc<PartitionStore>,
        clock: PartitionClock,
        committed: Checkpoint,
        record_cache_bytes: usize,
    ) -> Self {
        let offset_next = committed.offset_next;
        Self {
            owner,
            store,
            clock,
            cache: RecordCache::new(record_cache_bytes),
            staged: Vec::new(),
            offset_next,
            committed,
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

    /// The input offset up to which everything is committed.
    #[must_use]
    pub fn committed_offset(&self) -> u64 {
        self.committed.offset_next
    }

    /// The input offset up to which everything is folded.
    #[must_use]
    pub fn offset_next(&self) -> u64 {
        self.offset_next
    }

    /// Deliveries were taken, or deadlines came due, since the last commit.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.offset_next != self.committed.offset_next || !self.staged.is_empty()
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
        for (customer_id, record) in due {
            // One customer may have many: the rest stays due.
            if fired.evaluations >= limit {
                fired.is_cut = true;
                break;
            }
            let held = self.cache.hold(customer_id.as_str(), || Ok(Some(record)))?;
            let id = customer_id.as_str();
            let changes = &mut fired.changes;
            let evaluations = elapse(&mut held.record, id, clock, rules, changes);
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
        let judged = match self.clock.effective_record_time(delivery.record_time, wall) {
            Some(record_time) => self.judge(delivery, (record_time, wall), shared)?,
            None => rejected(TYPE_UNKNOWN, no_record_time()),
        };
        if judged.verdict.reject_reason().is_none() {
            self.clock.observe(delivery.record_time, wall);
        }
        self.offset_next = delivery.position.offset.saturating_add(1);
        Ok(judged)
    }

    fn judge(
        &mut self,
        delivery: &Delivery,
        (record_time, wall): (Timestamp, Timestamp),
        shared: &Shared,
    ) -> Result<Judged, Error> {
        let event = match parse(&delivery.payload, record_time, &shared.intake) {
            Ok(event) => event,
            Err(invalid) => return Ok(rejected(TYPE_UNKNOWN, invalid)),
        };
        let event_type = event.body.event_type().as_str();
        let customer_id = match admit(&event, delivery.key.as_deref()) {
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
            record_time,
            clock: self.clock.now(),
        };
        let rules = Rules {
            policy: &shared.policy,
            model: &shared.model,
        };
        let record = std::mem::take(&mut held.record);
        let done = step(record, customer_id, delivered, rules);
        held.record = done.record;
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
            let unstaged = self.cache.unstage(&customer_id, codec::encode_record);
            let Some(unstaged) = unstaged.map_err(encode_error)? else {
                continue;
            };
            state.push(StateRecord {
                key: customer_id.as_str().as_bytes().to_vec(),
                value: Some(unstaged.encoded),
            });
            customers.push(Moved {
                customer_id,
                before: unstaged.before,
                after: unstaged.after,
            });
        }
        self.cache.age();
        let checkpoint = Checkpoint {
            offset_next: self.offset_next,
            clock: self.clock.now(),
            record_time_max: self.clock.record_time_max(),
            transactions: self.committed.transactions + 1,
            ..self.committed.clone()
        };
        let value = codec::encode_checkpoint(&checkpoint).map_err(encode_error)?;
        state.push(StateRecord {
            key: Vec::new(),
            value: Some(value),
        });
        let commit = PartitionCommit {
            partition: self.owner.partition(),
            offset_next: self.offset_next,
            state,
        };
        Ok((
            commit,
            Pending {
                customers,
                checkpoint,
            },
        ))
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
        let updates = pending.updates(state);
        let checkpoint = Some(pending.checkpoint.clone());
        let epoch = self.owner.epoch();
        let applied = self
            .store
            .apply(epoch, updates, checkpoint, changelog_next, Some(wall))?;
        let Some(deltas) = applied else {
            return Ok(false);
        };
        if pending.checkpoint.offset_next != self.committed.offset_next {
            let seconds = wall.seconds_since(Timestamp::default());
            observe::last_event(&shared.metrics, self.owner.partition().0, seconds);
        }
        shared.partitions.count(self.owner, &deltas);
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

fn no_record_time() -> InvalidEvent {
    InvalidEvent {
        reason: RejectReason::NoRecordTime,
        detail: "the record has no timestamp at or before the wall clock plus time.skew, and its \
                 partition has had none yet"
            .to_owned(),
    }
}
