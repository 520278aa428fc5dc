//! K-means by linfa with restarts, then exact Lloyd steps of our own to a fixed point: linfa's
//! centroids count the old one as a point, and its counts are those of the last restart.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::KMeans;
use linfa_clustering::KMeansInit;
use linfa_clustering::KMeansParams;
use linfa_nn::distance::L2Dist;
use ndarray::Array2;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;

use crate::model::scaler::count;
use crate::model::segment_model::squared_distance;

const TOLERANCE: f64 = 1e-4;
const ITERATIONS_MAX: u64 = 300;
/// Exact steps end at a fixed point long before; this only bounds them.
const EXACT_STEPS_MAX: usize = 1000;

/// What to fit.
#[derive(Clone, Copy, Debug)]
pub struct FitOptions {
    /// Number of clusters.
    pub k: usize,
    /// Seed of the random starts.
    pub seed: u64,
    /// Random starts, the best of which is kept.
    pub runs: usize,
}

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

/// The rows cannot be clustered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not enough of them.
    #[error("k {k} is not 1 to the number of rows, {rows}")]
    TooFewRows {
        /// Clusters asked for.
        k: usize,
        /// Rows there are.
        rows: usize,
    },
    /// Rows of unequal length.
    #[error("the rows are not all of the same length")]
    Ragged,
    /// The library refused.
    #[error("the fit failed: {0}")]
    Fit(String),
}

/// Clusters scaled rows (n x d).
///
/// # Errors
/// If there are fewer rows than clusters.
pub fn fit(rows: &[Vec<f64>], options: FitOptions) -> Result<Clustering, Error> {
    let FitOptions { k, seed, runs } = options;
    if k == 0 || k > rows.len() {
        return Err(Error::TooFewRows {
            k,
            rows: rows.len(),
        });
    }
    let dimensions = rows.first().map_or(0, Vec::len);
    let flat: Vec<f64> = rows.iter().flatten().copied().collect();
    let records =
        Array2::from_shape_vec((rows.len(), dimensions), flat).map_err(|_| Error::Ragged)?;
    let parameters: KMeansParams<f64, Xoshiro256Plus, L2Dist> =
        KMeans::params_with(k, Xoshiro256Plus::seed_from_u64(seed), L2Dist)
            .init_method(KMeansInit::KMeansPlusPlus)
            .n_runs(runs)
            .tolerance(TOLERANCE)
            .max_n_iterations(ITERATIONS_MAX);
    let fitted = parameters
        .fit(&DatasetBase::from(records))
        .map_err(|error| Error::Fit(error.to_string()))?;
    let centroids = fitted
        .centroids()
        .outer_iter()
        .map(|row| row.to_vec())
        .collect();
    Ok(refine(rows, centroids))
}

/// Exact Lloyd steps from given centroids until no row changes its cluster. An empty cluster keeps
/// its centroid.
#[must_use]
pub fn refine(rows: &[Vec<f64>], mut centroids: Vec<Vec<f64>>) -> Clustering {
    let mut labels = labels(rows, &centroids);
    for _ in 0..EXACT_STEPS_MAX {
        centroids = means(rows, &labels, &centroids);
        let next = self::labels(rows, &centroids);
        if next == labels {
            break;
        }
        labels = next;
    }
    let mut sizes = vec![0; centroids.len()];
    let mut inertia = 0.0;
    for (row, label) in rows.iter().zip(&labels) {
        if let (Some(size), Some(centroid)) = (sizes.get_mut(*label), centroids.get(*label)) {
            *size += 1;
            inertia += squared_distance(row, centroid);
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
pub fn labels(rows: &[Vec<f64>], centroids: &[Vec<f64>]) -> Vec<usize> {
    let nearest = |row: &Vec<f64>| {
        let distances = centroids
            .iter()
            .map(|centroid| squared_distance(row, centroid));
        let best = distances
            .enumerate()
            .min_by(|(_, left), (_, right)| left.total_cmp(right));
        best.map_or(0, |(label, _)| label)
    };
    rows.iter().map(nearest).collect()
}

fn means(rows: &[Vec<f64>], labels: &[usize], before: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let dimensions = before.first().map_or(0, Vec::len);
    let mut sums = vec![(0_usize, vec![0.0; dimensions]); before.len()];
    for (row, label) in rows.iter().zip(labels) {
        if let Some((size, sum)) = sums.get_mut(*label) {
            *size += 1;
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += value;
            }
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
