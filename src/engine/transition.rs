//! The end of every step: the segment and the band of churn risk as of an instant, the change if there is
//! one, and when the customer must be looked at next.

use crate::domain::change::Cause;
use crate::domain::change::ChangeKind;
use crate::domain::change::ChangeReason;
use crate::domain::change::NamedSegment;
use crate::domain::change::PreviousSegment;
use crate::domain::change::RunnerUp;
use crate::domain::change::SegmentChange;
use crate::domain::change::Timestamped;
use crate::domain::churn::ChurnRisk;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::assignment::Evaluation;
use crate::engine::assignment::evaluate;
use crate::engine::deadline::Situation;
use crate::engine::deadline::next_deadline;
use crate::engine::policy::Rules;
use crate::engine::risk::RiskPath;
use crate::engine::state::record::Assigned;
use crate::engine::state::record::CustomerRecord;
use crate::model::segment_model::SegmentModel;

/// Finds segment and band as of the record's `evaluated_at`, moves the customer there, and sets the next
/// deadline. At most one change: of the segment, or else of the band where those are published.
pub fn reassign(
    record: &mut CustomerRecord,
    customer_id: &str,
    reason: ChangeReason,
    rules: Rules<'_>,
    cause: impl FnOnce() -> Cause,
) -> Option<SegmentChange> {
    if record.aggregate.purchases.is_none() && !rules.policy.assign_prospects {
        // It may have had one where prospects were assigned.
        record.deadline = None;
        record.band = None;
        return None;
    }
    let (model, policy) = (rules.model, rules.policy);
    let as_of = record.evaluated_at;
    let current = record.segment_id().and_then(|id| model.segment_index(id));
    let evaluation = evaluate(&record.aggregate, as_of, model, policy, current);
    let path = RiskPath::of(&record.aggregate, model, policy);
    let risk = path.map(|path| churn_risk(&path, record, as_of));
    let situation = Situation {
        aggregate: &record.aggregate,
        now: as_of,
        evaluation: &evaluation,
        risk: path.zip(risk.map(|risk| risk.band)),
    };
    let deadline = next_deadline(situation, rules);
    // Whoever is looked at is looked at next after that, whatever a solver says; at the end of time, never.
    let next = as_of.plus_milliseconds(1);
    record.deadline = deadline.map(|at| at.max(next)).filter(|at| *at > as_of);
    record.band = risk.map(|risk| risk.band);
    let moves = current != Some(evaluation.placement.segment);
    let changes_band = risk.is_some_and(|risk| {
        let before = risk.previous_band;
        before.is_some_and(|before| before != risk.band)
    });
    let tells = moves || changes_band && policy.churn.publishes_bands;
    if !tells {
        return None;
    }
    let kind = match (moves, current) {
        (false, _) => ChangeKind::ChurnRiskChanged,
        (true, _) if record.assignment.is_some() => ChangeKind::Changed,
        (true, _) => ChangeKind::Assigned,
    };
    let entered = named(model, evaluation.placement.segment)?;
    let previous = record.assignment.as_ref().map(|assigned| PreviousSegment {
        segment: current
            .and_then(|current| named(model, current))
            .unwrap_or_else(|| NamedSegment {
                segment_name: assigned.segment_id.as_str().into(),
                segment_id: assigned.segment_id.clone(),
            }),
        since: Timestamped(assigned.since),
    });
    record.sequence = record.sequence.saturating_add(1);
    if moves {
        record.assignment = Some(Assigned {
            segment_id: entered.segment_id.clone(),
            model_version: model.facts().version.clone(),
            since: as_of,
        });
    }
    let told = Told {
        kind,
        reason,
        cause: cause(),
        occurred_at: as_of,
        previous,
        churn_risk: risk,
    };
    Some(change(
        customer_id,
        record.sequence,
        entered,
        &evaluation,
        told,
        model,
    ))
}

/// The risk as of an instant, with the band that the record had.
fn churn_risk(path: &RiskPath, record: &CustomerRecord, as_of: Timestamp) -> ChurnRisk {
    let score = path.score(as_of);
    ChurnRisk {
        score,
        band: path.band_of(score),
        previous_band: record.band,
        method: path.method(),
    }
}

fn named(model: &SegmentModel, index: usize) -> Option<NamedSegment> {
    model.segments().get(index).map(|segment| NamedSegment {
        segment_id: segment.id.clone(),
        segment_name: segment.name.clone(),
    })
}

struct Told {
    kind: ChangeKind,
    reason: ChangeReason,
    cause: Cause,
    occurred_at: Timestamp,
    previous: Option<PreviousSegment>,
    churn_risk: Option<ChurnRisk>,
}

fn change(
    customer_id: &str,
    sequence: u64,
    current: NamedSegment,
    evaluation: &Evaluation,
    told: Told,
    model: &SegmentModel,
) -> SegmentChange {
    let version = &model.facts().version;
    let runner_up = evaluation.placement.runner_up.and_then(|other| {
        let distance = other.distance_squared.sqrt();
        Some(RunnerUp {
            segment_id: named(model, other.segment)?.segment_id,
            distance,
        })
    });
    let customer_id = CustomerId::new(customer_id);
    SegmentChange {
        event_id: SegmentChange::derive_id(&customer_id, sequence, &current.segment_id, version),
        kind: told.kind,
        customer_id,
        sequence,
        previous: told.previous,
        current,
        reason: told.reason,
        cause: told.cause,
        model: model.facts().clone(),
        distance: evaluation.placement.distance_squared.sqrt(),
        runner_up,
        confidence: evaluation.placement.confidence(),
        churn_risk: told.churn_risk,
        explanation: evaluation.explanation(model),
        imputed: evaluation.imputed(model),
        occurred_at: told.occurred_at,
    }
}
