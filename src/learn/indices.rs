//! Indices of the quality of a clustering, as scikit-learn 1.9 defines them.

use ndarray::Array2;
use ndarray::ArrayView1;

use crate::learn::scaler::count;
use crate::learn::silhouette::distance_squared;

/// The Calinski-Harabasz index: dispersion between the clusters over that within, each by its degrees of
/// freedom. `None` unless there are 2 to n - 1 clusters; 1 where nothing is dispersed within.
#[must_use]
pub fn calinski_harabasz(rows: &Array2<f64>, labels: &[usize]) -> Option<f64> {
    let groups = Groups::of(rows, labels)?;
    let n = rows.nrows();
    let k = groups.centroids.len();
    let whole = rows.mean_axis(ndarray::Axis(0))?;
    let weighted = groups.centroids.iter().zip(&groups.sizes);
    let between: f64 = weighted
        .map(|(centroid, size)| {
            count(*size) * distance_squared(&ArrayView1::from(centroid), &whole.view())
        })
        .sum();
    let within = groups.within_squared;
    let index = if within > 0.0 {
        between * count(n - k) / (within * count(k - 1))
    } else {
        1.0
    };
    Some(index).filter(|index| index.is_finite())
}

/// The Davies-Bouldin index: the mean over clusters of the worst ratio of two clusters' mean distances to
/// their centroids to the distance of those. `None` unless there are 2 to n - 1 clusters.
#[must_use]
pub fn davies_bouldin(rows: &Array2<f64>, labels: &[usize]) -> Option<f64> {
    let groups = Groups::of(rows, labels)?;
    let clusters: Vec<(&Vec<f64>, f64)> = groups.centroids.iter().zip(groups.scatter).collect();
    let worst = |own: usize, (centroid, scatter): &(&Vec<f64>, f64)| {
        let others = clusters.iter().enumerate();
        others
            .filter(|(other, _)| *other != own)
            .map(|(_, (other_centroid, other_scatter))| {
                let left = ArrayView1::from(*centroid);
                let right = ArrayView1::from(*other_centroid);
                let apart = distance_squared(&left, &right).sqrt();
                if apart > 0.0 {
                    (scatter + other_scatter) / apart
                } else {
                    0.0
                }
            })
            .fold(0.0, f64::max)
    };
    let sum: f64 = clusters
        .iter()
        .enumerate()
        .map(|(own, cluster)| worst(own, cluster))
        .sum();
    Some(sum / count(clusters.len()))
}

/// The clusters that have rows.
struct Groups {
    centroids: Vec<Vec<f64>>,
    pub(super) sizes: Vec<usize>,
    /// Mean distance to the own centroid.
    scatter: Vec<f64>,
    within_squared: f64,
}

