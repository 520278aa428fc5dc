//! A validated model: scales raw features and finds the segment of a customer.

use std::collections::BTreeSet;
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
use crate::model::artifact::FORMAT;
use crate::model::artifact::TrainingFacts;
use crate::model::artifact::Transform;

/// Most features a model may have.
pub const FEATURES_MAX: usize = 64;
/// Most segments a model may have.
pub const SEGMENTS_MAX: usize = 64;
/// Longest window, in days: a century.
const WINDOW_DAYS_MAX: u32 = 36_525;
/// Longest version, id and name, in characters.
const NAME_CHARACTERS_MAX: usize = 128;

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
    fingerprint: String,
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
        let mut problems = Vec::new();
        check_head(artifact, &mut problems);
        check_features(&artifact.features, &mut problems);
        check_segments(artifact, &mut problems);
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
        self.features
            .iter()
            .filter_map(|feature| feature.window_days)
            .max()
            .unwrap_or(0)
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

fn check_head(artifact: &Artifact, problems: &mut Vec<String>) {
    if artifact.format != FORMAT {
        problems.push(format!(
            "format {} is not {FORMAT}, the one this version reads",
            artifact.format
        ));
    }
    check_name("version", &artifact.version, problems);
    for (name, margin) in [
        ("squared", artifact.margin.squared),
        ("distance", artifact.margin.distance),
    ] {
        if !(margin.is_finite() && margin >= 0.0) {
            problems.push(format!(
                "margin.{name} {margin} is not a number of 0 or more"
            ));
        }
    }
    match artifact.compute_fingerprint() {
        Ok(fingerprint) if fingerprint == artifact.fingerprint => {}
        Ok(fingerprint) => problems.push(format!(
            "fingerprint {:?} is not that of the content, {fingerprint:?}",
            artifact.fingerprint
        )),
        Err(error) => problems.push(format!("the content cannot be fingerprinted: {error}")),
    }
}

fn check_name(field: &str, text: &str, problems: &mut Vec<String>) {
    let characters = text.chars().count();
    if characters == 0 || characters > NAME_CHARACTERS_MAX {
        problems.push(format!(
            "{field} {text:?} has not 1 to {NAME_CHARACTERS_MAX} characters"
        ));
    }
}

fn check_features(features: &[ArtifactFeature], problems: &mut Vec<String>) {
    if features.is_empty() || features.len() > FEATURES_MAX {
        problems.push(format!(
            "{} features are not 1 to {FEATURES_MAX}",
            features.len()
        ));
    }
    let mut names = BTreeSet::new();
    for feature in features {
        let name = &feature.name;
        check_name("feature name", name, problems);
        if !names.insert(name) {
            problems.push(format!("feature {name:?} occurs twice"));
        }
        let numbers = [feature.median, feature.mean, feature.standard_deviation];
        if !numbers
            .iter()
            .chain(&feature.cap)
            .all(|number| number.is_finite())
        {
            problems.push(format!("feature {name:?} has a number that is not finite"));
        }
        if feature.standard_deviation <= 0.0 {
            let found = feature.standard_deviation;
            problems.push(format!(
                "feature {name:?} has standard_deviation {found}, not above 0"
            ));
        }
        if let Some(window_days) = feature.window_days {
            if !(1..=WINDOW_DAYS_MAX).contains(&window_days) {
                problems.push(format!(
                    "feature {name:?} has window_days {window_days}, not 1 to {WINDOW_DAYS_MAX}"
                ));
            }
            if !FeatureSource::named(name).may_be_windowed() {
                problems.push(format!("feature {name:?} cannot have a window"));
            }
        }
    }
}

fn check_segments(artifact: &Artifact, problems: &mut Vec<String>) {
    let segments = &artifact.segments;
    if segments.is_empty() || segments.len() > SEGMENTS_MAX || segments.len() != artifact.training.k
    {
        problems.push(format!(
            "{} segments are not 1 to {SEGMENTS_MAX} and equal to training.k, {}",
            segments.len(),
            artifact.training.k
        ));
    }
    let mut ids = BTreeSet::new();
    let mut names = BTreeSet::new();
    for segment in segments {
        let id = &segment.id;
        check_name("segment id", id, problems);
        check_name("segment name", &segment.name, problems);
        let is_slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !id.bytes().all(is_slug) {
            problems.push(format!("segment id {id:?} has other than a-z, 0-9 and -"));
        }
        if !ids.insert(id) || !names.insert(&segment.name) {
            problems.push(format!(
                "segment id {id:?} or name {:?} occurs twice",
                segment.name
            ));
        }
        if segment.centroid.len() != artifact.features.len() {
            problems.push(format!(
                "segment {id:?} has {} coordinates for {} features",
                segment.centroid.len(),
                artifact.features.len()
            ));
        }
        let numbers = segment.centroid.iter().chain(segment.profile.values());
        if !numbers
            .chain([&segment.share])
            .all(|number| number.is_finite())
        {
            problems.push(format!("segment {id:?} has a number that is not finite"));
        }
        if !(0.0..=1.0).contains(&segment.share) {
            problems.push(format!(
                "segment {id:?} has share {}, not 0 to 1",
                segment.share
            ));
        }
        let features: BTreeSet<&String> =
            artifact.features.iter().map(|entry| &entry.name).collect();
        if segment.profile.keys().collect::<BTreeSet<_>>() != features {
            problems.push(format!("segment {id:?} has a profile of other features"));
        }
    }
}
