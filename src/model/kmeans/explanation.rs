//! Why a customer is nearer to the own centroid than to the next, feature by feature.

use crate::domain::change::Contribution;
use crate::model::evaluation::Evaluation;
use crate::model::feature::Feature;
use crate::model::kmeans::KMeans;

impl KMeans {
    /// Each feature's share of d2(runner-up) - d2(own), in the order of the features; the shares sum to 1. Empty
    /// in a model of one segment, and where both distances are the same.
    #[must_use]
    pub fn contributions(
        &self,
        evaluation: &Evaluation,
        features: &[Feature],
    ) -> Vec<Contribution> {
        let placement = &evaluation.placement;
        let Some(other) = placement.runner_up else {
            return Vec::new();
        };
        let gap = other.distance_squared - placement.distance_squared;
        if gap == 0.0 {
            return Vec::new();
        }
        let own = self.centroid(placement.segment);
        let others = self.centroid(other.segment);
        features
            .iter()
            .zip(evaluation.raw.iter().zip(&evaluation.scaled))
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
            .collect()
    }
}
