//! K-means: the best of many random starts ([`crate::learn::starts`]) continues with linfa, then with exact
//! Lloyd steps of our own, because linfa's centroids count the old centroid as a point, and its counts are
//! those of the last restart.
//!
//! The starts compete by a kernel of our own, as linfa's takes three times as long for each and its plain
//! k-means++ needs three times as many for the same inertia.
//!
//! With many rows the starts compete on a sample, the best of them continues on a larger sample, and one exact
//! step over all rows ends the fit. Every row is scored.

use std::collections::BTreeSet;

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::KMeans;
use linfa_clustering::KMeansInit;
use linfa_clustering::KMeansParams;
use linfa_nn::distance::L2Dist;
use ndarray::Array2;
use ndarray::ArrayView1;
use ndarray::Axis;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;

use crate::learn::clustering::Clustering;
use crate::learn::clustering::refine;
use crate::learn::starts::best_of;

const TOLERANCE: f64 = 1e-4;
const ITERATIONS_MAX: u64 = 300;
/// Exact steps end at a fixed point long before; this only bounds them.
const EXACT_STEPS_MAX: usize = 1000;
/// Rows on which starts compete.
const START_ROWS_MAX: usize = 20_000;
/// Rows on which the best of them continues.
const FIT_ROWS_MAX: usize = 100_000;
/// Starts on all rows: from k = 8 on, forty sometimes miss the best optima of the marketing data.
const RUNS: usize = 40;
const RUNS_MANY_CLUSTERS: usize = 60;
const MANY_CLUSTERS: usize = 8;
/// Starts on a sample, whose optima are fewer and further apart.
const RUNS_SAMPLED: usize = 5;

/// What to fit.
#[derive(Clone, Copy, Debug)]
pub struct FitOptions {
    /// Number of clusters.
    pub k: usize,
    /// Seed of the random starts and samples.
    pub seed: u64,
    /// Random starts, the best of which is kept; `None`: the number of [`runs`].
    pub runs: Option<usize>,
    /// Threads; beside a running service, one fewer than there are cores. No result depends on it.
    pub threads: usize,
}

/// The rows cannot be clustered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not enough of them.
    #[error("k {k} is not 1 to the number of rows used, {rows}: --k sets it")]
    TooFewRows {
        /// Clusters asked for.
        k: usize,
        /// Rows there are.
        rows: usize,
    },
    /// Fewer different rows than clusters.
    #[error("k {k} is more than the number of different rows used, {different}: --k sets it")]
    TooFewDifferentRows {
        /// Clusters asked for.
        k: usize,
        /// Different rows there are.
        different: usize,
    },
    /// The library's fit failed.
    #[error("the fit failed: {0}")]
    Fit(String),
}

/// Random starts by default, for so many clusters of so many rows.
#[must_use]
pub fn runs(k: usize, rows: usize) -> usize {
    match rows {
        rows if rows > START_ROWS_MAX => RUNS_SAMPLED,
        _ if k >= MANY_CLUSTERS => RUNS_MANY_CLUSTERS,
        _ => RUNS,
    }
}

/// Clusters scaled rows (n x d). The same options give the same clusters, on any number of threads.
///
/// # Errors
/// If there are fewer rows, or fewer different rows, than clusters.
pub fn fit(rows: &Array2<f64>, options: FitOptions) -> Result<Clustering, Error> {
    let clustering = fit_any(rows, options)?;
    if clustering.sizes.contains(&0) {
        let bits = |row: ArrayView1<'_, f64>| row.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
        let different = rows.outer_iter().map(bits).collect::<BTreeSet<_>>().len();
        if different < options.k {
            let k = options.k;
            return Err(Error::TooFewDifferentRows { k, different });
        }
    }
    Ok(clustering)
}

/// Refuses more clusters than there are different rows, before anything is computed.
///
/// # Errors
/// If there are fewer.
pub fn require_rows(rows: &Array2<f64>, k: usize) -> Result<(), Error> {
    let all = rows.nrows();
    if k == 0 || k > all {
        return Err(Error::TooFewRows { k, rows: all });
    }
    let mut seen = BTreeSet::new();
    for row in rows.outer_iter() {
        seen.insert(row.iter().map(|x| x.to_bits()).collect::<Vec<u64>>());
        if seen.len() >= k {
            return Ok(());
        }
    }
    let different = seen.len();
    Err(Error::TooFewDifferentRows { k, different })
}

fn fit_any(rows: &Array2<f64>, options: FitOptions) -> Result<Clustering, Error> {
    let all = rows.nrows();
    if options.k == 0 || options.k > all {
        return Err(Error::TooFewRows {
            k: options.k,
            rows: all,
        });
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.max(1))
        .build()
        .map_err(|error| Error::Fit(error.to_string()))?;
    let runs = options.runs.unwrap_or_else(|| runs(options.k, all)).max(1);
    pool.install(|| {
        let mut random = Xoshiro256Plus::seed_from_u64(options.seed);
        if all <= START_ROWS_MAX {
            let best = best_of(rows.view(), options.k, runs, &mut random);
            return Ok(refine(
                rows,
                by_linfa(rows, best, options)?,
                EXACT_STEPS_MAX,
            ));
        }
        let sample = draw(rows, START_ROWS_MAX, &mut random);
        let best = best_of(sample.view(), options.k, runs, &mut random);
        if all <= FIT_ROWS_MAX {
            return Ok(refine(
                rows,
                by_linfa(rows, best, options)?,
                EXACT_STEPS_MAX,
            ));
        }
        let centroids = by_linfa(&draw(rows, FIT_ROWS_MAX, &mut random), best, options)?;
        Ok(refine(rows, centroids, 1))
    })
}

/// The first different rows, up to a number, in their order.
fn draw(rows: &Array2<f64>, number: usize, random: &mut Xoshiro256Plus) -> Array2<f64> {
    let mut places = rand::seq::index::sample(random, rows.nrows(), number).into_vec();
    places.sort_unstable();
    rows.select(Axis(0), &places)
}

/// Lloyd's algorithm by linfa, from given centroids.
fn by_linfa(
    rows: &Array2<f64>,
    start: Array2<f64>,
    options: FitOptions,
) -> Result<Vec<Vec<f64>>, Error> {
    let random = Xoshiro256Plus::seed_from_u64(options.seed);
    let parameters: KMeansParams<f64, Xoshiro256Plus, L2Dist> =
        KMeans::params_with(options.k, random, L2Dist)
            .init_method(KMeansInit::Precomputed(start))
            .n_runs(1)
            .tolerance(TOLERANCE)
            .max_n_iterations(ITERATIONS_MAX);
    let fitted = parameters
        .fit(&DatasetBase::from(rows.view()))
        .map_err(|error| Error::Fit(error.to_string()))?;
    let centroids = fitted.centroids().outer_iter();
    Ok(centroids.map(|row| row.to_vec()).collect())
}
