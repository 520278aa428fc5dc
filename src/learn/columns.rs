//! The columns of the training rows: how each is scaled, and what its values are like.

use ndarray::Array2;
use ndarray::Axis;

use crate::learn::analysis::FeatureSummary;
use crate::learn::numbers;
use crate::learn::scaler;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::Transform;

pub(super) fn summaries(features: &[ArtifactFeature], columns: &[Vec<f64>]) -> Vec<FeatureSummary> {
    let each = features.iter().zip(columns);
    each.map(|(feature, values)| FeatureSummary {
        name: feature.name.clone(),
        window_days: feature.window_days,
        mean: feature.mean,
        standard_deviation: feature.standard_deviation,
        numbers: numbers::five_numbers(values),
        histogram: numbers::histogram(values),
    })
    .collect()
}

/// `None` where all values are equal.
pub(super) fn feature(
    name: &str,
    window_days: Option<u32>,
    values: &[f64],
) -> Option<ArtifactFeature> {
    let scale = scaler::fit(values)?;
    let numbers = numbers::five_numbers(values);
    Some(ArtifactFeature {
        name: name.to_owned(),
        transform: Transform::Identity,
        window_days,
        cap: Some(numbers.maximum),
        median: numbers.median,
        mean: scale.mean,
        standard_deviation: scale.standard_deviation,
    })
}

pub(super) fn scale(rows: &Array2<f64>, features: &[ArtifactFeature]) -> Array2<f64> {
    let mut scaled = rows.clone();
    for (mut column, feature) in scaled.axis_iter_mut(Axis(1)).zip(features) {
        column.mapv_inplace(|value| (value - feature.mean) / feature.standard_deviation);
    }
    scaled
}
