//! One customer as HTTP shows it. docs/HTTP.md.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::change::Contribution;
use crate::domain::change::RunnerUp;
use crate::domain::change::Timestamped;
use crate::domain::churn::RiskMethod;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;
use crate::engine::policy::Rules;
use crate::engine::state::record::CustomerRecord;
use crate::engine::transition::runner_up;
use crate::model::artifact::ChurnBasis;
use crate::model::evaluation::Evaluation;
use crate::model::segment_model::SegmentModel;
use crate::view::change::NextChange;
use crate::view::evaluated::ChurnRiskView;
use crate::view::evaluated::Evaluated;
use crate::view::export::ExportLine;

/// The answer of HTTP: the members of an export, and more.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CustomerView {
    /// The fields of an export.
    #[serde(flatten)]
    pub line: ExportLine,
    /// The segment, and why; absent before the first assignment.
    #[serde(flatten)]
    pub assignment: Option<AssignmentView>,
    /// The partition of the input that has the customer's events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// The next change by time alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_change: Option<NextChange>,
}

/// The segment of a customer, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssignmentView {
    /// The segment.
    pub segment: CurrentSegment,
    /// The nearest other one; absent in a model of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_up: Option<RunnerUp>,
    /// The features that decide most for or against the segment.
    pub explanation: Vec<Contribution>,
    /// Features filled from the model's medians.
    pub imputed: Vec<Arc<str>>,
}

/// The segment of a customer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurrentSegment {
    /// Stable id.
    pub id: SegmentId,
    /// Name for people.
    pub name: Arc<str>,
    /// A sentence on its customers.
    pub description: String,
    /// When the customer came into it.
    pub since: Timestamped,
}

/// The answer of HTTP on one customer as of an instant, which is not before its last evaluation: the values of an export
/// as of then.
#[must_use]
pub fn customer_view(
    customer_id: &str,
    record: &CustomerRecord,
    as_of: Timestamp,
    rules: Rules<'_>,
) -> CustomerView {
    let model = rules.model;
    let evaluated = Evaluated::of(customer_id, record, as_of, rules);
    let mut line = ExportLine::of(customer_id, record, &evaluated, rules);
    // HTTP has always called the instant of the values so.
    line.evaluated_at = line.as_of;
    line.churn_risk = line.churn_risk.map(|churn| ChurnRiskView {
        basis: basis(churn.risk.method, model),
        ..churn
    });
    CustomerView {
        line,
        partition: None,
        assignment: AssignmentView::of(record, &evaluated.evaluation, model),
        next_change: evaluated.next_change.map(NextChange::of),
    }
}

fn basis(method: RiskMethod, model: &SegmentModel) -> Option<ChurnBasis> {
    match method {
        RiskMethod::Silence => None,
        RiskMethod::MbgNbd | RiskMethod::BgNbd => model.churn().map(|churn| churn.basis),
    }
}

impl AssignmentView {
    /// `None` before the first assignment, and for a segment that the model does not have.
    fn of(record: &CustomerRecord, evaluation: &Evaluation, model: &SegmentModel) -> Option<Self> {
        let assigned = record.assignment.as_ref()?;
        let index = model.segment_index(&assigned.segment_id)?;
        let segment = model.segments().get(index)?;
        Some(Self {
            segment: CurrentSegment {
                id: segment.id.clone(),
                name: Arc::clone(&segment.name),
                description: segment.description.clone(),
                since: Timestamped(assigned.since),
            },
            runner_up: runner_up(evaluation, model),
            explanation: model.explanation(evaluation),
            imputed: model.imputed(evaluation),
        })
    }
}
