//! The end of every step: the segment and the band of churn risk as of an instant, the change if there is
//! one, and the record's next deadline.

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
use crate::engine::assignment::current_segment;
use crate::engine::assignment::evaluate;
use crate::engine::deadline::Situation;
use crate::engine::deadline::next_deadline;
use crate::engine::policy::Policy;
use crate::engine::policy::Rules;
use crate::engine::risk::RiskPath;
use crate::engine::state::record::Assigned;
use crate::engine::state::record::CustomerRecord;
use crate::model::evaluation::Evaluation;
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
        // It may have one where prospects are assigned.
        record.deadline = None;
        record.band = None;
        return None;
    }
    let (model, policy, as_of) = (rules.model, rules.policy, record.evaluated_at);
    let current = current_segment(record, model);
    let evaluation = evaluate(&record.aggregate, as_of, model, policy, current);
    let churn_risk = advance(record, &evaluation, rules);
    let kind = published_kind(record, &evaluation, current, churn_risk, policy)?;
    let entered = named(model, evaluation.placement.segment)?;
    let previous = previous_segment(record, current, model);
    record.sequence = record.sequence.saturating_add(1);
    if kind != ChangeKind::ChurnRiskChanged {
        record.assignment = Some(Assigned {
            segment_id: entered.segment_id.clone(),
            model_version: model.facts().version.clone(),
            since: as_of,
        });
    }
    let transition = Transition {
        kind,
        reason,
        cause: cause(),
        occurred_at: as_of,
        sequence: record.sequence,
        previous,
        current: entered,
        churn_risk,
    };
    Some(transition.into_change(customer_id, &evaluation, model))
}

/// Sets the record's band and its next deadline; the risk, with the band that the record had before.
fn advance(
    record: &mut CustomerRecord,
    evaluation: &Evaluation,
    rules: Rules<'_>,
) -> Option<ChurnRisk> {
    let as_of = record.evaluated_at;
    let path = RiskPath::of(&record.aggregate, rules.model, rules.policy);
    let risk = path.map(|path| path.risk(as_of, record.band));
    let situation = Situation {
        aggregate: &record.aggregate,
        now: as_of,
        evaluation,
        risk: path.zip(risk.map(|risk| risk.band)),
    };
    let deadline = next_deadline(situation, rules);
    // The next deadline is at least 1 ms later, so that a rounding error cannot loop; at the end of time there is
    // none.
    let next = as_of.plus_milliseconds(1);
    record.deadline = deadline.map(|at| at.max(next)).filter(|at| *at > as_of);
    record.band = risk.map(|risk| risk.band);
    risk
}

/// What kind of change it is; `None` where nothing changes, or only the band and bands are not published.
fn published_kind(
    record: &CustomerRecord,
    evaluation: &Evaluation,
    current: Option<usize>,
    churn_risk: Option<ChurnRisk>,
    policy: &Policy,
) -> Option<ChangeKind> {
    if current != Some(evaluation.placement.segment) {
        return Some(if record.assignment.is_some() {
            ChangeKind::Changed
        } else {
            ChangeKind::Assigned
        });
    }
    let changes_band = churn_risk.is_some_and(|risk| {
        let before = risk.previous_band;
        before.is_some_and(|before| before != risk.band)
    });
    (changes_band && policy.churn.publishes_bands).then_some(ChangeKind::ChurnRiskChanged)
}

/// The segment that the record has; one of another model has its id for a name.
fn previous_segment(
    record: &CustomerRecord,
    current: Option<usize>,
    model: &SegmentModel,
) -> Option<PreviousSegment> {
    record.assignment.as_ref().map(|assigned| PreviousSegment {
        segment: current
            .and_then(|current| named(model, current))
            .unwrap_or_else(|| NamedSegment {
                segment_name: assigned.segment_id.as_str().into(),
                segment_id: assigned.segment_id.clone(),
            }),
        since: Timestamped(assigned.since),
    })
}

fn named(model: &SegmentModel, index: usize) -> Option<NamedSegment> {
    model.segments().get(index).map(|segment| NamedSegment {
        segment_id: segment.id.clone(),
        segment_name: segment.name.clone(),
    })
}

/// The nearest other segment, as it is published.
#[must_use]
pub fn runner_up(evaluation: &Evaluation, model: &SegmentModel) -> Option<RunnerUp> {
    let other = evaluation.placement.runner_up?;
    Some(RunnerUp {
        segment_id: named(model, other.segment)?.segment_id,
        distance: other.distance(),
    })
}

/// From one segment or band to another: what of a change does not follow from the evaluation.
struct Transition {
    kind: ChangeKind,
    reason: ChangeReason,
    cause: Cause,
    occurred_at: Timestamp,
    sequence: u64,
    previous: Option<PreviousSegment>,
    current: NamedSegment,
    churn_risk: Option<ChurnRisk>,
}

impl Transition {
    fn into_change(
        self,
        customer_id: &str,
        evaluation: &Evaluation,
        model: &SegmentModel,
    ) -> SegmentChange {
        let customer_id = CustomerId::new(customer_id);
        let version = &model.facts().version;
        let segment_id = &self.current.segment_id;
        SegmentChange {
            event_id: SegmentChange::derive_id(&customer_id, self.sequence, segment_id, version),
            kind: self.kind,
            customer_id,
            sequence: self.sequence,
            previous: self.previous,
            current: self.current,
            reason: self.reason,
            cause: self.cause,
            model: model.facts().clone(),
            distance: evaluation.placement.distance(),
            runner_up: runner_up(evaluation, model),
            confidence: evaluation.placement.confidence(),
            churn_risk: self.churn_risk,
            explanation: model.explanation(evaluation),
            imputed: model.imputed(evaluation),
            occurred_at: self.occurred_at,
        }
    }
}
