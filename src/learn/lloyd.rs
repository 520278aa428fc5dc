//! Lloyd's steps on contiguous rows, which save most distances by bounds.

use crate::learn::blocks::Blocks;
use crate::learn::blocks::Member;
use crate::learn::blocks::Rows;
use crate::learn::scaler::count;
use crate::model::kmeans::squared_distance;

const STEPS_MAX: usize = 300;

/// The centroids of a start that has converged.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    /// k rows of d.
    pub(super) centroids: Vec<f64>,
    pub(super) inertia: f64,
}

/// Lloyd's steps until a step moves the centroids by no more than the limit. An empty cluster keeps its centroid.
pub(super) fn settle(rows: Rows<'_>, mut centroids: Vec<f64>, tolerance_squared: f64) -> Settled {
    let dimensions = rows.dimensions.max(1);
    let mut clusters = Clusters::new(rows, &centroids);
    let mut moves = vec![0.0; centroids.len() / dimensions];
    for _ in 0..STEPS_MAX {
        let mut moved_squared = 0.0;
        let means = clusters.sums.chunks_exact(dimensions).zip(&clusters.sizes);
        let each = centroids.chunks_exact_mut(dimensions).zip(means);
        for ((centroid, (sum, size)), moved) in each.zip(&mut moves) {
            let mut squared = 0.0;
            if *size > 0 {
                for (centre, sum) in centroid.iter_mut().zip(sum) {
                    let mean = sum / count(*size);
                    squared += (mean - *centre) * (mean - *centre);
                    *centre = mean;
                }
            }
            moved_squared += squared;
            *moved = squared.sqrt();
        }
        if moved_squared <= tolerance_squared {
            break;
        }
        clusters.assign_again(rows, &centroids, &moves);
    }
    let own = |member: &Member| centroids.chunks_exact(dimensions).nth(member.label);
    let inertia = rows
        .iter()
        .zip(&clusters.members)
        .filter_map(|(row, member)| Some(squared_distance(row, own(member)?)))
        .sum();
    Settled { centroids, inertia }
}

/// The rows by cluster, and the sums of which the centroids are the means.
#[derive(Clone, Debug)]
struct Clusters {
    members: Vec<Member>,
    pub(super) sums: Vec<f64>,
    sizes: Vec<usize>,
}

impl Clusters {
    fn new(rows: Rows<'_>, centroids: &[f64]) -> Self {
        let dimensions = rows.dimensions.max(1);
        let blocks = Blocks::of(centroids, dimensions);
        let mut clusters = Self {
            members: rows.iter().map(|row| blocks.nearest_two(row)).collect(),
            sums: vec![0.0; centroids.len()],
            sizes: vec![0; centroids.len() / dimensions],
        };
        for (place, row) in rows.iter().enumerate() {
            if let Some(label) = clusters.members.get(place).map(|member| member.label) {
                clusters.add(label, row, 1.0);
            }
        }
        clusters
    }

    /// Adds a row with weight 1, or removes it with weight -1.
    fn add(&mut self, label: usize, row: &[f64], weight: f64) {
        let from = label * row.len();
        let sum = self.sums.get_mut(from..from + row.len());
        if let (Some(sum), Some(size)) = (sum, self.sizes.get_mut(label)) {
            *size = if weight > 0.0 { *size + 1 } else { *size - 1 };
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, x)| *sum += weight * x);
        }
    }

    /// Assigns every row to its nearest centroid, after each centroid moved by the given distance.
    fn assign_again(&mut self, rows: Rows<'_>, centroids: &[f64], moves: &[f64]) {
        let dimensions = rows.dimensions.max(1);
        let blocks = Blocks::of(centroids, dimensions);
        let farthest = moves.iter().copied().fold(0.0, f64::max);
        let mut moved = Vec::new();
        for (row, member) in rows.iter().zip(&mut self.members) {
            let (Some(by), Some(own)) = (
                moves.get(member.label),
                centroids.get(member.label * dimensions..(member.label + 1) * dimensions),
            ) else {
                continue;
            };
            member.own_most += by;
            member.others_least -= farthest;
            if member.own_most < member.others_least {
                continue;
            }
            member.own_most = squared_distance(row, own).sqrt();
            if member.own_most < member.others_least {
                continue;
            }
            let before = member.label;
            *member = blocks.nearest_two(row);
            if member.label != before {
                moved.push((row, before, member.label));
            }
        }
        for (row, before, after) in moved {
            self.add(before, row, -1.0);
            self.add(after, row, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: the two pairs, each 0.5 from its mean on either side; inertia 4 x 0.25.
    #[test]
    fn two_pairs_settle_in_their_means() {
        let values = [0.0, 1.0, 10.0, 11.0];
        let rows = Rows {
            values: &values,
            dimensions: 1,
        };
        let settled = settle(rows, vec![0.0, 11.0], 0.0);
        assert_eq!(settled.centroids, [0.5, 10.5]);
        assert!((settled.inertia - 1.0).abs() < 1e-12);
    }
}
