//! A validated model: scales raw features and finds the segment of a customer.

use std::sync::Arc;

use crate::domain::change::ModelFacts;
use crate::domain::change::Timestamped;
use crate::domain::features::FeatureSource;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::ArtifactSegment;
use crate::model::artifact::ChurnBasis;
use crate::model::artifact::SEGMENTS_MAX;
use crate::model::artifact::TrainingFacts;
use crate::model::artifact::Transform;
use crate::model::churn::ChurnModel;
use crate::model::churn::Parameters;
use crate::model::crossing::Borders;
use crate::model::validation;

/// A model that fits together: every vector has one coordinate a feature, every number is finite,
/// every id is unique, and the fingerprint is that of the content.
#[derive(Clone, Debug)]
pub struct SegmentModel {
    facts: ModelFacts,
    features: Vec<Feature>,
    segments: Vec<Segment>,
    /// k x d, row by row.
    centroids: Vec<f64>,
    /// k x k: what the squared distance to the column must gain over that to the row.
    margins: Vec<f64>,
    training: TrainingFacts,
    /// Days of the features' windows, each once.
    windows_days: Vec<u32>,
    churn: Option<ChurnFacts>,
    fingerprint: String,
}

/// The churn model of a validated model; its time is in days.
#[derive(Clone, Copy, Debug)]
pub struct ChurnFacts {
    /// The formulas with their parameters.
    pub model: ChurnModel,
    /// What the parameters rest on.
    pub basis: ChurnBasis,
}

/// A feature of a validated model.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Its name.
    pub name: Arc<str>,
    /// Where its raw value comes from.
    pub source: FeatureSource,
    /// Trailing days counted; `None`: since ever.
    pub window_days: Option<u32>,
    /// Median of the training rows, in the feature's unit.
    pub median: f64,
    transform: Transform,
    cap: f64,
    mean: f64,
    standard_deviation: f64,
}

impl Feature {
    /// Caps, transforms and scales a raw value to standard deviations from the mean.
    #[must_use]
    pub fn scale(&self, raw: f64) -> f64 {
        (self.transform.apply(raw.min(self.cap)) - self.mean) / self.standard_deviation
    }

    /// The transform after the cap.
    #[must_use]
    pub fn transform(&self) -> Transform {
        self.transform
    }

    /// Mean of the transformed training values.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation of the transformed training values.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.standard_deviation
    }

    /// Greatest raw value that counts, in the feature's unit; infinite where there is none.
    #[must_use]
    pub fn cap(&self) -> f64 {
        self.cap
    }

    /// The raw value of a scaled one.
    #[must_use]
    pub fn unscale(&self, scaled: f64) -> f64 {
        self.transform
            .invert(scaled * self.standard_deviation + self.mean)
    }
}

/// A segment of a validated model.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Stable id.
    pub id: SegmentId,
    /// Name for people.
    pub name: Arc<str>,
    /// What to think of when reading the name.
    pub description: String,
    /// Share of the training rows, 0 to 1.
    pub share: f64,
    /// The centroid in the features' units, in the order of the features.
    pub profile: Vec<f64>,
}

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

/// What does not fit in an artifact: every problem, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model does not fit: {}", .problems.join("; "))]
pub struct Misfit {
    /// One sentence a problem.
    pub problems: Vec<String>,
}

impl SegmentModel {
    /// Checks an artifact and makes it ready to assign.
    ///
    /// # Errors
    /// Lists everything that does not fit.
    pub fn from_artifact(artifact: &Artifact) -> Result<Self, Misfit> {
        let mut problems = validation::problems(artifact);
        let trained_at = Timestamp::parse_rfc3339(&artifact.trained_at);
        if trained_at.is_none() {
            problems.push(format!(
                "trained_at {:?} is no RFC 3339 instant",
                artifact.trained_at
            ));
        }
        match trained_at {
            Some(trained_at) if problems.is_empty() => Ok(Self::build(artifact, trained_at)),
            Some(_) | None => Err(Misfit { problems }),
        }
    }

    fn build(artifact: &Artifact, trained_at: Timestamp) -> Self {
        let features = artifact.features.iter().map(feature).collect();
        let segments = artifact
            .segments
            .iter()
            .map(|entry| segment(entry, artifact))
            .collect();
        let rows = artifact.segments.iter();
        let centroids: Vec<f64> = rows
            .flat_map(|entry| entry.centroid.iter().copied())
            .collect();
        let dimensions = artifact.features.len();
        let margins = centroids
            .chunks_exact(dimensions)
            .flat_map(|own| {
                centroids.chunks_exact(dimensions).map(|other| {
                    let apart = squared_distance(own, other).sqrt();
                    artifact.margin.squared + 2.0 * artifact.margin.distance * apart
                })
            })
            .collect();
        let mut windows_days: Vec<u32> = artifact
            .features
            .iter()
            .filter_map(|feature| feature.window_days)
            .collect();
        windows_days.sort_unstable();
        windows_days.dedup();
        Self {
            facts: ModelFacts {
                version: ModelVersion::new(artifact.version.as_str()),
                trained_at: Timestamped(trained_at),
                k: artifact.segments.len(),
            },
            features,
            segments,
            centroids,
            margins,
            training: artifact.training.clone(),
            windows_days,
            churn: churn(artifact),
            fingerprint: artifact.fingerprint.clone(),
        }
    }