impl Groups {
    fn of(rows: &Array2<f64>, labels: &[usize]) -> Option<Self> {
        let mut sums: Vec<(usize, Vec<f64>)> = Vec::new();
        sums.resize(labels.iter().max()? + 1, (0, vec![0.0; rows.ncols()]));
        for (row, label) in rows.outer_iter().zip(labels) {
            let (size, sum) = sums.get_mut(*label)?;
            *size += 1;
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        for (size, sum) in sums.iter_mut().filter(|(size, _)| *size > 0) {
            let rows_in_it = count(*size);
            sum.iter_mut().for_each(|sum| *sum /= rows_in_it);
        }
        let mut scatter = vec![0.0; sums.len()];
        let mut within_squared = 0.0;
        for (row, label) in rows.outer_iter().zip(labels) {
            let (_, centroid) = sums.get(*label)?;
            let squared = distance_squared(&row, &ArrayView1::from(centroid));
            within_squared += squared;
            *scatter.get_mut(*label)? += squared.sqrt();
        }
        let filled = sums
            .into_iter()
            .zip(scatter)
            .filter(|((size, _), _)| *size > 0);
        let mut groups = Self {
            centroids: Vec::new(),
            sizes: Vec::new(),
            scatter: Vec::new(),
            within_squared,
        };
        for ((size, centroid), scatter) in filled {
            groups.centroids.push(centroid);
            groups.sizes.push(size);
            groups.scatter.push(scatter / count(size));
        }
        (2..labels.len())
            .contains(&groups.sizes.len())
            .then_some(groups)
    }
}

/// The adjusted Rand index of two clusterings of the same rows: 1 where they agree, 0 by chance.
/// Hubert and Arabie (1985).
#[must_use]
pub fn adjusted_rand(left: &[usize], right: &[usize]) -> f64 {
    let width = right.iter().max().map_or(0, |most| most + 1);
    let height = left.iter().max().map_or(0, |most| most + 1);
    let mut table = vec![0_usize; width * height];
    for (left, right) in left.iter().zip(right) {
        if let Some(cell) = table.get_mut(left * width + right) {
            *cell += 1;
        }
    }
    let pairs = |rows: usize| count(rows) * (count(rows) - 1.0) / 2.0;
    let together: f64 = table.iter().copied().map(pairs).sum();
    let by_left: f64 = table
        .chunks(width.max(1))
        .map(|row| pairs(row.iter().sum()))
        .sum();
    let by_right: f64 = (0..width)
        .map(|column| pairs(table.iter().skip(column).step_by(width).sum()))
        .sum();
    let all = pairs(left.len());
    let expected = by_left * by_right / all.max(1.0);
    let most = f64::midpoint(by_left, by_right);
    if most > expected {
        (together - expected) / (most - expected)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::silhouette::silhouette;

    #[test]
    fn four_points_on_a_line_have_the_indices_found_by_hand() {
        // 0, 1 | 4, 6. Silhouettes: 0: a 1, b 5 -> 4/5; 1: a 1, b 4 -> 3/4; 4: a 2, b 3.5 -> 3/7;
        // 6: a 2, b 5.5 -> 7/11.
        let rows = ndarray::array![[0.0], [1.0], [4.0], [6.0]];
        let labels = [0, 0, 1, 1];
        let silhouette = silhouette(&rows, &labels, 1).unwrap();
        let expected = (0.8 + 0.75 + 3.0 / 7.0 + 7.0 / 11.0) / 4.0;
        assert!((silhouette.mean - expected).abs() < 1e-12);
        assert_eq!(silhouette.standard_error, None);
        // Between: 2 x 2.25^2 x 2 = 20.25; within: 0.5 + 2 = 2.5; (20.25 / 1) / (2.5 / 2) = 16.2.
        let ch = calinski_harabasz(&rows, &labels).unwrap();
        assert!((ch - 16.2).abs() < 1e-12);
        // Scatter 0.5 and 1, centroids 4.5 apart: 1.5 / 4.5.
        let db = davies_bouldin(&rows, &labels).unwrap();
        assert!((db - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn one_cluster_or_one_a_row_has_no_index() {
        let rows = ndarray::array![[0.0], [1.0], [4.0]];
        for labels in [[0, 0, 0], [0, 1, 2]] {
            assert_eq!(silhouette(&rows, &labels, 1), None);
            assert_eq!(calinski_harabasz(&rows, &labels), None);
            assert_eq!(davies_bouldin(&rows, &labels), None);
        }
    }

    #[test]
    fn the_adjusted_rand_index_knows_equal_and_chance() {
        assert!((adjusted_rand(&[0, 0, 1, 1], &[1, 1, 0, 0]) - 1.0).abs() < 1e-12);
        // scikit-learn's documentation: adjusted_rand_score([0, 0, 1, 1], [0, 0, 1, 2]) = 0.57...
        let partly = adjusted_rand(&[0, 0, 1, 1], &[0, 0, 1, 2]);
        assert!((partly - 4.0 / 7.0).abs() < 1e-12);
        assert!(adjusted_rand(&[0, 0, 0, 0], &[0, 1, 2, 3]).abs() < 1e-12);
    }
}
