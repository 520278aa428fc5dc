//! Rows in two dimensions: principal components of the scaled features, and correlations.

use linfa_linalg::eigh::EigSort;
use linfa_linalg::eigh::Eigh;
use ndarray::Array2;
use ndarray::ArrayView1;
use ndarray::Axis;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;

use crate::learn::analysis::ProjectedPoint;
use crate::learn::analysis::Projection;
use crate::learn::clustering::Clustering;
use crate::learn::scaler::count;

/// Rows that are drawn.
const POINTS_MAX: usize = 2000;

/// Pearson correlations of scaled columns (mean 0, population standard deviation 1), d x d.
#[must_use]
pub fn correlations(scaled: &Array2<f64>) -> Array2<f64> {
    scaled.t().dot(scaled) / count(scaled.nrows().max(1))
}

/// The plane of the two components that explain most of the variance. Each component points to where most
/// of its weight is positive, so that a picture is not mirrored by chance.
#[must_use]
pub fn project(
    scaled: &Array2<f64>,
    correlations: &Array2<f64>,
    clustering: &Clustering,
    seed: u64,
) -> Projection {
    let dimensions = scaled.ncols();
    let Ok((values, vectors)) = correlations.eigh().map(EigSort::sort_eig_desc) else {
        return Projection::default();
    };
    let mut explained = [0.0; 2];
    let mut loadings = vec![[0.0; 2]; dimensions];
    let components = values.iter().zip(vectors.axis_iter(Axis(1)));
    for (place, (value, vector)) in components.take(2).enumerate() {
        let sign = if vector.sum() < 0.0 { -1.0 } else { 1.0 };
        if let Some(share) = explained.get_mut(place) {
            *share = (value / count(dimensions)).max(0.0);
        }
        for (loading, weight) in loadings.iter_mut().zip(vector) {
            if let Some(loading) = loading.get_mut(place) {
                *loading = sign * weight;
            }
        }
    }
    let mut random = Xoshiro256Plus::seed_from_u64(seed);
    let number = scaled.nrows().min(POINTS_MAX);
    let mut places = rand::seq::index::sample(&mut random, scaled.nrows(), number).into_vec();
    places.sort_unstable();
    let drawn = scaled.select(Axis(0), &places);
    let points = drawn.outer_iter().zip(&places).filter_map(|(row, place)| {
        let segment = clustering.labels.get(*place).copied()?;
        let at = in_plane(&row, &loadings);
        Some(ProjectedPoint { at, segment })
    });
    let centroids = clustering.centroids.iter();
    Projection {
        explained,
        points: points.collect(),
        centroids: centroids
            .map(|centroid| in_plane(&ArrayView1::from(centroid), &loadings))
            .collect(),
        loadings,
    }
}

fn in_plane(row: &ArrayView1<'_, f64>, loadings: &[[f64; 2]]) -> [f64; 2] {
    let pairs = row.iter().zip(loadings);
    pairs.fold([0.0; 2], |[first, second], (x, [one, two])| {
        [first + x * one, second + x * two]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::clustering::refine;

    #[test]
    fn two_columns_that_agree_lie_on_one_component() {
        // Two equal standard-scaled columns and none else: the first component explains everything, each
        // weighs 1/sqrt(2), and (1, 1) lies at sqrt(2).
        let scaled = ndarray::array![[1.0, 1.0], [-1.0, -1.0]];
        let correlations = correlations(&scaled);
        assert_eq!(correlations, ndarray::array![[1.0, 1.0], [1.0, 1.0]]);
        let clustering = refine(&scaled, vec![vec![1.0, 1.0], vec![-1.0, -1.0]], 10);
        let projection = project(&scaled, &correlations, &clustering, 1);
        assert!((projection.explained[0] - 1.0).abs() < 1e-12);
        assert!(projection.explained[1].abs() < 1e-12);
        let [first, second] = projection.points[0].at;
        assert!((first - 2.0_f64.sqrt()).abs() < 1e-12 && second.abs() < 1e-12);
        assert_eq!(projection.points[1].segment, 1);
    }
}
