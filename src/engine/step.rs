//! One delivery for one customer: decides the verdict, folds the event and finds the segment.

use crate::domain::change::Cause;
use crate::domain::change::ChangeKind;
use crate::domain::change::ChangeReason;
use crate::domain::change::NamedSegment;
use crate::domain::change::PreviousSegment;
use crate::domain::change::RunnerUp;
use crate::domain::change::SegmentChange;
use crate::domain::change::Timestamped;
use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Position;
use crate::domain::ids::SegmentId;
use crate::domain::ids::stable_hash;
use crate::domain::profile::Statement;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::engine::assignment::Evaluation;
use crate::engine::assignment::evaluate;
use crate::engine::policy::Policy;
use crate::engine::record::Assigned;
use crate::engine::record::CustomerRecord;
use crate::engine::record::RememberedId;
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
}

/// The end of a step. The record is the one that came in unless the verdict is `Applied`.
#[derive(Debug)]
pub struct Step {
    /// The customer's next record.
    pub record: CustomerRecord,
    /// The move, if the customer moved.
    pub change: Option<SegmentChange>,
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
        return Step {
            record,
            change: None,
            verdict: Verdict::Duplicate,
        };
    }
    let day = policy.zone.day_of(event.occurred_at);
    if let Some(detail) = lateness(&record, event.occurred_at, day, policy) {
        return Step {
            record,
            change: None,
            verdict: Verdict::Late { detail },
        };
    }
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
        EventBody::NotProcessed(event_type) => {
            let verdict = Verdict::Unsupported(*event_type);
            return Step {
                record,
                change: None,
                verdict,
            };
        }
    };
    record.aggregate.advance_ledger(day, policy.ledger_days);
    record.remembered.insert(identity, policy.remembered_ids);
    record.offset_next = delivered.position.offset.saturating_add(1);
    record.evaluated_at = record.evaluated_at.max(delivered.record_time);
    let change = reassign(&mut record, customer_id, reason, rules, || Cause::Event {
        event_id: event.event_id.as_ref().to_owned(),
        position: delivered.position,
    });
    Step {
        record,
        change,
        verdict: Verdict::Applied,
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

/// Finds the segment as of the record's `evaluated_at` and moves the customer there.
fn reassign(
    record: &mut CustomerRecord,
    customer_id: &str,
    reason: ChangeReason,
    rules: Rules<'_>,
    cause: impl FnOnce() -> Cause,
) -> Option<SegmentChange> {
    if record.aggregate.purchases.is_none() && !rules.policy.assign_prospects {
        return None;
    }
    let model = rules.model;
    let current = record.segment_id().and_then(|id| model.segment_index(id));
    let as_of = record.evaluated_at;
    let evaluation = evaluate(&record.aggregate, as_of, model, rules.policy, current);
    if current == Some(evaluation.placement.segment) {
        return None;
    }
    let named = |index: usize| {
        model.segments().get(index).map(|segment| NamedSegment {
            segment_id: segment.id.clone(),
            segment_name: segment.name.clone(),
        })
    };
    let next = named(evaluation.placement.segment)?;
    let previous = record.assignment.take().map(|assigned| PreviousSegment {
        segment: current.and_then(named).unwrap_or(NamedSegment {
            segment_name: assigned.segment_id.as_str().into(),
            segment_id: assigned.segment_id,
        }),
        since: Timestamped(assigned.since),
    });
    record.sequence = record.sequence.saturating_add(1);
    record.assignment = Some(Assigned {
        segment_id: next.segment_id.clone(),
        model_version: model.facts().version.clone(),
        since: as_of,
    });
    Some(change(
        customer_id,
        record.sequence,
        previous,
        next,
        &evaluation,
        ChangeContext {
            reason,
            cause: cause(),
            occurred_at: as_of,
            model,
        },
    ))
}

struct ChangeContext<'a> {
    reason: ChangeReason,
    cause: Cause,
    occurred_at: Timestamp,
    model: &'a SegmentModel,
}

fn change(
    customer_id: &str,
    sequence: u64,
    previous: Option<PreviousSegment>,
    current: NamedSegment,
    evaluation: &Evaluation,
    context: ChangeContext<'_>,
) -> SegmentChange {
    let model = context.model;
    let version = &model.facts().version;
    let segment_id_of = |index: usize| -> Option<SegmentId> {
        model
            .segments()
            .get(index)
            .map(|segment| segment.id.clone())
    };
    let runner_up = evaluation.placement.runner_up.and_then(|other| {
        let distance = other.distance_squared.sqrt();
        Some(RunnerUp {
            segment_id: segment_id_of(other.segment)?,
            distance,
        })
    });
    let customer_id = CustomerId::new(customer_id);
    SegmentChange {
        event_id: SegmentChange::derive_id(&customer_id, sequence, &current.segment_id, version),
        kind: if previous.is_some() {
            ChangeKind::Changed
        } else {
            ChangeKind::Assigned
        },
        customer_id,
        sequence,
        previous,
        current,
        reason: context.reason,
        cause: context.cause,
        model: model.facts().clone(),
        distance: evaluation.placement.distance_squared.sqrt(),
        runner_up,
        confidence: evaluation.placement.confidence(),
        explanation: evaluation.explanation(model),
        imputed: evaluation.imputed(model),
        occurred_at: context.occurred_at,
    }
}
