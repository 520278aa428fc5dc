//! One delivery for one customer: decides the verdict, folds the event and finds the segment.

use crate::domain::change::Cause;
use crate::domain::change::ChangeReason;
use crate::domain::change::SegmentChange;
use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::ids::Position;
use crate::domain::ids::stable_hash;
use crate::domain::profile::Statement;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::engine::elapse::elapse;
use crate::engine::policy::Policy;
use crate::engine::record::CustomerRecord;
use crate::engine::record::RememberedId;
use crate::engine::transition::reassign;
use crate::engine::verdict::Verdict;
use crate::model::segment_model::SegmentModel;

/// What a step decides by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The deployment's choices.
    pub policy: &'a Policy,
    /// The model of this transaction.
    pub model: &'a SegmentModel,
}

/// An admitted event, where and when it was delivered.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// The event.
    pub event: &'a CustomerEvent<'a>,
    /// Where it was delivered.
    pub position: Position,
    /// The record time of the delivery.
    pub record_time: Timestamp,
    /// The partition clock before it: whatever was due by then comes first.
    pub clock: Option<Timestamp>,
}

/// The end of a step. The record is the one that came in unless the verdict is `Applied`.
#[derive(Debug)]
pub struct Step {
    /// The customer's next record.
    pub record: CustomerRecord,
    /// The moves in their order: those that time had brought by then, and the one of the delivery, if any.
    pub changes: Vec<SegmentChange>,
    /// How often time alone had the record looked at before.
    pub time_evaluations: usize,
    /// How the delivery ended.
    pub verdict: Verdict,
}

/// Takes one delivery. A customer without a record yet comes in with the default one.
#[must_use]
pub fn step(
    mut record: CustomerRecord,
    customer_id: &str,
    delivered: Delivered<'_>,
    rules: Rules<'_>,
) -> Step {
    let event = delivered.event;
    let policy = rules.policy;
    let identity = identity(event);
    let is_folded = delivered.position.offset < record.offset_next;
    if is_folded
        || record
            .remembered
            .contains(identity.event_hash, identity.order_hash)
    {
        return untouched(record, Verdict::Duplicate);
    }
    let day = policy.zone.day_of(event.occurred_at);
    if let Some(detail) = lateness(&record, event.occurred_at, day, policy) {
        return untouched(record, Verdict::Late { detail });
    }
    if let EventBody::NotProcessed(event_type) = &event.body {
        return untouched(record, Verdict::Unsupported(*event_type));
    }
    let mut changes = Vec::new();
    let due_by = delivered
        .clock
        .max(Some(delivered.record_time))
        .unwrap_or_default();
    let time_evaluations = elapse(&mut record, customer_id, due_by, rules, &mut changes);
    let reason = match &event.body {
        EventBody::OrderCompleted(order) => {
            record.aggregate.fold_order(order, event.occurred_at, day);
            ChangeReason::Purchase
        }
        EventBody::CustomerUpdated(update) => {
            let stated = Statement {
                occurred_at: event.occurred_at,
                event_hash: identity.event_hash,
            };
            record.aggregate.fold_profile(update, stated);
            ChangeReason::Profile
        }
        // Ended above.
        EventBody::NotProcessed(_) => ChangeReason::Profile,
    };
    record.aggregate.advance_ledger(day, policy.ledger_days);
    record.remembered.insert(identity, policy.remembered_ids);
    record.offset_next = delivered.position.offset.saturating_add(1);
    record.evaluated_at = record.evaluated_at.max(delivered.record_time);
    let cause = || Cause::Event {
        event_id: event.event_id.as_ref().to_owned(),
        position: delivered.position,
    };
    changes.extend(reassign(&mut record, customer_id, reason, rules, cause));
    Step {
        record,
        changes,
        time_evaluations,
        verdict: Verdict::Applied,
    }
}

fn untouched(record: CustomerRecord, verdict: Verdict) -> Step {
    Step {
        record,
        changes: Vec::new(),
        time_evaluations: 0,
        verdict,
    }
}

fn identity(event: &CustomerEvent<'_>) -> RememberedId {
    let order_hash = match &event.body {
        EventBody::OrderCompleted(order) => Some(order.order_hash()),
        EventBody::CustomerUpdated(_) | EventBody::NotProcessed(_) => None,
    };
    RememberedId {
        occurred_at: event.occurred_at,
        event_hash: stable_hash(&[&event.event_id]),
        order_hash,
    }
}

fn lateness(
    record: &CustomerRecord,
    occurred_at: Timestamp,
    day: Day,
    policy: &Policy,
) -> Option<String> {
    if record
        .aggregate
        .is_older_than_ledger(day, policy.ledger_days)
    {
        let ledger_days = policy.ledger_days;
        return Some(format!(
            "occurred_at: {occurred_at} is more than state.ledger_days {ledger_days} before the \
             customer's newest event"
        ));
    }
    let floor = record
        .remembered
        .floor()
        .filter(|floor| occurred_at <= *floor)?;
    Some(format!(
        "occurred_at: {occurred_at} is not after {floor}, the newest event whose id the record no \
         longer remembers (deduplication.ids)"
    ))
}
