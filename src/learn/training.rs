//! From training rows to an artifact.

use std::collections::BTreeMap;

use ndarray::Array2;
use ndarray::Axis;

use crate::domain::time::Timestamp;
use crate::learn::analysis::Analysis;
use crate::learn::analysis::FeatureSummary;
use crate::learn::analysis::PreparationReport;
use crate::learn::analysis::SegmentAnalysis;
use crate::learn::analysis::SegmentFeature;
use crate::learn::choice::ChooseK;
use crate::learn::choice::Range;
use crate::learn::choice::choose;
use crate::learn::kmeans;
use crate::learn::kmeans::Clustering;
use crate::learn::kmeans::FitOptions;
use crate::learn::naming;
use crate::learn::preparation::TrainingTable;
use crate::learn::preparation::prepare;
use crate::learn::profiles;
use crate::learn::profiles::Described;
use crate::learn::projection;
use crate::learn::projection::project;
use crate::learn::scaler;
use crate::learn::scaler::count;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::ArtifactMargin;
use crate::model::artifact::ArtifactSegment;
use crate::model::artifact::FORMAT;
use crate::model::artifact::TrainingFacts;
use crate::model::artifact::Transform;

/// What to learn.
#[derive(Clone, Debug)]
pub struct TrainingOptions {
    /// Features, in the order of the coordinates, with the trailing days their values cover.
    pub features: Vec<(String, Option<u32>)>,
    /// The number of segments.
    pub choose: ChooseK,
    /// Over which numbers of segments the indices are compared.
    pub range: Range,
    /// The fit; its k is the chosen one's.
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

/// What was learned, and what was seen on the way.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model.
    pub artifact: Artifact,
    /// For people.
    pub analysis: Analysis,
}

/// Nothing can be learned from the rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A feature without a column.
    #[error("feature {feature:?} is not among the columns: {columns}")]
    UnknownFeature {
        /// Its name.
        feature: String,
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
    /// Every row was left out.
    #[error(
        "none of the {read} rows can be used: each lacks a value or breaks a rule of preparation"
    )]
    NoRows {
        /// Rows read.
        read: u64,
    },
    /// A number is not finite.
    #[error("the model has a number that is not finite")]
    NotFinite,
}

/// Prepares, caps at the training maximum, scales, chooses k, clusters, orders, profiles and names.
///
/// # Errors
/// If a feature is missing or constant, or there are fewer rows than clusters.
pub fn train(table: &TrainingTable, options: &TrainingOptions) -> Result<Trained, Error> {
    let names: Vec<String> = options
        .features
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let unknown = names.iter().find(|name| !table.columns.contains(*name));
    let prepared = prepare(table, &names).ok_or_else(|| Error::UnknownFeature {
        feature: unknown.cloned().unwrap_or_default(),
        columns: table.columns.join(", "),
    })?;
    let rows = &prepared.rows;
    if rows.is_empty() {
        return Err(Error::NoRows {
            read: prepared.report.rows_read,
        });
    }
    let columns: Vec<Vec<f64>> = rows
        .axis_iter(Axis(1))
        .map(|column| column.to_vec())
        .collect();
    let features = options.features.iter().zip(&columns);
    let features: Vec<ArtifactFeature> = features
        .map(|((name, window_days), values)| feature(name, *window_days, values))
        .collect::<Result<_, _>>()?;
    let scaled = scale(rows, &features);
    let (choice, clustering) = choose(&scaled, options.choose, options.range, options.fit)?;
    let clustering = in_order(clustering, &names);
    let segments = segments(&clustering, &features, rows);
    let correlations = projection::correlations(&scaled);
    let silhouette = choice.candidates.iter().find(|one| one.k == choice.k);
    let runs = options.fit.runs;
    let mut artifact = Artifact {
        format: FORMAT,
        version: options.version.clone(),
        trained_at: options.trained_at.to_string(),
        segments: segments
            .iter()
            .map(|(segment, _)| segment.clone())
            .collect(),
        margin: ArtifactMargin::default(),
        training: TrainingFacts {
            source: options.source.clone(),
            as_of: options.as_of.to_string(),
            rows_read: prepared.report.rows_read,
            rows_dropped: dropped(&prepared.report),
            rows: prepared.report.rows_used,
            k: choice.k,
            inertia: clustering.inertia,
            seed: options.fit.seed,
            runs: runs.unwrap_or_else(|| kmeans::runs(choice.k, rows.nrows())),
            silhouette: silhouette.and_then(|one| one.silhouette),
            choice: Some(choice.explanation.clone()),
        },
        churn: None,
        features,
        fingerprint: String::new(),
    };
    artifact.fingerprint = artifact
        .compute_fingerprint()
        .map_err(|_| Error::NotFinite)?;
    let analysis = Analysis {
        preparation: prepared.report,
        features: summaries(&artifact.features, &columns),
        correlations: correlations.outer_iter().map(|row| row.to_vec()).collect(),
        choice,
        segments: segments.into_iter().map(|(_, analysis)| analysis).collect(),
        projection: project(&scaled, &correlations, &clustering, options.fit.seed),
    };
    Ok(Trained { artifact, analysis })
}

fn dropped(report: &PreparationReport) -> BTreeMap<String, u64> {
    let dropped = report.dropped.iter();
    dropped
        .map(|(reason, noted)| (reason.clone(), noted.rows))
        .collect()
}

fn summaries(features: &[ArtifactFeature], columns: &[Vec<f64>]) -> Vec<FeatureSummary> {
    let each = features.iter().zip(columns);
    each.map(|(feature, values)| FeatureSummary {
        name: feature.name.clone(),
        mean: feature.mean,
        standard_deviation: feature.standard_deviation,
        numbers: profiles::five_numbers(values),
        histogram: profiles::histogram(values),
    })
    .collect()
}

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn feature(name: &str, window_days: Option<u32>, values: &[f64]) -> Result<ArtifactFeature, Error> {
    let scale = scaler::fit(values).ok_or_else(|| Error::ConstantColumn {
        feature: name.to_owned(),
        rows: values.len(),
    })?;
    let numbers = profiles::five_numbers(values);
    Ok(ArtifactFeature {
        name: name.to_owned(),
        transform: Transform::Identity,
        window_days,
        cap: Some(numbers.maximum),
        median: numbers.median,
        mean: scale.mean,
        standard_deviation: scale.standard_deviation,
    })
}

fn scale(rows: &Array2<f64>, features: &[ArtifactFeature]) -> Array2<f64> {
    let mut scaled = rows.clone();
    for (mut column, feature) in scaled.axis_iter_mut(Axis(1)).zip(features) {
        column.mapv_inplace(|value| (value - feature.mean) / feature.standard_deviation);
    }
    scaled
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

fn segments(
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
            numbers: profiles::five_numbers(&values.to_vec()),
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
