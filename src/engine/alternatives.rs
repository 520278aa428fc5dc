//! What would change a customer's segment: for each feature alone, the nearest value beyond which another
//! segment is nearer.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::features::FeatureSource;
use crate::engine::assignment::Evaluation;
use crate::model::segment_model::Feature;
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
    /// The step in standard deviations: what is smallest is nearest to happen.
    pub step: f64,
}

/// At most so many features, the smallest steps first. With D_i the squared distance to the own centroid, a
/// step s along feature j changes D_k - D_i by 2 s (c_ij - c_kj), so each other segment has one crossing.
/// Values beyond a cap or below zero, where the feature has none, are out of reach.
#[must_use]
pub fn alternatives(
    evaluation: &Evaluation,
    model: &SegmentModel,
    features_max: usize,
) -> Vec<Alternative> {
    let own = evaluation.placement.segment;
    let mut found: Vec<Alternative> = Vec::new();
    let coordinates = model.features().iter().zip(&evaluation.raw);
    for (place, ((feature, raw), scaled)) in coordinates.zip(&evaluation.scaled).enumerate() {
        let crossings = (0..model.segments().len())
            .filter(|other| *other != own)
            .filter_map(|other| Some((other, crossing(evaluation, model, place, other)?)));
        let mut nearest: [Option<(usize, f64)>; 2] = [None, None];
        for (other, step) in crossings {
            let [down, up] = &mut nearest;
            let side = if step > 0.0 { up } else { down };
            if side.is_none_or(|(_, known)| step.abs() < known.abs()) {
                *side = Some((other, step));
            }
        }
        let reachable = nearest.into_iter().flatten().filter_map(|(other, step)| {
            let to = feature.unscale(scaled + step);
            let segment = model.segments().get(other)?;
            is_reachable(feature, to).then(|| Alternative {
                feature: Arc::clone(&feature.name),
                from: *raw,
                to,
                segment_id: segment.id.to_string(),
                segment_name: Arc::clone(&segment.name),
                step,
            })
        });
        found.extend(reachable.min_by(|left, right| left.step.abs().total_cmp(&right.step.abs())));
    }
    found.sort_by(|left, right| left.step.abs().total_cmp(&right.step.abs()));
    found.truncate(features_max);
    found
}

fn crossing(
    evaluation: &Evaluation,
    model: &SegmentModel,
    place: usize,
    other: usize,
) -> Option<f64> {
    let own = model.centroid(evaluation.placement.segment);
    let others = model.centroid(other);
    let gap: f64 = evaluation
        .scaled
        .iter()
        .zip(own.iter().zip(others))
        .map(|(x, (own, other))| (x - other) * (x - other) - (x - own) * (x - own))
        .sum();
    let slope = 2.0 * (own.get(place)? - others.get(place)?);
    let step = -gap / slope;
    (step.is_finite() && step != 0.0).then_some(step)
}

fn is_reachable(feature: &Feature, to: f64) -> bool {
    let is_attribute = matches!(feature.source, FeatureSource::Attribute(_));
    to.is_finite() && to < feature.cap() && (is_attribute || to >= 0.0)
}
