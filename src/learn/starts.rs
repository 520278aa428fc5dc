//! Many random starts of k-means on few rows, of which only the best goes on: greedy k-means++, then Lloyd's
//! steps, four centroids at a time on contiguous rows.

use ndarray::Array2;
use ndarray::ArrayView2;
use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;
use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use crate::learn::scaler::count;
use crate::model::segment_model::squared_distance;

/// Centroids whose distances are computed together.
const LANES: usize = 4;
/// A start has settled, for the competition, when a step moves its centroids by no more: the sum of their
/// squared moves, in standard deviations. As scikit-learn's default.
const TOLERANCE_SQUARED: f64 = 1e-4;
const STEPS_MAX: usize = 300;

type Lanes = [f64; LANES];

/// Centroids where a start has settled.
#[derive(Clone, Debug)]
struct Settled {
    /// k rows of d.
    centroids: Vec<f64>,
    inertia: f64,
}

/// Rows by rows, each of d coordinates.
#[derive(Clone, Copy, Debug)]
struct Rows<'a> {
    values: &'a [f64],
    dimensions: usize,
}

impl<'a> Rows<'a> {
    fn iter(self) -> impl Iterator<Item = &'a [f64]> {
        self.values.chunks_exact(self.dimensions.max(1))
    }

    fn number(self) -> usize {
        self.values.len() / self.dimensions.max(1)
    }

    fn get(self, place: usize) -> &'a [f64] {
        let from = place * self.dimensions;
        self.values.get(from..from + self.dimensions).unwrap_or(&[])
    }
}

