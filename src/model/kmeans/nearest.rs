//! Distances, and the least of them.

use crate::model::placement::NearestOther;

/// The squared Euclidean distance of two vectors of equal length.
#[must_use]
pub fn squared_distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| (left - right) * (left - right))
        .sum()
}

/// The least distance; the lower index among equals.
pub(super) fn nearest(distances: impl Iterator<Item = f64>) -> Option<NearestOther> {
    let mut best: Option<NearestOther> = None;
    for (segment, distance_squared) in distances.enumerate() {
        if best.is_none_or(|best| distance_squared < best.distance_squared) {
            best = Some(NearestOther {
                segment,
                distance_squared,
            });
        }
    }
    best
}
