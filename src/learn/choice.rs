//! The choice of the number of segments: the indices over a range of k, and the one that decides.

use std::collections::BTreeMap;

use ndarray::Array2;
use ndarray::Axis;
use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;

use crate::learn::analysis::Candidate;
use crate::learn::analysis::Choice;
use crate::learn::clustering::Clustering;
use crate::learn::clustering::nearest;
use crate::learn::indices;
use crate::learn::kmeans;
use crate::learn::kmeans::FitOptions;
use crate::learn::recommendations::Range;
use crate::learn::recommendations::explain;
use crate::learn::recommendations::recommendations;
use crate::learn::scaler::count;
use crate::learn::silhouette::silhouette;

/// Refits on resampled rows.
const REFITS: usize = 10;
/// Rows of a refit.
const REFIT_ROWS_MAX: usize = 5000;
/// Random starts of a refit: enough to recognise a stable k, in a tenth of the time.
const REFIT_RUNS: usize = 5;

/// How k is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChooseK {
    /// It was given.
    Given(usize),
    /// None was given; this is the default.
    Default(usize),
    /// The greatest silhouette decides; of equals, the fewer segments.
    Auto,
}

impl ChooseK {
    /// The number, unless the data decides.
    fn number(self) -> Option<usize> {
        match self {
            Self::Given(k) | Self::Default(k) => Some(k),
            Self::Auto => None,
        }
    }
}

/// Compares every k of the range, and the one that was given; the fit of the chosen one comes with it.
///
/// # Errors
/// If there are fewer rows than segments.
pub fn choose(
    rows: &Array2<f64>,
    how: ChooseK,
    range: Range,
    options: FitOptions,
) -> Result<(Choice, Clustering), kmeans::Error> {
    if let Some(k) = how.number() {
        kmeans::require_rows(rows, k)?;
    }
    let most = rows.nrows().max(1);
    let mut tried: Vec<usize> = (range.k_min.max(1)..=range.k_max.min(most)).collect();
    if let Some(k) = how.number()
        && !tried.contains(&k)
    {
        tried.push(k);
        tried.sort_unstable();
    }
    let mut candidates = Vec::with_capacity(tried.len());
    let mut fits = BTreeMap::new();
    for k in tried {
        let fitted = match kmeans::fit(rows, FitOptions { k, ..options }) {
            // A k of the range that the rows do not allow is left out; the number that was given must be possible.
            Err(kmeans::Error::TooFewDifferentRows { .. }) if how.number() != Some(k) => continue,
            fitted => fitted?,
        };
        candidates.push(candidate(rows, &fitted, FitOptions { k, ..options })?);
        fits.insert(k, fitted);
    }
    let in_range: Vec<Candidate> = candidates
        .iter()
        .filter(|one| (range.k_min..=range.k_max).contains(&one.k))
        .copied()
        .collect();
    // One number alone is no choice.
    let recommendations = match in_range.len() {
        0 | 1 => BTreeMap::new(),
        _ => recommendations(&in_range),
    };
    let by_silhouette = recommendations.get("silhouette").copied();
    let fewest = fits.keys().next().copied().unwrap_or(1);
    let (k, decided_by) = match how {
        ChooseK::Given(k) => (k, "business"),
        ChooseK::Default(k) => (k, "default"),
        ChooseK::Auto => (by_silhouette.unwrap_or(fewest), "silhouette"),
    };
    let explanation = explain(k, decided_by, &in_range, &candidates, &recommendations);
    let fitted = fits.remove(&k).ok_or(kmeans::Error::TooFewRows {
        k,
        rows: rows.nrows(),
    })?;
    let choice = Choice {
        candidates,
        k,
        decided_by: decided_by.to_owned(),
        recommendations,
        explanation,
    };
    Ok((choice, fitted))
}

fn candidate(
    rows: &Array2<f64>,
    fitted: &Clustering,
    options: FitOptions,
) -> Result<Candidate, kmeans::Error> {
    let labels = &fitted.labels;
    let silhouette = silhouette(rows, labels, options.seed);
    Ok(Candidate {
        k: options.k,
        inertia: fitted.inertia,
        silhouette: silhouette.map(|silhouette| silhouette.mean),
        silhouette_standard_error: silhouette.and_then(|silhouette| silhouette.standard_error),
        calinski_harabasz: indices::calinski_harabasz(rows, labels),
        davies_bouldin: indices::davies_bouldin(rows, labels),
        stability: stability(rows, fitted, options)?,
    })
}

/// The mean adjusted Rand index of fits to rows drawn with replacement against the fit, over all rows.
fn stability(
    rows: &Array2<f64>,
    fitted: &Clustering,
    options: FitOptions,
) -> Result<Option<f64>, kmeans::Error> {
    if options.k < 2 {
        return Ok(None);
    }
    let mut sum = 0.0;
    for seed in (1..)
        .map(|refit| options.seed.wrapping_add(refit))
        .take(REFITS)
    {
        let mut random = Xoshiro256Plus::seed_from_u64(seed);
        let all = rows.nrows();
        let number = all.min(REFIT_ROWS_MAX).max(options.k);
        let places: Vec<usize> = (0..number).map(|_| random.gen_range(0..all)).collect();
        let options = FitOptions {
            seed,
            runs: Some(REFIT_RUNS),
            ..options
        };
        let again = match kmeans::fit(&rows.select(Axis(0), &places), options) {
            Err(kmeans::Error::TooFewDifferentRows { .. }) => return Ok(None),
            again => again?,
        };
        let labels = nearest(rows, &again.centroids);
        sum += indices::adjusted_rand(&fitted.labels, &labels);
    }
    Ok(Some(sum / count(REFITS)))
}