    /// Version, time of training and number of segments.
    #[must_use]
    pub fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    /// The features, in the order of every vector's coordinates.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The segments, by index.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Where the model comes from.
    #[must_use]
    pub fn training(&self) -> &TrainingFacts {
        &self.training
    }

    /// SHA-256 of the artifact's content, in hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The index of a segment in this version.
    #[must_use]
    pub fn segment_index(&self, id: &SegmentId) -> Option<usize> {
        self.segments.iter().position(|segment| segment.id == *id)
    }

    /// The scaled centroid of a segment, one coordinate a feature.
    #[must_use]
    pub fn centroid(&self, segment: usize) -> &[f64] {
        self.centroids
            .chunks_exact(self.features.len())
            .nth(segment)
            .unwrap_or(&[])
    }

    /// Longest window of any feature, in days; 0 without windows.
    #[must_use]
    pub fn window_days_max(&self) -> u32 {
        self.windows_days.last().copied().unwrap_or(0)
    }

    /// The windows of the features, in days, ascending, each once.
    #[must_use]
    pub fn windows_days(&self) -> &[u32] {
        &self.windows_days
    }

    /// The churn model, if there is one.
    #[must_use]
    pub fn churn(&self) -> Option<&ChurnFacts> {
        self.churn.as_ref()
    }

    /// What a customer of a segment must cross to leave it.
    #[must_use]
    pub fn borders(&self, own: usize) -> Borders<'_> {
        let margins = self.margins.chunks_exact(self.segments.len()).nth(own);
        Borders {
            centroids: &self.centroids,
            margins: margins.unwrap_or(&[]),
            own,
        }
    }

    /// Finds the segment of a scaled point (one coordinate a feature). Without a current segment
    /// the nearest centroid wins, the lower index among equals; a customer of segment i moves to
    /// the k that minimises D_k + m_ik, if that is below D_i. CHURN_AND_TIME, section 3.2.
    #[must_use]
    pub fn assign(&self, scaled: &[f64], current: Option<usize>) -> Placement {
        let rows = self.centroids.chunks_exact(self.features.len());
        let mut distances = [f64::INFINITY; SEGMENTS_MAX];
        for (distance, centroid) in distances.iter_mut().zip(rows) {
            *distance = squared_distance(scaled, centroid);
        }
        let distances = distances.get(..self.segments.len()).unwrap_or(&distances);
        let segment =
            match current.and_then(|own| Some((own, *distances.get(own)?))) {
                None => nearest(distances.iter().copied()).map_or(0, |best| best.segment),
                Some((own, own_distance)) => {
                    let margins = self
                        .margins
                        .chunks_exact(distances.len())
                        .nth(own)
                        .unwrap_or(&[]);
                    let with_margin = distances.iter().zip(margins).enumerate().map(
                        |(other, (distance, margin))| {
                            if other == own {
                                f64::INFINITY
                            } else {
                                distance + margin
                            }
                        },
                    );
                    let best =
                        nearest(with_margin).filter(|best| best.distance_squared < own_distance);
                    best.map_or(own, |best| best.segment)
                }
            };
        let others = distances.iter().enumerate().map(|(other, distance)| {
            if other == segment {
                f64::INFINITY
            } else {
                *distance
            }
        });
        let runner_up = nearest(others).filter(|_| distances.len() > 1);
        let distance_squared = distances.get(segment).copied().unwrap_or(f64::INFINITY);
        Placement {
            segment,
            distance_squared,
            runner_up,
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

fn nearest(distances: impl Iterator<Item = f64>) -> Option<NearestOther> {
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

fn feature(entry: &ArtifactFeature) -> Feature {
    Feature {
        name: entry.name.as_str().into(),
        source: FeatureSource::named(&entry.name),
        window_days: entry.window_days,
        median: entry.median,
        transform: entry.transform,
        cap: entry.cap.unwrap_or(f64::INFINITY),
        mean: entry.mean,
        standard_deviation: entry.standard_deviation,
    }
}

fn churn(artifact: &Artifact) -> Option<ChurnFacts> {
    let entry = artifact.churn.as_ref()?;
    let parameters = Parameters {
        r: entry.r,
        alpha: entry.alpha_days,
        a: entry.a,
        b: entry.b,
    };
    Some(ChurnFacts {
        model: ChurnModel::new(entry.method, parameters)?,
        basis: entry.basis,
    })
}

fn segment(entry: &ArtifactSegment, artifact: &Artifact) -> Segment {
    let value = |feature: &ArtifactFeature| entry.profile.get(&feature.name).copied();
    Segment {
        id: SegmentId::new(entry.id.as_str()),
        name: entry.name.as_str().into(),
        description: entry.description.clone(),
        share: entry.share,
        profile: artifact.features.iter().filter_map(value).collect(),
    }
}
