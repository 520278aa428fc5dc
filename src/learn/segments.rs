//! Makes named and described segments from clusters.

use std::cmp::Ordering;

use ndarray::Array2;
use ndarray::Axis;

use crate::learn::analysis::FeatureSummary;
use crate::learn::analysis::FiveNumbers;
use crate::learn::analysis::RevenueFacts;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::analysis::SegmentFeature;
use crate::learn::clustering::Clustering;
use crate::learn::kept_ids::kept_ids;
use crate::learn::naming;
use crate::learn::numbers;
use crate::learn::profiles;
use crate::learn::revenue::revenue;
use crate::learn::standing::Portrait;
use crate::learn::suggestions::suggestion;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::ArtifactSegment;

/// Share of what a sum is made of up to which it may be a rounding error.
const ROUNDING: f64 = 1e-12;

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Orders the clusters by spending, then by the other features in the order of their names, so that the order
/// depends neither on the starts nor on the order of the columns.
pub(super) fn in_order(clustering: Clustering, names: &[String]) -> Clustering {
    let mut places: Vec<usize> = (0..names.len()).collect();
    places.sort_by_key(|place| {
        let name = names.get(*place).map(String::as_str);
        (name != Some("total_spending"), name)
    });
    let mut order: Vec<(usize, &Vec<f64>)> = clustering.centroids.iter().enumerate().collect();
    order.sort_by(|(_, left), (_, right)| {
        let pairs = places
            .iter()
            .filter_map(|place| left.get(*place).zip(right.get(*place)));
        let mut orders = pairs.map(|(left, right)| left.total_cmp(right));
        orders
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
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

/// What the segments are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    /// The clusters, in order.
    pub clustering: &'a Clustering,
    /// The features of the model.
    pub features: &'a [ArtifactFeature],
    /// The same over all rows.
    pub summaries: &'a [FeatureSummary],
    /// The rows used, in the features' units.
    pub rows: &'a Array2<f64>,
    /// Currency of the amounts, where it is known.
    pub currency: Option<&'a str>,
    /// A model whose ids are kept where its segments are found again.
    pub known: Option<&'a Artifact>,
}

/// The segments, and what all customers spent.
pub(super) fn segments(
    found: Found<'_>,
) -> (
    Vec<(ArtifactSegment, SegmentAnalysis)>,
    Option<RevenueFacts>,
) {
    let clustering = found.clustering;
    let profiles = profiles_of(found);
    let sizes: Vec<u64> = clustering.sizes.iter().map(|size| rows(*size)).collect();
    let portrait = Portrait {
        features: found.summaries,
        segments: &profiles,
        sizes: &sizes,
        currency: found.currency,
    };
    let named = naming::names(&portrait);
    let kept = found.known.and_then(|known| kept_ids(&portrait, known));
    let revenue = revenue(
        found.summaries,
        found.rows,
        &clustering.labels,
        profiles.len(),
    );
    let each = named.into_iter().zip(&clustering.centroids).enumerate();
    let each = each.map(|(place, (named, centroid))| {
        let kept = kept.as_ref().and_then(|ids| ids.get(place).cloned());
        let spent = revenue.as_ref().and_then(|(_, each)| each.get(place));
        let analysis = SegmentAnalysis {
            id: kept.unwrap_or(named.id),
            name: named.name,
            description: profiles::describe(&portrait, place),
            size: portrait.size(place),
            share: portrait.share(place),
            revenue: spent.copied(),
            suggested_action: suggestion(&portrait, place),
            features: profiles.get(place).cloned().unwrap_or_default(),
        };
        (segment(&analysis, centroid, found.features), analysis)
    });
    (each.collect(), revenue.as_ref().map(|(all, _)| *all))
}

fn profiles_of(found: Found<'_>) -> Vec<Vec<SegmentFeature>> {
    let centroids = found.clustering.centroids.iter().enumerate();
    centroids
        .map(|(cluster, centroid)| {
            let members = found.clustering.labels.iter().enumerate();
            let members: Vec<usize> = members
                .filter(|(_, label)| **label == cluster)
                .map(|(place, _)| place)
                .collect();
            profile(
                centroid,
                found.features,
                &found.rows.select(Axis(0), &members),
            )
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
        .map(|((feature, z), values)| {
            let numbers = numbers::five_numbers(&values.to_vec());
            SegmentFeature {
                mean: mean(*z, feature, numbers),
                z: if z.abs() <= ROUNDING { 0.0 } else { *z },
                numbers,
            }
        })
        .collect()
}

/// The mean in the feature's units. That of equal values is their value, and one that is 0 but for rounding is 0.
fn mean(z: f64, feature: &ArtifactFeature, numbers: FiveNumbers) -> f64 {
    if numbers.minimum.to_bits() == numbers.maximum.to_bits() {
        return numbers.minimum;
    }
    let mean = z * feature.standard_deviation + feature.mean;
    if mean.abs() <= ROUNDING * feature.mean.abs() {
        0.0
    } else {
        mean
    }
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
