//! A delivery in a running partition: parsed, admitted, folded and staged.

use crate::domain::change::SegmentChange;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::parse::parse_value;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::domain::transfer::Origin;
use crate::domain::transfer::RECORD_TIME;
use crate::engine::admission::Admission;
use crate::engine::admission::Placement;
use crate::engine::admission::admit;
use crate::engine::commands::Delivered;
use crate::engine::commands::decide;
use crate::engine::policy::Rules;
use crate::engine::verdict::Verdict;
use crate::log::Delivery;
use crate::pipeline::Error;
use crate::pipeline::Shared;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partition::past::PastReader;
use crate::pipeline::partition::running::RunningPartition;
use crate::pipeline::partition::starting::last_record;

/// The label of events whose type could not be read.
const TYPE_UNKNOWN: &str = "unknown";

/// How a delivery ended.
#[derive(Debug)]
pub struct Judged {
    /// Label of its type.
    pub event_type: &'static str,
    /// Exactly one.
    pub verdict: Verdict,
    /// The moves of the customer, in their order: those of time first.
    pub changes: Vec<SegmentChange>,
    /// Evaluations that time alone caused before the event.
    pub time_evaluations: usize,
    /// State that its transaction writes because of it, in bytes, about.
    pub state_bytes: usize,
    /// When it arrived, if it was applied: its record time, or, on the event clock, when it was polled.
    pub arrived_at: Option<Timestamp>,
}

impl RunningPartition {
    /// Parses a delivery that was polled at `wall`, folds it and stages its record. One whose outputs the log has
    /// `refused` is not folded.
    ///
    /// # Errors
    /// If the customer's record cannot be read.
    pub fn take(
        &mut self,
        delivery: &Delivery,
        refused: Option<&str>,
        wall: Timestamp,
        shared: &Shared,
    ) -> Result<Judged, Error> {
        let judged = match self.origin(delivery, wall) {
            Ok(origin) => self.judge((delivery, refused), (origin, wall), shared)?,
            Err(invalid) => rejected(TYPE_UNKNOWN, invalid),
        };
        // The record time of a transfer moved the clock of the partition that its event came from.
        let is_event = delivery.position.source == Source::Events;
        if is_event && judged.verdict.reject_reason().is_none() {
            self.clock.observe(delivery.record_time, wall);
        }
        self.offsets = self.offsets.after(delivery.position);
        self.last_records
            .folded(delivery.position, last_record(delivery));
        self.has_taken = true;
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
            Source::Transfers => {
                let origin = Origin::read(|name| delivery.header(name))?;
                if self.clock.is_valid(origin.record_time, wall) {
                    Ok(origin)
                } else {
                    Err(ahead_of_wall(origin.record_time))
                }
            }
        }
    }

    fn judge(
        &mut self,
        (delivery, refused): (&Delivery, Option<&str>),
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
        match admit(&event, delivery.key.as_deref(), placement) {
            Admission::Customer { customer_id } => {
                if let Some(detail) = refused {
                    return Ok(rejected(event_type, output_too_large(detail)));
                }
                let delivered = Delivered {
                    event: &event,
                    position: delivery.position,
                    origin: origin.position,
                    record_time,
                    clock: self.clock.now(),
                };
                self.fold(customer_id, delivered, wall, shared)
            }
            Admission::Ended(verdict) => Ok(Judged {
                event_type,
                verdict,
                changes: Vec::new(),
                time_evaluations: 0,
                state_bytes: 0,
                arrived_at: None,
            }),
        }
    }

    /// Decides an admitted delivery, and stages its customer's entry.
    fn fold(
        &mut self,
        customer_id: &str,
        delivered: Delivered<'_>,
        wall: Timestamp,
        shared: &Shared,
    ) -> Result<Judged, Error> {
        let rules = Rules {
            policy: &shared.policy,
            model: &shared.model,
        };
        let past = PastReader {
            store: &self.store,
            owner: self.owner,
        };
        let load = || past.load(customer_id, delivered.record_time, rules);
        let held = self.cache.hold(customer_id, load)?;
        let known = held.entry.take();
        let is_known = known.is_some();
        let entry = past.entry_for(known, customer_id, delivered, rules, &mut self.table)?;
        let done = decide(Some(entry), customer_id, delivered, rules);
        let is_applied = done.verdict == Verdict::Applied;
        held.entry = done.entry.filter(|_| is_known || is_applied);
        let staged = if is_applied { held.stage() } else { None };
        if staged.is_some() {
            self.staged.push(CustomerId::new(customer_id));
        }
        let arrived_at = is_applied.then_some(match shared.clock_rules.mode {
            ClockMode::Wall => delivered.record_time,
            ClockMode::Event => wall,
        });
        Ok(Judged {
            event_type: delivered.event.body.event_type().as_str(),
            verdict: done.verdict,
            changes: done.changes,
            time_evaluations: done.time_evaluations,
            state_bytes: staged.unwrap_or(0),
            arrived_at,
        })
    }
}

fn rejected(event_type: &'static str, invalid: InvalidEvent) -> Judged {
    let verdict = Verdict::Rejected(invalid);
    Judged {
        event_type,
        verdict,
        changes: Vec::new(),
        time_evaluations: 0,
        state_bytes: 0,
        arrived_at: None,
    }
}

fn output_too_large(detail: &str) -> InvalidEvent {
    InvalidEvent {
        reason: RejectReason::OutputTooLarge,
        detail: detail.to_owned(),
    }
}

fn ahead_of_wall(record_time: Timestamp) -> InvalidEvent {
    let found = record_time.as_milliseconds();
    InvalidEvent {
        reason: RejectReason::Transfer,
        detail: format!(
            "the header {RECORD_TIME}: \"{found}\" is not at or before the wall clock plus time.skew"
        ),
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
