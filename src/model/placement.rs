//! Where a customer lies in a model, for every kind of model.

/// Where a point lies among the segments. The kind of model defines the distance to a segment: k-means measures to
/// the centroid; a grid of cells would measure to the nearest point of the segment's cells, 0 inside them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Index of the assigned segment.
    pub segment: usize,
    /// Squared distance to it, in standard deviations, 0 or more.
    pub distance_squared: f64,
    /// The nearest other segment; `None` in a model of one.
    pub runner_up: Option<NearestOther>,
}

/// The nearest other segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearestOther {
    /// Its index.
    pub segment: usize,
    /// Squared distance to it, in standard deviations, 0 or more.
    pub distance_squared: f64,
}

impl Placement {
    /// Distance to the assigned segment, in standard deviations.
    #[must_use]
    pub fn distance(&self) -> f64 {
        self.distance_squared.sqrt()
    }

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

impl NearestOther {
    /// Distance to it, in standard deviations.
    #[must_use]
    pub fn distance(&self) -> f64 {
        self.distance_squared.sqrt()
    }
}
