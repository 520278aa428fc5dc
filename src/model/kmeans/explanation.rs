//! Why a customer is nearer to the own centroid than to the next, feature by feature.

use crate::domain::change::Contribution;
use crate::model::evaluation::Evaluation;
use crate::model::feature::Feature;
use crate::model::kmeans::KMeans;

/// Greatest magnitude of a pull. Near a border the features nearly cancel each other, and their shares of what is left
/// would be of any size.
const PULL_MAX: f64 = 100.0;

impl KMeans {
    /// What each feature adds to d2(runner-up) - d2(own), in the order of the features, as a share of the magnitude of that
    /// difference, or of a hundredth of all that the features add and take away where the difference is smaller. Empty in
    /// a model of one segment, and where no feature tells the two segments apart.
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
        let own = self.centroid(placement.segment);
        let others = self.centroid(other.segment);
        let gains = evaluation
            .scaled
            .iter()
            .zip(own.iter().zip(others))
            .map(|(x, (own, other))| (x - other) * (x - other) - (x - own) * (x - own));
        let apart: f64 = gains.clone().map(f64::abs).sum();
        let gap = other.distance_squared - placement.distance_squared;
        let whole = gap.abs().max(apart / PULL_MAX);
        if whole == 0.0 {
            return Vec::new();
        }
        features
            .iter()
            .zip(evaluation.raw.iter().zip(own))
            .zip(gains)
            .map(|((feature, (raw, own)), gain)| Contribution {
                feature: feature.name.clone(),
                value: *raw,
                segment_mean: feature.unscale(*own),
                pull: gain / whole,
            })
            .collect()
    }
}
