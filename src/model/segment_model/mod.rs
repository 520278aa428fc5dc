//! A validated model: scales raw features and finds the segment of a customer.

mod build;
mod feature;
mod placement;

pub use crate::model::segment_model::feature::Feature;
pub use crate::model::segment_model::placement::NearestOther;
pub use crate::model::segment_model::placement::Placement;
pub use crate::model::segment_model::placement::squared_distance;

use std::sync::Arc;

use crate::domain::change::ModelFacts;
use crate::domain::ids::SegmentId;
use crate::model::artifact::ChurnBasis;
use crate::model::artifact::SEGMENTS_MAX;
use crate::model::artifact::TrainingFacts;
use crate::model::churn::ChurnModel;
use crate::model::crossing::Borders;
use crate::model::segment_model::placement::nearest;

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

/// What does not fit in an artifact: every problem, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model does not fit: {}", .problems.join("; "))]
pub struct Misfit {
    /// One sentence a problem.
    pub problems: Vec<String>,
}

impl SegmentModel {
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
    /// the k that minimises D_k + m_ik, if that is below D_i: docs/TIME_AND_CHURN.md, The segment of a
    /// customer.
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
