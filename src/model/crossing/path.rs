//! A path of growing coordinates, the segments as it sees them, and where it leaves one.

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

/// Where a path leaves a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// When, in days from the start of the path.
    pub days: f64,
    /// Index of the segment entered.
    pub segment: usize,
}

/// The segments as a path sees them.
#[derive(Clone, Copy, Debug)]
pub struct Borders<'a> {
    /// The scaled centroids, k x d, row by row.
    pub centroids: &'a [f64],
    /// What the squared distance to each segment must gain over that to the own; k.
    pub margins: &'a [f64],
    /// Index of the assigned segment.
    pub own: usize,
}
