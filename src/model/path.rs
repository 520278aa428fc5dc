//! A path through time: coordinates that stand still or grow, and where the path leaves a segment.

use crate::model::artifact::Transform;

/// One coordinate of a path.
#[derive(Clone, Copy, Debug)]
pub struct Coordinate {
    /// Raw value at the start, in the feature's unit; under `Log1p` it counts from 0 on.
    pub raw: f64,
    /// Growth of the raw value in its unit per day; a negative one is taken as 0.
    pub growth_per_day: f64,
    /// Greatest raw value that counts; infinite where there is none.
    pub cap: f64,
    /// Applied after the cap, before scaling.
    pub transform: Transform,
    /// Mean of the transformed training values.
    pub mean: f64,
    /// Standard deviation of the transformed training values, above zero.
    pub standard_deviation: f64,
}

impl Coordinate {
    /// A coordinate that stays at a scaled value.
    #[must_use]
    pub fn still(scaled: f64) -> Self {
        Self {
            raw: scaled,
            growth_per_day: 0.0,
            cap: f64::INFINITY,
            transform: Transform::Identity,
            mean: 0.0,
            standard_deviation: 1.0,
        }
    }

    /// Whether its scaled value changes at some time.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.growth_per_day > 0.0 && self.raw < self.cap
    }
}

/// Where a path leaves a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// When, in days from the start of the path.
    pub days: f64,
    /// Index of the segment entered.
    pub segment: usize,
}
