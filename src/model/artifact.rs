//! The model artifact as it is written to `models/*.json`. Plain data: nothing here is checked;
//! [`crate::model::segment_model::SegmentModel`] refuses what does not fit.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use crate::model::churn::Family;

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
    /// Where the model comes from.
    pub training: TrainingFacts,
    /// How likely customers are lost; absent: this model does not tell.
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
    /// Median of the training rows, in the feature's unit; stands in for an unknown value.
    pub median: f64,
    /// Mean of the transformed training values.
    pub mean: f64,
    /// Population standard deviation of the transformed training values, above zero.
    pub standard_deviation: f64,
}

/// Monotone transform of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// x
    Identity,
    /// ln(1 + x), for x >= 0
    Log1p,
}

impl Transform {
    /// Applies the transform; `Log1p` takes negative values as 0.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::Identity => value,
            Self::Log1p => libm::log1p(value.max(0.0)),
        }
    }

    /// Takes the transform back.
    #[must_use]
    pub fn invert(self, value: f64) -> f64 {
        match self {
            Self::Identity => value,
            Self::Log1p => libm::expm1(value),
        }
    }
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
    /// What to think of when reading the name.
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
    /// Why there are so many segments, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
}

/// A fitted model of repeat purchases, with time in days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactChurn {
    /// Which model.
    pub method: Family,
    /// Shape of the purchase rates, above 0.
    pub r: f64,
    /// Scale of the purchase rates in days, above 0.
    pub alpha_days: f64,
    /// First shape of the drop-out probabilities, above 0.
    pub a: f64,
    /// Second shape of the drop-out probabilities, above 0.
    pub b: f64,
    /// What the parameters rest on.
    pub basis: ChurnBasis,
    /// What was read: the input's file name and format.
    pub source: String,
    /// RFC 3339 instant of the fit.
    pub fitted_at: String,
    /// Last day of the purchases that were used.
    pub until: String,
    /// Customers with a purchase up to then.
    pub customers: u64,
    /// `weak` or `none`.
    pub prior: String,
    /// Log-likelihood of the customers, without the prior.
    pub log_likelihood: f64,
    /// How well it tells who buys again after `until`; absent where that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<ArtifactHoldout>,
}

/// What the parameters of a churn model rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChurnBasis {
    /// The shop's own customers.
    Fitted,
    /// Another shop's customers: a stand-in until there is a fit of the own ones.
    Example,
    /// Too few customers: what is usual elsewhere.
    Prior,
}

impl ChurnBasis {
    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::Example => "example",
            Self::Prior => "prior",
        }
    }
}

/// The forecast "buys again within so many days" against what came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactHoldout {
    /// Days after the last day that was used.
    pub days: u32,
    /// Customers, all of them.
    pub customers: u64,
    /// Share of them that bought again.
    pub share_returned: f64,
    /// Chance that a customer who returned had the higher forecast than one who did not.
    pub area_under_curve: f64,
    /// Mean squared error of the forecasts.
    pub brier: f64,
}

impl Artifact {
    /// The fingerprint this content should carry.
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
