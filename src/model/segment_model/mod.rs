//! The port of a model: what the engine, the views and the command line may ask of any kind of model.
//!
//! All kinds share features, segments, facts and churn. What differs is in an enum with one variant a kind, so that
//! placing a customer costs no more than a call of that kind. K-means is the only kind. A grid of quantile cells
//! (recency, frequency, spend) could be a second: scaling is monotone, so its cuts can be kept as scaled values, and
//! every method below can be computed from the cells.
//!
//! Vectors have one entry a feature, in the order of [`SegmentModel::features`]; segments are indices into
//! [`SegmentModel::segments`], at most [`crate::model::artifact::SEGMENTS_MAX`].

mod build;

use std::sync::Arc;

use crate::domain::change::Contribution;
use crate::domain::change::ModelFacts;
use crate::domain::ids::SegmentId;
use crate::model::artifact::ChurnBasis;
use crate::model::artifact::TrainingFacts;
use crate::model::churn::ChurnModel;
use crate::model::evaluation::Evaluation;
use crate::model::evaluation::Step;
use crate::model::feature::Feature;
use crate::model::feature::VALUE_MAX;
use crate::model::kmeans::KMeans;
use crate::model::path::Coordinate;
use crate::model::path::Crossing;
use crate::model::placement::Placement;

/// Features that an explanation names.
const EXPLANATION_FEATURES_MAX: usize = 3;

/// A model that fits together: every vector has one coordinate a feature, every number is finite,
/// every id is unique, and the fingerprint is that of the content.
#[derive(Clone, Debug)]
pub struct SegmentModel {
    facts: ModelFacts,
    features: Vec<Feature>,
    segments: Vec<Segment>,
    kind: Kind,
    training: TrainingFacts,
    /// Days of the features' windows, each once.
    windows_days: Vec<u32>,
    churn: Option<ChurnFacts>,
    fingerprint: String,
}

/// How customers are placed.
#[derive(Clone, Debug)]
enum Kind {
    /// By the nearest centroid.
    KMeans(KMeans),
}

/// The churn model of a validated model; its time is in days.
#[derive(Clone, Copy, Debug)]
pub struct ChurnFacts {
    /// The formulas with their parameters.
    pub model: ChurnModel,
    /// The basis of the parameters.
    pub basis: ChurnBasis,
}

/// A segment of a validated model.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Stable id.
    pub id: SegmentId,
    /// Name for people.
    pub name: Arc<str>,
    /// A sentence on the customers of the segment.
    pub description: String,
    /// Share of the training rows, 0 to 1.
    pub share: f64,
    /// The values that stand for the segment, in the features' units and order: the centroid.
    pub profile: Vec<f64>,
}

/// The problems of an artifact, one sentence each.
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

    /// Facts of the training.
    #[must_use]
    pub fn training(&self) -> &TrainingFacts {
        &self.training
    }

    /// SHA-256 of the artifact's content, in hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The index of a segment; `None` for a segment of another version.
    #[must_use]
    pub fn segment_index(&self, id: &SegmentId) -> Option<usize> {
        self.segments.iter().position(|segment| segment.id == *id)
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

    /// The churn model; `None` where the artifact has none.
    #[must_use]
    pub fn churn(&self) -> Option<&ChurnFacts> {
        self.churn.as_ref()
    }

    /// Takes one value a feature, in its unit and before the cap, `None` where it is unknown, and places the
    /// customer, given the index of the current segment. An unknown value is taken as the feature's median.
    #[must_use]
    pub fn evaluate(
        &self,
        known: impl Iterator<Item = Option<f64>>,
        current: Option<usize>,
    ) -> Evaluation {
        let mut raw = Vec::with_capacity(self.features.len());
        let mut is_imputed = Vec::with_capacity(self.features.len());
        let mut scaled = Vec::with_capacity(self.features.len());
        for (feature, known) in self.features.iter().zip(known) {
            let known = known.filter(|value| value.abs() <= VALUE_MAX);
            let value = known.unwrap_or(feature.median);
            raw.push(value);
            is_imputed.push(known.is_none());
            scaled.push(feature.scale(value));
        }
        let placement = self.place(&scaled, current);
        Evaluation {
            raw,
            is_imputed,
            scaled,
            placement,
        }
    }

    /// The segment of a customer by scaled values: the rule itself; borders and steps are computed to agree with it. Total
    /// and deterministic. The current segment is kept within the kind's margin, and a segment that this version does
    /// not have counts as none.
    #[must_use]
    pub fn place(&self, scaled: &[f64], current: Option<usize>) -> Placement {
        match &self.kind {
            Kind::KMeans(kmeans) => kmeans.place(scaled, current),
        }
    }

    /// Where a customer lies as one of a given segment, whether the rule would keep it there or not.
    #[must_use]
    pub fn placed_in(&self, scaled: &[f64], segment: usize) -> Placement {
        match &self.kind {
            Kind::KMeans(kmeans) => kmeans.placed_in(scaled, segment),
        }
    }

    /// Where a customer of the segment `own` leaves it, if the features move along a path and nothing else happens:
    /// the first instant within `until_days` (inclusive, may be infinite), in days from the start of the path;
    /// `None` if there is none. It is as exact as floating point is: the caller finds the millisecond by
    /// [`Self::place`]. Only growth of a day a day or none is asked for, so for a grid it is the next cut of
    /// recency or tenure.
    #[must_use]
    pub fn next_border(
        &self,
        path: &[Coordinate],
        own: usize,
        until_days: f64,
    ) -> Option<Crossing> {
        match &self.kind {
            Kind::KMeans(kmeans) => kmeans.next_border(path, own, until_days),
        }
    }

    /// The features that decide most between the own segment and the runner-up, at most three, strongest first; empty
    /// where there is nothing to compare. A grid would name the features whose cells differ.
    #[must_use]
    pub fn explanation(&self, evaluation: &Evaluation) -> Vec<Contribution> {
        let mut contributions = match &self.kind {
            Kind::KMeans(kmeans) => kmeans.contributions(evaluation, &self.features),
        };
        contributions.sort_by(|left, right| right.pull.abs().total_cmp(&left.pull.abs()));
        contributions.truncate(EXPLANATION_FEATURES_MAX);
        contributions
    }

    /// For each feature the nearest border on either side of the customer's value, all other features as they are;
    /// none where no segment begins there. Borders that no value reaches (beyond a cap, say) may be among them.
    #[must_use]
    pub fn steps(&self, evaluation: &Evaluation) -> Vec<Step> {
        match &self.kind {
            Kind::KMeans(kmeans) => kmeans.steps(evaluation),
        }
    }

    /// Names of the features that were filled from the medians.
    #[must_use]
    pub fn imputed(&self, evaluation: &Evaluation) -> Vec<Arc<str>> {
        let features = self.features.iter().zip(&evaluation.is_imputed);
        features
            .filter(|(_, imputed)| **imputed)
            .map(|(feature, _)| Arc::clone(&feature.name))
            .collect()
    }
}
