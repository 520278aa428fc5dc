//! Segments by centroids: a customer belongs to the nearest one, and moves only past a margin.

pub mod crossing;
mod explanation;
mod nearest;
mod steps;

pub use crate::model::kmeans::nearest::squared_distance;

use crate::model::artifact::Artifact;
use crate::model::artifact::SEGMENTS_MAX;
use crate::model::kmeans::crossing::Borders;
use crate::model::kmeans::crossing::next_crossing;
use crate::model::kmeans::nearest::nearest;
use crate::model::path::Coordinate;
use crate::model::path::Crossing;
use crate::model::placement::Placement;

/// The centroids, in the order of the segments, and the margins between them.
#[derive(Clone, Debug)]
pub struct KMeans {
    /// Coordinates of a centroid, one a feature.
    dimensions: usize,
    /// k x d, row by row.
    centroids: Vec<f64>,
    /// k x k: what the squared distance to the column must gain over that to the row.
    margins: Vec<f64>,
}

impl KMeans {
    /// Makes the kind from an artifact that was checked.
    #[must_use]
    pub fn of(artifact: &Artifact) -> Self {
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
            dimensions,
            centroids,
            margins,
        }
    }

    /// Without a current segment the nearest centroid wins, the lower index among equals; a customer of
    /// segment i moves to the k that minimises D_k + m_ik, if that is below D_i: docs/TIME_AND_CHURN.md, The
    /// segment of a customer.
    #[must_use]
    pub fn place(&self, scaled: &[f64], current: Option<usize>) -> Placement {
        let distances = self.distances(scaled);
        let distances = distances.get(..self.len()).unwrap_or(&distances);
        let own = current.and_then(|own| Some((own, *distances.get(own)?)));
        let segment = match own {
            None => nearest(distances.iter().copied()).map_or(0, |best| best.segment),
            Some((own, own_distance)) => {
                let margins = self.margins_of(own);
                let with_margins = distances.iter().zip(margins);
                let with_margins = with_margins.map(|(distance, margin)| distance + margin);
                nearest(without(own, with_margins))
                    .filter(|best| best.distance_squared < own_distance)
                    .map_or(own, |best| best.segment)
            }
        };
        among(distances, segment)
    }

    /// Where a customer lies as one of a given segment, whether the rule would keep it there or not.
    #[must_use]
    pub fn placed_in(&self, scaled: &[f64], segment: usize) -> Placement {
        let distances = self.distances(scaled);
        among(distances.get(..self.len()).unwrap_or(&distances), segment)
    }

    /// The squared distance to each centroid; infinite beyond the last one.
    fn distances(&self, scaled: &[f64]) -> [f64; SEGMENTS_MAX] {
        let mut distances = [f64::INFINITY; SEGMENTS_MAX];
        let rows = self.centroids.chunks_exact(self.dimensions);
        for (distance, centroid) in distances.iter_mut().zip(rows) {
            *distance = squared_distance(scaled, centroid);
        }
        distances
    }

    /// Where a path leaves a segment: [`next_crossing`].
    #[must_use]
    pub fn next_border(
        &self,
        path: &[Coordinate],
        own: usize,
        until_days: f64,
    ) -> Option<Crossing> {
        let borders = Borders {
            centroids: &self.centroids,
            margins: self.margins_of(own),
            own,
        };
        next_crossing(path, borders, until_days)
    }

    /// Number of segments.
    fn len(&self) -> usize {
        self.centroids.len() / self.dimensions
    }

    /// The scaled centroid of a segment, one coordinate a feature.
    fn centroid(&self, segment: usize) -> &[f64] {
        let mut rows = self.centroids.chunks_exact(self.dimensions);
        rows.nth(segment).unwrap_or(&[])
    }

    /// What the squared distance to each segment must gain over that to `own`.
    fn margins_of(&self, own: usize) -> &[f64] {
        let mut rows = self.margins.chunks_exact(self.len());
        rows.nth(own).unwrap_or(&[])
    }
}

/// The placement of a customer of a segment, by the squared distance to each.
fn among(distances: &[f64], segment: usize) -> Placement {
    let others = nearest(without(segment, distances.iter().copied()));
    Placement {
        segment,
        distance_squared: distances.get(segment).copied().unwrap_or(f64::INFINITY),
        runner_up: others.filter(|_| distances.len() > 1),
    }
}

/// The distances, with one out of reach.
fn without(excluded: usize, distances: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    distances.enumerate().map(move |(segment, distance)| {
        if segment == excluded {
            f64::INFINITY
        } else {
            distance
        }
    })
}
