//! The answers of `predict`: the segment of given values. docs/COMMAND_LINE.md.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::change::Contribution;
use crate::engine::alternatives::Alternative;
use crate::engine::alternatives::alternatives;
use crate::model::evaluation::Evaluation;
use crate::model::segment_model::Segment;
use crate::model::segment_model::SegmentModel;

/// Features of which it is shown what value would change the segment.
const ALTERNATIVES_MAX: usize = 3;

/// One answer in full.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// Confidence of the assignment, 0 to 1.
    pub confidence: f64,
    /// A sentence on its customers.
    pub description: String,
    /// The features that decide most for or against the segment.
    pub explanation: Vec<Contribution>,
    /// Features filled from the model's medians.
    pub imputed: Vec<Arc<str>>,
    /// The nearest other segment; empty in a model of one.
    pub runner_up_id: String,
    /// The segment.
    pub segment_id: String,
    /// Its name.
    pub segment_name: String,
    /// Values beyond which the segment changes, the nearest first.
    pub what_would_change_it: Vec<Alternative>,
}

/// One row of many.
#[derive(Clone, Debug, Serialize)]
pub struct PredictionRow {
    /// Id of the row.
    pub id: String,
    /// The segment.
    pub segment_id: String,
    /// Its name.
    pub segment_name: String,
    /// Confidence of the assignment, 0 to 1.
    pub confidence: f64,
    /// The nearest other segment; empty in a model of one.
    pub runner_up_id: String,
    /// Features filled from the model's medians, separated by spaces.
    pub imputed: String,
    /// Always `predicted`.
    pub verdict: &'static str,
}

impl Prediction {
    /// The answer to an evaluation.
    #[must_use]
    pub fn of(evaluation: &Evaluation, model: &SegmentModel) -> Self {
        let (segment, runner_up) = segments(evaluation, model);
        Self {
            confidence: evaluation.placement.confidence(),
            description: segment.map_or_else(String::new, |segment| segment.description.clone()),
            explanation: model.explanation(evaluation),
            imputed: model.imputed(evaluation),
            runner_up_id: id(runner_up),
            segment_id: id(segment),
            segment_name: name(segment),
            what_would_change_it: alternatives(evaluation, model, ALTERNATIVES_MAX),
        }
    }
}

impl PredictionRow {
    /// The row of an evaluation.
    #[must_use]
    pub fn of(row_id: String, evaluation: &Evaluation, model: &SegmentModel) -> Self {
        let (segment, runner_up) = segments(evaluation, model);
        Self {
            id: row_id,
            segment_id: id(segment),
            segment_name: name(segment),
            confidence: evaluation.placement.confidence(),
            runner_up_id: id(runner_up),
            imputed: model.imputed(evaluation).join(" "),
            verdict: "predicted",
        }
    }
}

/// The assigned segment and the nearest other.
fn segments<'a>(
    evaluation: &Evaluation,
    model: &'a SegmentModel,
) -> (Option<&'a Segment>, Option<&'a Segment>) {
    let placement = &evaluation.placement;
    let other = placement.runner_up.map(|other| other.segment);
    let segments = model.segments();
    (
        segments.get(placement.segment),
        other.and_then(|other| segments.get(other)),
    )
}

fn id(segment: Option<&Segment>) -> String {
    segment.map_or_else(String::new, |segment| segment.id.to_string())
}

fn name(segment: Option<&Segment>) -> String {
    segment.map_or_else(String::new, |segment| segment.name.to_string())
}
