//! What would change a customer's segment: for each feature alone, the nearest value beyond which another
//! segment begins.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::feature_source::FeatureSource;
use crate::domain::profile::NUMBER_MAX;
use crate::model::evaluation::Evaluation;
use crate::model::evaluation::Step;
use crate::model::feature::Feature;
use crate::model::segment_model::SegmentModel;

/// A value of one feature, all others as they are, beyond which the segment changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// Name of the feature.
    pub feature: Arc<str>,
    /// The customer's value, in the feature's unit.
    pub from: f64,
    /// The value beyond which the segment changes.
    pub to: f64,
    /// The segment then.
    pub segment_id: String,
    /// Its name.
    pub segment_name: Arc<str>,
    /// The size of the step in standard deviations; the smallest step is the nearest change.
    pub step: f64,
}

/// At most so many features, the smallest steps first. Values beyond a cap or below zero, where the feature has
/// none, are out of reach.
#[must_use]
pub fn alternatives(
    evaluation: &Evaluation,
    model: &SegmentModel,
    features_max: usize,
) -> Vec<Alternative> {
    let steps = model.steps(evaluation);
    let mut found: Vec<Alternative> = Vec::new();
    for (place, (feature, raw)) in model.features().iter().zip(&evaluation.raw).enumerate() {
        let own = steps.iter().filter(|step| step.feature == place);
        let reachable = own.filter_map(|step| alternative(step, feature, *raw, model));
        found.extend(reachable.min_by(|left, right| left.step.abs().total_cmp(&right.step.abs())));
    }
    found.sort_by(|left, right| left.step.abs().total_cmp(&right.step.abs()));
    found.truncate(features_max);
    found
}

fn alternative(
    step: &Step,
    feature: &Feature,
    from: f64,
    model: &SegmentModel,
) -> Option<Alternative> {
    let to = feature.unscale(step.scaled);
    let segment = model.segments().get(step.segment)?;
    is_reachable(feature, to).then(|| Alternative {
        feature: Arc::clone(&feature.name),
        from,
        to,
        segment_id: segment.id.to_string(),
        segment_name: Arc::clone(&segment.name),
        step: step.step,
    })
}

fn is_reachable(feature: &Feature, to: f64) -> bool {
    let is_attribute = matches!(feature.source, FeatureSource::Attribute(_));
    to.abs() <= NUMBER_MAX && to < feature.cap() && (is_attribute || to >= 0.0)
}
