//! The parts of a change: segments, model, contributions.

use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;

use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;

/// A segment and its name in the model that decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedSegment {
    /// Stable id.
    pub segment_id: SegmentId,
    /// Name for people.
    pub segment_name: Arc<str>,
}

/// The segment before a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreviousSegment {
    /// Which.
    #[serde(flatten)]
    pub segment: NamedSegment,
    /// Since when.
    pub since: Timestamped,
}

/// The model that decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelFacts {
    /// Its version.
    pub version: ModelVersion,
    /// When it was trained.
    pub trained_at: Timestamped,
    /// Its number of segments.
    pub k: usize,
}

/// The nearest other segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunnerUp {
    /// Which.
    pub segment_id: SegmentId,
    /// Distance to its centroid in standard deviations.
    pub distance: f64,
}

/// How much one feature favours the own segment over the runner-up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// Name of the feature.
    pub feature: Arc<str>,
    /// The customer's value before caps, in the feature's unit.
    pub value: f64,
    /// The centroid of the own segment, in the feature's unit.
    pub segment_mean: f64,
    /// What the feature adds to d2(runner-up) - d2(own), as a share of its magnitude; from -100 to 100. Above 0 it speaks for
    /// the own segment.
    pub pull: f64,
}

/// An instant that is written as RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamped(pub Timestamp);

impl Serialize for Timestamped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
