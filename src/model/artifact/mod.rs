//! The model artifact as it is written to `models/*.json`. Plain data: nothing here is checked;
//! [`crate::model::segment_model::SegmentModel`] refuses what does not fit.

mod churn;
mod transform;

pub use crate::model::artifact::churn::ArtifactChurn;
pub use crate::model::artifact::churn::ArtifactHoldout;
pub use crate::model::artifact::churn::ChurnBasis;
pub use crate::model::artifact::transform::Transform;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

/// Version of the artifact's shape.
pub const FORMAT: u32 = 1;
/// Most features a model may have.
pub const FEATURES_MAX: usize = 64;
/// Most segments a model may have.
pub const SEGMENTS_MAX: usize = 64;

/// One immutable version of a model, as a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Version of the shape: [`FORMAT`].
    pub format: u32,
    /// Name of this version, never reused.
    pub version: String,
    /// RFC 3339 instant of training.
    pub trained_at: String,
    /// The features, in the order of every centroid's coordinates.
    pub features: Vec<ArtifactFeature>,
    /// How far past the border a customer must be before the segment changes.
    pub margin: ArtifactMargin,
    /// The segments, in ascending order of the value they stand for.
    pub segments: Vec<ArtifactSegment>,
    /// Facts of the training.
    pub training: TrainingFacts,
    /// The churn model; absent: this model has no churn formulas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<ArtifactChurn>,
    /// SHA-256 of everything else, in hexadecimal.
    pub fingerprint: String,
}

/// One feature: its definition and its scaling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactFeature {
    /// Name from the features table, or of an attribute.
    pub name: String,
    /// Applied after the cap, before scaling.
    pub transform: Transform,
    /// Trailing days counted; absent: since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_days: Option<u32>,
    /// Greatest value that counts, in the feature's unit; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<f64>,
    /// Median of the training rows, in the feature's unit; replaces an unknown value.
    pub median: f64,
    /// Mean of the transformed training values.
    pub mean: f64,
    /// Population standard deviation of the transformed training values, above zero.
    pub standard_deviation: f64,
}

/// Hysteresis: a customer leaves segment i for k when D_k + squared + 2 distance |c_k - c_i| < D_i.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactMargin {
    /// Added to the squared distance.
    pub squared: f64,
    /// Distance past the bisecting plane, in standard deviations.
    pub distance: f64,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactSegment {
    /// Stable id: lower-case letters, digits and hyphens.
    pub id: String,
    /// Name for people, unique in the model.
    pub name: String,
    /// A sentence on the customers of the segment.
    pub description: String,
    /// Training rows in the segment.
    pub size: u64,
    /// Share of the training rows, 0 to 1.
    pub share: f64,
    /// Scaled coordinates, one a feature.
    pub centroid: Vec<f64>,
    /// The centroid in the features' units, by feature name.
    pub profile: BTreeMap<String, f64>,
    /// First quartile, median and third quartile of the segment's training rows, in the features' units, by
    /// feature name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quartiles: BTreeMap<String, [f64; 3]>,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingFacts {
    /// What was read: the input's file name and format.
    pub source: String,
    /// RFC 3339 instant as of which features were computed, for data without event times.
    pub as_of: String,
    /// Rows read.
    pub rows_read: u64,
    /// Rows left out, by reason.
    pub rows_dropped: BTreeMap<String, u64>,
    /// Rows used.
    pub rows: u64,
    /// Number of segments.
    pub k: usize,
    /// Sum of squared distances to the own centroid over all rows.
    pub inertia: f64,
    /// Seed of the random starts.
    pub seed: u64,
    /// Random starts, the best of which was kept.
    pub runs: usize,
    /// Mean silhouette of the rows, or of a sample of them; absent for one segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silhouette: Option<f64>,
    /// The reason for the number of segments, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
}

impl Artifact {
    /// The fingerprint that belongs to this content.
    ///
    /// # Errors
    /// Only if a number is not finite.
    pub fn compute_fingerprint(&self) -> Result<String, serde_json::Error> {
        let unsigned = Self {
            fingerprint: String::new(),
            ..self.clone()
        };
        let digest = Sha256::digest(serde_json::to_vec(&unsigned)?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
