//! From an aggregate to a segment: features as of an instant, and where they lie in the model.

use std::sync::Arc;

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::change::Contribution;
use crate::domain::features::FeatureReader;
use crate::domain::time::Timestamp;
use crate::engine::policy::Policy;
use crate::model::segment_model::Placement;
use crate::model::segment_model::SegmentModel;

/// Features an explanation names.
const EXPLANATION_FEATURES_MAX: usize = 3;

/// One customer in one model as of one instant. All vectors have one entry a feature.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Raw values before caps; the model's median where unknown.
    pub raw: Vec<f64>,
    /// Whether the raw value is the model's median.
    pub is_imputed: Vec<bool>,
    /// Capped, transformed and scaled values.
    pub scaled: Vec<f64>,
    /// Where they lie.
    pub placement: Placement,
}

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
    let features = model.features();
    let mut raw = Vec::with_capacity(features.len());
    let mut is_imputed = Vec::with_capacity(features.len());
    let mut scaled = Vec::with_capacity(features.len());
    for feature in features {
        let known = reader.raw_value(&feature.source, feature.window_days);
        let value = known.unwrap_or(feature.median);
        raw.push(value);
        is_imputed.push(known.is_none());
        scaled.push(feature.scale(value));
    }
    let placement = model.assign(&scaled, current);
    Evaluation {
        raw,
        is_imputed,
        scaled,
        placement,
    }
}

impl Evaluation {
    /// Names of the features filled from the model's medians.
    #[must_use]
    pub fn imputed(&self, model: &SegmentModel) -> Vec<Arc<str>> {
        let features = model.features().iter().zip(&self.is_imputed);
        features
            .filter(|(_, imputed)| **imputed)
            .map(|(feature, _)| feature.name.clone())
            .collect()
    }

    /// The features that pull most towards or away from the own segment, strongest first. A pull is
    /// the feature's share of d2(runner-up) - d2(own).
    #[must_use]
    pub fn explanation(&self, model: &SegmentModel) -> Vec<Contribution> {
        let Some(other) = self.placement.runner_up else {
            return Vec::new();
        };
        let gap = other.distance_squared - self.placement.distance_squared;
        if gap == 0.0 {
            return Vec::new();
        }
        let own = model.centroid(self.placement.segment);
        let others = model.centroid(other.segment);
        let mut pulls: Vec<Contribution> = model
            .features()
            .iter()
            .zip(self.raw.iter().zip(&self.scaled))
            .zip(own.iter().zip(others))
            .map(|((feature, (raw, scaled)), (own, other))| {
                let gain = (scaled - other) * (scaled - other) - (scaled - own) * (scaled - own);
                Contribution {
                    feature: feature.name.clone(),
                    value: *raw,
                    segment_mean: feature.unscale(*own),
                    pull: gain / gap,
                }
            })
            .collect();
        pulls.sort_by(|left, right| right.pull.abs().total_cmp(&left.pull.abs()));
        pulls.truncate(EXPLANATION_FEATURES_MAX);
        pulls
    }
}
