//! One partition of a worker: its store, its clock, and the records staged since the last commit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bus::Delivery;
use crate::bus::PartitionCommit;
use crate::bus::StateRecord;
use crate::domain::change::SegmentChange;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::parse::parse;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::engine::admission::Admission;
use crate::engine::admission::admit;
use crate::engine::record::CustomerRecord;
use crate::engine::step::Delivered;
use crate::engine::step::Rules;
use crate::engine::step::step;
use crate::engine::verdict::Verdict;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::clock::PartitionClock;
use crate::store::codec;
use crate::store::codec::Checkpoint;
use crate::store::partition::PartitionStore;

/// The label of events that could not be read far enough to tell their type.
const TYPE_UNKNOWN: &str = "unknown";

type Staged = HashMap<CustomerId, CustomerRecord, foldhash::fast::RandomState>;

/// A restored partition.
#[derive(Debug)]
pub struct OwnedPartition {
    partition: Partition,
    store: Arc<PartitionStore>,
    clock: PartitionClock,
    staged: Staged,
    offset_next: u64,
    committed: Checkpoint,
}

/// How a delivery ended.
#[derive(Debug)]
pub struct Judged {
    /// Label of its type.
    pub event_type: &'static str,
    /// Exactly one.
    pub verdict: Verdict,
    /// The move it caused.
    pub change: Option<SegmentChange>,
    /// When it happened, if it was applied.
    pub occurred_at: Option<Timestamp>,
}

/// Records that become visible when their transaction is known to be committed.
#[derive(Debug)]
pub struct Pending {
    /// Customer, record, and its size in the changelog.
    pub records: Vec<(CustomerId, Arc<CustomerRecord>, usize)>,
    /// The checkpoint of the transaction.
    pub checkpoint: Checkpoint,
}

impl OwnedPartition {
    /// A partition that goes on from its checkpoint.
    #[must_use]
    pub fn new(
        partition: Partition,
        store: Arc<PartitionStore>,
        clock: PartitionClock,
        committed: Checkpoint,
    ) -> Self {
        let offset_next = committed.offset_next;
        Self {
            partition,
            store,
            clock,
            staged: Staged::default(),
            offset_next,
            committed,
        }
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

    /// Deliveries were taken since the last commit.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.offset_next != self.committed.offset_next
    }

    /// The clock moved since the last commit.
    #[must_use]
    pub fn clock_has_moved(&self) -> bool {
        self.clock.now() != self.committed.clock
    }

    /// Nothing was unread at `wall`.
    pub fn caught_up(&mut self, wall: Timestamp) {
        self.clock.caught_up(wall);
    }

    /// Parses a delivery, folds it and stages its record.
    ///
    /// # Errors
    /// If the customer's record cannot be read.
    pub fn take(&mut self, delivery: &Delivery, shared: &Shared) -> Result<Judged, Error> {
        let wall = shared.wall.now();
        let judged = match self.clock.effective_record_time(delivery.record_time, wall) {
            Some(record_time) => self.judge(delivery, record_time, shared)?,
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
        record_time: Timestamp,
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
                    change: None,
                    occurred_at: None,
                });
            }
        };
        let (customer_id, record, was_staged) = match self.staged.remove_entry(customer_id) {
            Some((customer_id, record)) => (customer_id, record, true),
            None => {
                let stored = self.store.get(customer_id)?;
                let record = stored.map(Arc::unwrap_or_clone).unwrap_or_default();
                (CustomerId::new(customer_id), record, false)
            }
        };
        let delivered = Delivered {
            event: &event,
            position: delivery.position,
            record_time,
        };
        let rules = Rules {
            policy: &shared.policy,
            model: &shared.model,
        };
        let done = step(record, &customer_id, delivered, rules);
        let is_applied = done.verdict == Verdict::Applied;
        if was_staged || is_applied {
            self.staged.insert(customer_id, done.record);
        }
        let occurred_at = is_applied.then_some(event.occurred_at);
        Ok(Judged {
            event_type,
            verdict: done.verdict,
            change: done.change,
            occurred_at,
        })
    }

    /// Empties the stage into what the transaction writes for this partition, and what becomes
    /// visible once it is committed.
    ///
    /// # Errors
    /// Only if a record cannot be encoded.
    pub fn assemble(&mut self) -> Result<(PartitionCommit, Pending), Error> {
        let encode_error = |source| Error::Encode(Box::new(source));
        let mut staged: Vec<(CustomerId, CustomerRecord)> = self.staged.drain().collect();
        staged.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut state = Vec::with_capacity(staged.len() + 1);
        let mut records = Vec::with_capacity(staged.len());
        for (customer_id, record) in staged {
            let bytes = codec::encode_record(&record).map_err(encode_error)?;
            records.push((customer_id.clone(), Arc::new(record), bytes.len()));
            let key = customer_id.as_str().as_bytes().to_vec();
            state.push(StateRecord {
                key,
                value: Some(bytes),
            });
        }
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
            partition: self.partition,
            offset_next: self.offset_next,
            state,
        };
        Ok((
            commit,
            Pending {
                records,
                checkpoint,
            },
        ))
    }

    /// The transaction is committed up to this checkpoint.
    pub fn committed(&mut self, checkpoint: Checkpoint) {
        self.committed = checkpoint;
    }
}

fn rejected(event_type: &'static str, invalid: InvalidEvent) -> Judged {
    let verdict = Verdict::Rejected(invalid);
    Judged {
        event_type,
        verdict,
        change: None,
        occurred_at: None,
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
