//! Where a point lies among the centroids.

/// Where a point lies among the centroids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Index of the assigned segment.
    pub segment: usize,
    /// Squared distance to its centroid.
    pub distance_squared: f64,
    /// The nearest other segment; `None` in a model of one.
    pub runner_up: Option<NearestOther>,
}

/// The nearest other segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearestOther {
    /// Its index.
    pub segment: usize,
    /// Squared distance to its centroid.
    pub distance_squared: f64,
}

impl Placement {
    /// max(0, 1 - distance / runner-up's distance); 1 in a model of one segment, 0 where both
    /// distances are zero.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        match self.runner_up {
            None => 1.0,
            Some(other) if other.distance_squared <= 0.0 => 0.0,
            Some(other) => (1.0 - (self.distance_squared / other.distance_squared).sqrt()).max(0.0),
        }
    }
}

/// The squared Euclidean distance of two vectors of equal length.
#[must_use]
pub fn squared_distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| (left - right) * (left - right))
        .sum()
}

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
