//! A delivery in a running partition: parsed, admitted, folded and staged.

use crate::domain::change::SegmentChange;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::UnknownFields;
use crate::domain::event::parse::parse_value;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::domain::transfer::Origin;
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
use crate::pipeline::partition::wall::WallTime;

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
    /// When it arrived, if it was applied: its record time, or, where that is not used or on the event clock, when it
    /// was polled.
    pub arrived_at: Option<Timestamp>,
    /// Its record time is too far ahead of the wall clock to be used.
    pub is_ahead: bool,
    /// Fields that no event has.
    pub unknown: UnknownFields,
}

/// Where an event was delivered first, and when.
#[derive(Clone, Copy, Debug)]
struct Dating {
    /// Its place in the input.
    position: Position,
    /// What the log says of the time, which `occurred_at` is compared with, so that the verdict depends on the log
    /// alone.
    stated: Option<Timestamp>,
    /// When the delivery was polled.
    wall: Timestamp,
    /// The stated record time is too far ahead of the wall clock to be used.
    is_ahead: bool,
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
        wall: WallTime,
        shared: &Shared,
    ) -> Result<Judged, Error> {
        let judged = match dating(delivery) {
            Ok((position, stated)) => {
                let is_valid = |stated| self.clock.is_valid(stated, wall.now);
                let dating = Dating {
                    position,
                    stated,
                    wall: wall.now,
                    is_ahead: !stated.is_none_or(is_valid),
                };
                let judged = self.judge((delivery, refused), dating, shared)?;
                Judged {
                    is_ahead: dating.is_ahead,
                    ..judged
                }
            }
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

    fn judge(
        &mut self,
        (delivery, refused): (&Delivery, Option<&str>),
        dating: Dating,
        shared: &Shared,
    ) -> Result<Judged, Error> {
        let payload = delivery.payload.as_deref();
        // Where the log states no time, `occurred_at` is not compared with any.
        let stated = dating.stated.unwrap_or(Timestamp::MAX);
        let event = match parse_value(payload, stated, &shared.intake) {
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
                    let invalid = InvalidEvent {
                        unknown: event.unknown,
                        ..output_too_large(detail)
                    };
                    return Ok(rejected(event_type, invalid));
                }
                let record_time = self.clock.effective_record_time(dating.stated, dating.wall);
                let delivered = Delivered {
                    event: &event,
                    position: delivery.position,
                    origin: dating.position,
                    record_time: record_time.unwrap_or(event.occurred_at),
                    clock: self.clock.now(),
                };
                self.fold(customer_id, delivered, dating, shared)
            }
            Admission::Ended(verdict) => Ok(Judged {
                event_type,
                verdict,
                changes: Vec::new(),
                time_evaluations: 0,
                state_bytes: 0,
                arrived_at: None,
                is_ahead: false,
                unknown: event.unknown,
            }),
        }
    }

    /// Decides an admitted delivery, and stages its customer's entry.
    fn fold(
        &mut self,
        customer_id: &str,
        delivered: Delivered<'_>,
        dating: Dating,
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
            ClockMode::Wall if !dating.is_ahead => dating.stated.unwrap_or(dating.wall),
            ClockMode::Wall | ClockMode::Event => dating.wall,
        });
        Ok(Judged {
            event_type: delivered.event.body.event_type().as_str(),
            verdict: done.verdict,
            changes: done.changes,
            time_evaluations: done.time_evaluations,
            state_bytes: staged.unwrap_or(0),
            arrived_at,
            is_ahead: false,
            unknown: delivered.event.unknown,
        })
    }
}

/// Where the event of a delivery was delivered first, and the time that the log states.
fn dating(delivery: &Delivery) -> Result<(Position, Option<Timestamp>), InvalidEvent> {
    match delivery.position.source {
        Source::Events => Ok((delivery.position, delivery.record_time)),
        Source::Transfers => {
            let origin = Origin::read(|name| delivery.header(name))?;
            Ok((origin.position, Some(origin.record_time)))
        }
    }
}

fn rejected(event_type: &'static str, invalid: InvalidEvent) -> Judged {
    let unknown = invalid.unknown;
    let verdict = Verdict::Rejected(invalid);
    Judged {
        event_type,
        verdict,
        changes: Vec::new(),
        time_evaluations: 0,
        state_bytes: 0,
        arrived_at: None,
        is_ahead: false,
        unknown,
    }
}

fn output_too_large(detail: &str) -> InvalidEvent {
    InvalidEvent::new(
        RejectReason::OutputTooLarge,
        "what the event would write",
        format!("what its topic takes: {detail}"),
        (None, detail.to_owned()),
    )
}
