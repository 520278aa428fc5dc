//! Many random starts of k-means on few rows, of which only the best continues: greedy k-means++, then Lloyd's
//! steps, four centroids at a time on contiguous rows.

use ndarray::Array2;
use ndarray::ArrayView2;
use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;
use rayon::iter::IntoParallelIterator;
use rayon::iter::ParallelIterator;

use crate::learn::blocks::Blocks;
use crate::learn::blocks::LANES;
use crate::learn::blocks::Rows;
use crate::learn::blocks::squared_distances;
use crate::learn::lloyd::Settled;
use crate::learn::lloyd::settle;
use crate::model::kmeans::squared_distance;

/// A start has converged, for the competition, when a step moves its centroids by no more than this: the sum of
/// their squared moves, in standard deviations. As scikit-learn's default.
const TOLERANCE_SQUARED: f64 = 1e-4;

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

/// Indices drawn by weight; uniformly where all weights are 0. `sums` is a buffer.
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
