//! How far one feature alone must go until another centroid is nearer.

use crate::model::evaluation::Evaluation;
use crate::model::evaluation::Step;
use crate::model::kmeans::KMeans;

impl KMeans {
    /// For each feature the nearest border below the customer's value, and the nearest above. With D_i the squared
    /// distance to the own centroid, a step s along feature j changes D_k - D_i by 2 s (c_ij - c_kj), so each other
    /// segment has one border.
    #[must_use]
    pub fn steps(&self, evaluation: &Evaluation) -> Vec<Step> {
        let own = evaluation.placement.segment;
        let mut found = Vec::new();
        for (feature, scaled) in evaluation.scaled.iter().enumerate() {
            let mut nearest: [Option<Step>; 2] = [None, None];
            for segment in (0..self.len()).filter(|other| *other != own) {
                let Some(step) = self.step(evaluation, feature, segment) else {
                    continue;
                };
                let [down, up] = &mut nearest;
                let side = if step > 0.0 { up } else { down };
                if side.is_none_or(|known| step.abs() < known.step.abs()) {
                    *side = Some(Step {
                        feature,
                        scaled: scaled + step,
                        step,
                        segment,
                    });
                }
            }
            found.extend(nearest.into_iter().flatten());
        }
        found
    }

    /// `None` where the two centroids do not differ in the feature, or the customer stands on the border.
    fn step(&self, evaluation: &Evaluation, feature: usize, other: usize) -> Option<f64> {
        let own = self.centroid(evaluation.placement.segment);
        let others = self.centroid(other);
        let gap: f64 = evaluation
            .scaled
            .iter()
            .zip(own.iter().zip(others))
            .map(|(x, (own, other))| (x - other) * (x - other) - (x - own) * (x - own))
            .sum();
        let slope = 2.0 * (own.get(feature)? - others.get(feature)?);
        let step = -gap / slope;
        (step.is_finite() && step != 0.0).then_some(step)
    }
}
