//! From training rows to an artifact.

use std::collections::BTreeMap;

use crate::domain::time::Timestamp;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::ArtifactMargin;
use crate::model::artifact::ArtifactSegment;
use crate::model::artifact::FORMAT;
use crate::model::artifact::TrainingFacts;
use crate::model::artifact::Transform;
use crate::model::kmeans;
use crate::model::kmeans::Clustering;
use crate::model::kmeans::FitOptions;
use crate::model::naming;
use crate::model::preparation::Prepared;
use crate::model::preparation::TrainingTable;
use crate::model::preparation::prepare;
use crate::model::scaler;
use crate::model::scaler::count;

/// What to learn.
#[derive(Clone, Debug)]
pub struct TrainingOptions {
    /// Features, in the order of the coordinates, with the trailing days their values cover.
    pub features: Vec<(String, Option<u32>)>,
    /// The fit.
    pub fit: FitOptions,
    /// Name of the version.
    pub version: String,
    /// When it is trained.
    pub trained_at: Timestamp,
    /// As of when the values hold.
    pub as_of: Timestamp,
    /// What was read.
    pub source: String,
}

/// Nothing can be learned from the rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A feature without a column.
    #[error("a feature is not among the columns: {columns}")]
    UnknownFeature {
        /// The columns there are.
        columns: String,
    },
    /// A column in which all values are equal.
    #[error("column {feature} has no two different values among the {rows} rows used")]
    ConstantColumn {
        /// Which.
        feature: String,
        /// Rows used.
        rows: usize,
    },
    /// The fit failed.
    #[error(transparent)]
    Fit(#[from] kmeans::Error),
    /// A number is not finite.
    #[error("the model has a number that is not finite")]
    NotFinite,
}

/// Prepares, caps at the training maximum, scales, clusters, orders, profiles and names.
///
/// # Errors
/// If a feature is missing or constant, or there are fewer rows than clusters.
pub fn train(table: &TrainingTable, options: &TrainingOptions) -> Result<Artifact, Error> {
    let names: Vec<String> = options
        .features
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let prepared = prepare(table, &names).ok_or_else(|| Error::UnknownFeature {
        columns: table.columns.join(", "),
    })?;
    let features = options
        .features
        .iter()
        .enumerate()
        .map(|(place, (name, window_days))| feature(&prepared, place, name, *window_days))
        .collect::<Result<Vec<_>, _>>()?;
    let scaled: Vec<Vec<f64>> = prepared
        .rows
        .iter()
        .map(|row| scale(row, &features))
        .collect();
    let clustering = in_order(kmeans::fit(&scaled, options.fit)?, &names);
    let mut artifact = Artifact {
        format: FORMAT,
        version: options.version.clone(),
        trained_at: options.trained_at.to_string(),
        segments: segments(&clustering, &features),
        features,
        margin: ArtifactMargin::default(),
        training: TrainingFacts {
            source: options.source.clone(),
            as_of: options.as_of.to_string(),
            rows_read: rows(table.rows.len()),
            rows_dropped: prepared.dropped,
            rows: rows(prepared.rows.len()),
            k: options.fit.k,
            inertia: clustering.inertia,
            seed: options.fit.seed,
            runs: options.fit.runs,
        },
        fingerprint: String::new(),
    };
    artifact.fingerprint = artifact
        .compute_fingerprint()
        .map_err(|_| Error::NotFinite)?;
    Ok(artifact)
}

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn feature(
    prepared: &Prepared,
    place: usize,
    name: &str,
    window_days: Option<u32>,
) -> Result<ArtifactFeature, Error> {
    let mut values: Vec<f64> = prepared
        .rows
        .iter()
        .filter_map(|row| row.get(place).copied())
        .collect();
    let scale = scaler::fit(&values);
    let scale = scale.ok_or_else(|| Error::ConstantColumn {
        feature: name.to_owned(),
        rows: prepared.rows.len(),
    })?;
    values.sort_unstable_by(f64::total_cmp);
    Ok(ArtifactFeature {
        name: name.to_owned(),
        transform: Transform::Identity,
        window_days,
        cap: values.last().copied(),
        median: scaler::quantile(&values, 0.5).unwrap_or(0.0),
        mean: scale.mean,
        standard_deviation: scale.standard_deviation,
    })
}

fn scale(row: &[f64], features: &[ArtifactFeature]) -> Vec<f64> {
    let values = row.iter().zip(features);
    values
        .map(|(value, feature)| (value - feature.mean) / feature.standard_deviation)
        .collect()
}

/// Orders the clusters by spending, else by the whole centroid, so that restarts do not show.
fn in_order(clustering: Clustering, names: &[String]) -> Clustering {
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

fn segments(clustering: &Clustering, features: &[ArtifactFeature]) -> Vec<ArtifactSegment> {
    let feature_names: Vec<&str> = features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    let names = naming::names(naming::Clusters {
        features: &feature_names,
        centroids: &clustering.centroids,
        sizes: &clustering.sizes,
    });
    let total: usize = clustering.sizes.iter().sum();
    let clusters = clustering
        .centroids
        .iter()
        .zip(&clustering.sizes)
        .zip(names);
    clusters
        .map(|((centroid, size), name)| {
            let values = features.iter().zip(centroid).map(|(feature, scaled)| {
                (
                    feature.name.clone(),
                    scaled * feature.standard_deviation + feature.mean,
                )
            });
            let profile: BTreeMap<String, f64> = values.collect();
            ArtifactSegment {
                id: naming::slug(&name),
                description: describe(&profile, count(*size) / count(total.max(1))),
                name,
                size: rows(*size),
                share: count(*size) / count(total.max(1)),
                centroid: centroid.clone(),
                profile,
            }
        })
        .collect()
}

/// A sentence in plain words: the averages of the features that people know.
fn describe(profile: &BTreeMap<String, f64>, share: f64) -> String {
    let phrase = |name: &str, words: &dyn Fn(f64) -> String| profile.get(name).map(|x| words(*x));
    let phrases = [
        phrase("age", &|value| format!("{value:.0} years old")),
        phrase("income", &|value| format!("an income of {value:.0}")),
        phrase("total_spending", &|value| format!("spending {value:.0}")),
        phrase("web_purchases", &|value| format!("{value:.1} web orders")),
        phrase("store_purchases", &|value| {
            format!("{value:.1} store orders")
        }),
        phrase("recency_days", &|value| {
            format!("last order {value:.0} days ago")
        }),
    ];
    let known: Vec<String> = phrases.into_iter().flatten().collect();
    let share = share * 100.0;
    if known.is_empty() {
        format!("{share:.0} in 100 customers")
    } else {
        format!(
            "{share:.0} in 100 customers; on average {}",
            known.join(", ")
        )
    }
}
