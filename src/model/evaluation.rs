//! One customer in one model: the values that were read, and where they lie.

use crate::model::placement::Placement;

/// One customer in one model as of one instant. All vectors have one entry a feature, in the order of the
/// model's features.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Raw values before caps, in the features' units; the model's median where unknown.
    pub raw: Vec<f64>,
    /// Whether the raw value is the model's median.
    pub is_imputed: Vec<bool>,
    /// Capped, transformed and scaled values, in standard deviations from the mean.
    pub scaled: Vec<f64>,
    /// Where they lie.
    pub placement: Placement,
}

/// A value of one feature, all others as they are, beyond which the segment changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Index of the feature.
    pub feature: usize,
    /// The scaled value at the border.
    pub scaled: f64,
    /// How far that is from the customer's, in standard deviations; below 0 where the value must fall.
    pub step: f64,
    /// Index of the segment beyond the border.
    pub segment: usize,
}
