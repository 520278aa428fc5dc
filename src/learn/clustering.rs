//! Rows by their nearest centroids, and exact Lloyd steps.

use ndarray::Array2;
use ndarray::ArrayView1;

use crate::learn::scaler::count;

/// A fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Clustering {
    /// k rows of d scaled coordinates.
    pub centroids: Vec<Vec<f64>>,
    /// The cluster of each row.
    pub labels: Vec<usize>,
    /// Rows in each cluster.
    pub sizes: Vec<usize>,
    /// Sum of squared distances to the own centroid.
    pub inertia: f64,
}

/// Exact Lloyd steps from given centroids, until no row changes its cluster or there were so many. An empty
/// cluster keeps its centroid.
#[must_use]
pub fn refine(rows: &Array2<f64>, mut centroids: Vec<Vec<f64>>, steps_max: usize) -> Clustering {
    let mut labels = nearest(rows, &centroids);
    for _ in 0..steps_max {
        centroids = means(rows, &labels, &centroids);
        let next = nearest(rows, &centroids);
        if next == labels {
            break;
        }
        labels = next;
    }
    let mut sizes = vec![0; centroids.len()];
    let mut inertia = 0.0;
    for (row, label) in rows.outer_iter().zip(&labels) {
        if let (Some(size), Some(centroid)) = (sizes.get_mut(*label), centroids.get(*label)) {
            *size += 1;
            inertia += distance_squared(&row, centroid);
        }
    }
    Clustering {
        centroids,
        labels,
        sizes,
        inertia,
    }
}

/// The nearest centroid of each row, the lower index among equals.
#[must_use]
pub fn nearest(rows: &Array2<f64>, centroids: &[Vec<f64>]) -> Vec<usize> {
    let nearest = |row: ArrayView1<'_, f64>| {
        let mut best = (0, f64::INFINITY);
        for (label, centroid) in centroids.iter().enumerate() {
            let distance = distance_squared(&row, centroid);
            if distance < best.1 {
                best = (label, distance);
            }
        }
        best.0
    };
    rows.outer_iter().map(nearest).collect()
}

fn means(rows: &Array2<f64>, labels: &[usize], before: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut sums = vec![(0_usize, vec![0.0; rows.ncols()]); before.len()];
    for (row, label) in rows.outer_iter().zip(labels) {
        if let Some((size, sum)) = sums.get_mut(*label) {
            *size += 1;
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
    let mean = |((size, sum), before): ((usize, Vec<f64>), &Vec<f64>)| {
        if size == 0 {
            before.clone()
        } else {
            sum.into_iter().map(|sum| sum / count(size)).collect()
        }
    };
    sums.into_iter().zip(before).map(mean).collect()
}

fn distance_squared(row: &ArrayView1<'_, f64>, centroid: &[f64]) -> f64 {
    row.iter()
        .zip(centroid)
        .map(|(x, centre)| (x - centre) * (x - centre))
        .sum()
}
