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

/// The same clusters, where a centroid is exactly the value that all of its rows have in a column: their sum, divided, is
/// rounded.
#[must_use]
pub(super) fn exact(rows: &Array2<f64>, clustering: Clustering) -> Clustering {
    let mut common: Vec<Vec<Option<f64>>> = vec![Vec::new(); clustering.centroids.len()];
    for (row, label) in rows.outer_iter().zip(&clustering.labels) {
        let Some(common) = common.get_mut(*label) else {
            continue;
        };
        if common.is_empty() {
            *common = row.iter().copied().map(Some).collect();
        }
        for (common, value) in common.iter_mut().zip(row) {
            *common = common.filter(|known| known.to_bits() == value.to_bits());
        }
    }
    let centroids = clustering.centroids.iter().zip(&common);
    let centroids = centroids.map(|(centroid, common)| {
        let each = centroid.iter().enumerate();
        each.map(|(place, mean)| common.get(place).copied().flatten().unwrap_or(*mean))
            .collect()
    });
    Clustering {
        centroids: centroids.collect(),
        ..clustering
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_centroid_of_rows_that_have_one_value_is_that_value() {
        // Three times 0.1 is 0.30000000000000004, and a third of it is 0.10000000000000002.
        let rows = [0.1, 1.0, 0.1, 2.0, 0.1, 6.0, 7.0, 7.0];
        let rows = Array2::from_shape_vec((4, 2), rows.to_vec()).unwrap();
        let start = vec![vec![0.1, 3.0], vec![7.0, 7.0]];
        let refined = refine(&rows, start, 10);
        assert_ne!(refined.centroids[0][0].to_bits(), 0.1_f64.to_bits());
        let exact = exact(&rows, refined);
        let expected = [vec![0.1, 3.0], vec![7.0, 7.0]];
        assert_eq!(exact.centroids, expected);
    }
}