/// The centroids of the start with the least inertia, the first of equals, where Lloyd's steps do not move
/// them any more. Each start has a seed of its own out of `random`, so that the number of threads of the
/// pool in use changes nothing.
#[must_use]
pub fn best_of(
    rows: ArrayView2<'_, f64>,
    k: usize,
    starts: usize,
    random: &mut Xoshiro256Plus,
) -> Array2<f64> {
    let dimensions = rows.ncols();
    let standard = rows.as_standard_layout();
    let values = standard.as_slice().unwrap_or(&[]);
    let rows = Rows { values, dimensions };
    let seeds: Vec<u64> = (0..starts).map(|_| random.r#gen()).collect();
    let settled: Vec<Settled> = seeds
        .into_par_iter()
        .map(|seed| {
            let mut random = Xoshiro256Plus::seed_from_u64(seed);
            let start = start(rows, k, &mut random);
            settle(rows, start, TOLERANCE_SQUARED)
        })
        .collect();
    let best = settled.into_iter().reduce(|best, next| {
        if next.inertia < best.inertia {
            next
        } else {
            best
        }
    });
    let best = best.map(|best| settle(rows, best.centroids, 0.0));
    let centroids = best.map(|best| best.centroids).unwrap_or_default();
    Array2::from_shape_vec((centroids.len() / dimensions.max(1), dimensions), centroids)
        .unwrap_or_default()
}

/// Greedy k-means++: each next centroid is the best of a few rows drawn by their squared distance to the
/// nearest one so far, 2 + log2 k of them. Arthur and Vassilvitskii (2007), section 5.
fn start(rows: Rows<'_>, k: usize, random: &mut Xoshiro256Plus) -> Vec<f64> {
    let first = rows.get(random.gen_range(0..rows.number().max(1)));
    let mut centroids = first.to_vec();
    let mut nearest: Vec<f64> = rows
        .iter()
        .map(|row| squared_distance(row, first))
        .collect();
    let candidates = 2 + k.max(1).ilog2();
    let mut sums = Vec::with_capacity(nearest.len());
    while centroids.len() < k * rows.dimensions {
        let drawn = draw_by_weight(&nearest, candidates, &mut sums, random);
        let drawn: Vec<&[f64]> = drawn.into_iter().map(|place| rows.get(place)).collect();
        let Some(best) = best_candidate(rows, &nearest, &drawn) else {
            break;
        };
        centroids.extend_from_slice(best);
        for (row, nearest) in rows.iter().zip(&mut nearest) {
            *nearest = nearest.min(squared_distance(row, best));
        }
    }
    centroids
}

/// The row that leaves the least sum of squared distances, the first of equals.
fn best_candidate<'a>(rows: Rows<'_>, nearest: &[f64], drawn: &[&'a [f64]]) -> Option<&'a [f64]> {
    let candidates = Blocks::of(&drawn.concat(), rows.dimensions);
    let mut best: Option<(usize, f64)> = None;
    for (number, block) in candidates.blocks().enumerate() {
        let mut totals = [0.0; LANES];
        for (row, so_far) in rows.iter().zip(nearest) {
            let distances = squared_distances(row, block);
            for (total, distance) in totals.iter_mut().zip(distances) {
                *total += distance.min(*so_far);
            }
        }
        for (lane, total) in totals.into_iter().enumerate() {
            let candidate = number * LANES + lane;
            let is_better = best.is_none_or(|(_, least)| total < least);
            if candidate < drawn.len() && is_better {
                best = Some((candidate, total));
            }
        }
    }
    let (best, _) = best?;
    drawn.get(best).copied()
}

/// Places drawn by weight; any where all weights are 0. `sums` is only room to work in.
fn draw_by_weight(
    weights: &[f64],
    number: u32,
    sums: &mut Vec<f64>,
    random: &mut Xoshiro256Plus,
) -> Vec<usize> {
    let mut sum = 0.0;
    sums.clear();
    sums.extend(weights.iter().map(|weight| {
        sum += weight;
        sum
    }));
    let last = weights.len().saturating_sub(1);
    let draws = (0..number).map(|_| {
        let at = random.r#gen::<f64>() * sum;
        if sum > 0.0 {
            sums.partition_point(|reached| *reached <= at).min(last)
        } else {
            random.gen_range(0..=last)
        }
    });
    draws.collect()
}

/// Lloyd's steps until one moves the centroids by no more. An empty cluster keeps its centroid.
fn settle(rows: Rows<'_>, mut centroids: Vec<f64>, tolerance_squared: f64) -> Settled {
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

/// Where a row is, and bounds of its distances: while the one to the own centroid is surely the least, no
/// other need be computed. Hamerly (2010), Making k-means even faster.
#[derive(Clone, Copy, Debug)]
struct Member {
    label: usize,
    /// The own centroid is at most so far.
    own_most: f64,
    /// Every other one is at least so far.
    others_least: f64,
}

/// The rows by cluster, and the sums of which the centroids are the means.
#[derive(Clone, Debug)]
struct Clusters {
    members: Vec<Member>,
    sums: Vec<f64>,
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

    /// Takes a row in by weight 1, or out by -1.
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

    /// Every row to its nearest centroid, now that each moved so far.
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

/// Centroids four by four, coordinate by coordinate; what fills up the last four is infinitely far.
#[derive(Clone, Debug)]
struct Blocks {
    lanes: Vec<Lanes>,
    dimensions: usize,
}

impl Blocks {
    fn of(centroids: &[f64], dimensions: usize) -> Self {
        let dimensions = dimensions.max(1);
        let mut lanes = Vec::with_capacity(centroids.len().div_ceil(LANES) + dimensions);
        for four in centroids.chunks(LANES * dimensions) {
            for axis in 0..dimensions {
                let mut coordinates = [f64::INFINITY; LANES];
                let each = four.chunks_exact(dimensions);
                for (lane, centroid) in coordinates.iter_mut().zip(each) {
                    *lane = centroid.get(axis).copied().unwrap_or(f64::INFINITY);
                }
                lanes.push(coordinates);
            }
        }
        Self { lanes, dimensions }
    }

    fn blocks(&self) -> impl Iterator<Item = &[Lanes]> {
        self.lanes.chunks_exact(self.dimensions)
    }

    /// The nearest centroid, the lower index among equals, and the distances to it and to the next.
    fn nearest_two(&self, row: &[f64]) -> Member {
        let mut nearest = Member {
            label: 0,
            own_most: f64::INFINITY,
            others_least: f64::INFINITY,
        };
        for (number, block) in self.blocks().enumerate() {
            for (lane, distance) in squared_distances(row, block).into_iter().enumerate() {
                if distance < nearest.own_most {
                    nearest.others_least = nearest.own_most;
                    nearest.own_most = distance;
                    nearest.label = number * LANES + lane;
                } else {
                    nearest.others_least = nearest.others_least.min(distance);
                }
            }
        }
        nearest.own_most = nearest.own_most.sqrt();
        nearest.others_least = nearest.others_least.sqrt();
        nearest
    }
}

#[inline]
fn squared_distances(row: &[f64], block: &[Lanes]) -> Lanes {
    let mut distances = [0.0; LANES];
    for (x, centres) in row.iter().zip(block) {
        for (distance, centre) in distances.iter_mut().zip(centres) {
            *distance += (x - centre) * (x - centre);
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: from (0, 0), of (3, 4), (1, 0), (0, 1), (6, 8) and (1, 0) again, the second is the nearest,
    /// and the last is as near.
    #[test]
    fn the_nearest_of_more_than_four_is_found_and_the_lower_of_equals_wins() {
        let centroids = [3.0, 4.0, 1.0, 0.0, 0.0, -1.5, 6.0, 8.0, 1.0, 0.0];
        let blocks = Blocks::of(&centroids, 2);
        for (row, label, own, next) in [
            ([0.0, 0.0], 1, 1.0, 1.0),
            ([6.0, 8.0], 3, 0.0, 5.0),
            ([0.0, -3.0], 2, 1.5, 10.0_f64.sqrt()),
        ] {
            let found = blocks.nearest_two(&row);
            assert_eq!(
                (found.label, found.own_most, found.others_least),
                (label, own, next)
            );
        }
    }

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
