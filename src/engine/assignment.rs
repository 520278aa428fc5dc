//! From an aggregate to a segment: features as of an instant, and where they lie in the model.

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::features::FeatureReader;
use crate::domain::time::Timestamp;
use crate::engine::policy::Policy;
use crate::engine::policy::Rules;
use crate::engine::state::record::CustomerRecord;
use crate::model::evaluation::Evaluation;
use crate::model::segment_model::SegmentModel;

/// Computes the features and finds the segment, given the index of the current one.
#[must_use]
pub fn evaluate(
    aggregate: &CustomerAggregate,
    as_of: Timestamp,
    model: &SegmentModel,
    policy: &Policy,
    current: Option<usize>,
) -> Evaluation {
    let mut reader = FeatureReader::new(aggregate, as_of, &policy.zone, policy.base_currency);
    let features = model.features().iter();
    let known = features.map(|feature| reader.raw_value(&feature.source, feature.window_days));
    model.evaluate(known, current)
}

/// The index of a record's segment in the model; `None` for a customer without one, or with one of another model.
#[must_use]
pub fn current_segment(record: &CustomerRecord, model: &SegmentModel) -> Option<usize> {
    record.segment_id().and_then(|id| model.segment_index(id))
}

/// Evaluates a record as of an instant, in the segment that it has: a move that is due by then is not made, as it is not
/// committed.
#[must_use]
pub fn evaluate_committed(
    record: &CustomerRecord,
    as_of: Timestamp,
    rules: Rules<'_>,
) -> Evaluation {
    let Rules { policy, model } = rules;
    let current = current_segment(record, model);
    let evaluation = evaluate(&record.aggregate, as_of, model, policy, current);
    match current {
        Some(own) if evaluation.placement.segment != own => Evaluation {
            placement: model.placed_in(&evaluation.scaled, own),
            ..evaluation
        },
        Some(_) | None => evaluation,
    }
}
