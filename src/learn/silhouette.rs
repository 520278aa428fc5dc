//! The silhouette, of all rows or of a sample.

use ndarray::Array2;
use ndarray::ArrayView1;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;

use crate::learn::scaler::count;

/// Rows beyond which the silhouette is that of a sample of so many: it takes the square of their number.
pub const SILHOUETTE_ROWS_MAX: usize = 5000;

/// A mean silhouette.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silhouette {
    /// Mean over the rows, -1 to 1.
    pub mean: f64,
    /// Standard error of the mean where it is that of a sample.
    pub standard_error: Option<f64>,
}

/// The mean silhouette of rows (n x d) with a cluster each: how much nearer a row is to its own cluster than
/// to the next. A row alone in its cluster counts 0. `None` unless there are 2 to n - 1 clusters.
#[must_use]
pub fn silhouette(rows: &Array2<f64>, labels: &[usize], seed: u64) -> Option<Silhouette> {
    let all = rows.nrows();
    if all <= SILHOUETTE_ROWS_MAX {
        let each = silhouettes(rows, labels)?;
        return Some(Silhouette {
            mean: mean(&each),
            standard_error: None,
        });
    }
    let mut random = Xoshiro256Plus::seed_from_u64(seed);
    let mut places = rand::seq::index::sample(&mut random, all, SILHOUETTE_ROWS_MAX).into_vec();
    places.sort_unstable();
    let sampled = rows.select(ndarray::Axis(0), &places);
    let labels: Vec<usize> = places
        .iter()
        .filter_map(|place| labels.get(*place).copied())
        .collect();
    let each = silhouettes(&sampled, &labels)?;
    let centre = mean(&each);
    let squares: f64 = each.iter().map(|one| (one - centre).powi(2)).sum();
    let variance = squares / count(each.len() - 1);
    Some(Silhouette {
        mean: centre,
        standard_error: Some((variance / count(each.len())).sqrt()),
    })
}

fn silhouettes(rows: &Array2<f64>, labels: &[usize]) -> Option<Vec<f64>> {
    let clusters = labels.iter().max()? + 1;
    let mut sizes = vec![0_usize; clusters];
    for label in labels {
        *sizes.get_mut(*label)? += 1;
    }
    let filled = sizes.iter().filter(|size| **size > 0).count();
    if filled < 2 || filled >= labels.len() {
        return None;
    }
    let rows: Vec<ArrayView1<'_, f64>> = rows.outer_iter().collect();
    // Each pair once: sums of distances from every row to every cluster.
    let mut sums = vec![0.0; rows.len() * clusters];
    for (first, (row, label)) in rows.iter().zip(labels).enumerate() {
        let (_, later) = rows.split_at(first + 1);
        for (place, other) in later.iter().enumerate() {
            let second = first + 1 + place;
            let distance = distance_squared(row, other).sqrt();
            *sums.get_mut(first * clusters + labels.get(second)?)? += distance;
            *sums.get_mut(second * clusters + label)? += distance;
        }
    }
    let each = sums.chunks_exact(clusters).zip(labels);
    each.map(|(sums, label)| one_silhouette(sums, &sizes, *label))
        .collect()
}

fn one_silhouette(sums: &[f64], sizes: &[usize], own: usize) -> Option<f64> {
    let own_size = *sizes.get(own)?;
    if own_size < 2 {
        return Some(0.0);
    }
    let within = sums.get(own)? / count(own_size - 1);
    let others = sums.iter().zip(sizes).enumerate();
    let between = others
        .filter(|(cluster, (_, size))| *cluster != own && **size > 0)
        .map(|(_, (sum, size))| sum / count(*size))
        .fold(f64::INFINITY, f64::min);
    let greater = within.max(between);
    Some(if greater > 0.0 {
        (between - within) / greater
    } else {
        0.0
    })
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len().max(1))
}

pub(super) fn distance_squared(left: &ArrayView1<'_, f64>, right: &ArrayView1<'_, f64>) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| (left - right) * (left - right))
        .sum()
}
