//! Makes named and described segments from clusters.

use ndarray::Array2;
use ndarray::Axis;

use crate::learn::analysis::SegmentAnalysis;
use crate::learn::analysis::SegmentFeature;
use crate::learn::clustering::Clustering;
use crate::learn::examples::Described;
use crate::learn::naming;
use crate::learn::numbers;
use crate::learn::profiles;
use crate::learn::scaler::count;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::ArtifactSegment;

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Orders the clusters by spending, else by the whole centroid, so that the order does not depend on the starts.
pub(super) fn in_order(clustering: Clustering, names: &[String]) -> Clustering {
    let spending = names.iter().position(|name| name == "total_spending");
    let mut order: Vec<(usize, &Vec<f64>)> = clustering.centroids.iter().enumerate().collect();
    order.sort_by(|(_, left), (_, right)| {
        let by = |row: &Vec<f64>| {
            spending
                .and_then(|place| row.get(place).copied())
                .unwrap_or(0.0)
        };
        let whole = || {
            let pairs = left.iter().zip(*right);
            pairs
                .map(|(left, right)| left.total_cmp(right))
                .find(|order| order.is_ne())
        };
        by(left)
            .total_cmp(&by(right))
            .then_with(|| whole().unwrap_or(std::cmp::Ordering::Equal))
    });
    let places: Vec<usize> = order.iter().map(|(cluster, _)| *cluster).collect();
    let new_label = |label: &usize| places.iter().position(|old| old == label).unwrap_or(0);
    let size = |old: &usize| clustering.sizes.get(*old).copied().unwrap_or(0);
    Clustering {
        centroids: order
            .into_iter()
            .map(|(_, centroid)| centroid.clone())
            .collect(),
        labels: clustering.labels.iter().map(new_label).collect(),
        sizes: places.iter().map(size).collect(),
        inertia: clustering.inertia,
    }
}

pub(super) fn segments(
    clustering: &Clustering,
    features: &[ArtifactFeature],
    rows: &Array2<f64>,
) -> Vec<(ArtifactSegment, SegmentAnalysis)> {
    let feature_names: Vec<&str> = features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    let names = naming::names(naming::Clusters {
        features: &feature_names,
        centroids: &clustering.centroids,
        sizes: &clustering.sizes,
    });
    let clusters = clustering.centroids.iter().zip(&clustering.sizes);
    clusters
        .zip(names)
        .enumerate()
        .map(|(cluster, ((centroid, size), name))| {
            let members = clustering.labels.iter().enumerate();
            let members: Vec<usize> = members
                .filter(|(_, label)| **label == cluster)
                .map(|(place, _)| place)
                .collect();
            let share = count(*size) / count(rows.nrows().max(1));
            let profile = profile(centroid, features, &rows.select(Axis(0), &members));
            let described = features.iter().zip(&profile);
            let described: Vec<Described<'_>> = described
                .map(|(feature, one)| Described {
                    name: &feature.name,
                    mean: one.mean,
                    z: one.z,
                })
                .collect();
            let analysis = SegmentAnalysis {
                id: naming::slug(&name),
                description: profiles::describe(&described, share),
                name,
                size: self::rows(*size),
                share,
                features: profile,
            };
            (segment(&analysis, centroid, features), analysis)
        })
        .collect()
}

fn profile(
    centroid: &[f64],
    features: &[ArtifactFeature],
    members: &Array2<f64>,
) -> Vec<SegmentFeature> {
    let columns = features
        .iter()
        .zip(centroid)
        .zip(members.axis_iter(Axis(1)));
    columns
        .map(|((feature, z), values)| SegmentFeature {
            mean: z * feature.standard_deviation + feature.mean,
            z: *z,
            numbers: numbers::five_numbers(&values.to_vec()),
        })
        .collect()
}

fn segment(
    analysis: &SegmentAnalysis,
    centroid: &[f64],
    features: &[ArtifactFeature],
) -> ArtifactSegment {
    let each = || features.iter().zip(&analysis.features);
    ArtifactSegment {
        id: analysis.id.clone(),
        name: analysis.name.clone(),
        description: analysis.description.clone(),
        size: analysis.size,
        share: analysis.share,
        centroid: centroid.to_vec(),
        profile: each()
            .map(|(feature, one)| (feature.name.clone(), one.mean))
            .collect(),
        quartiles: each()
            .map(|(feature, one)| {
                let numbers = one.numbers;
                let quartiles = [
                    numbers.first_quartile,
                    numbers.median,
                    numbers.third_quartile,
                ];
                (feature.name.clone(), quartiles)
            })
            .collect(),
    }
}
