//! Makes a model artifact from training rows.

use std::collections::BTreeMap;

use ndarray::Axis;

use crate::domain::nearest::did_you_mean;
use crate::domain::time::Timestamp;
use crate::learn::analysis::Analysis;
use crate::learn::analysis::Choice;
use crate::learn::analysis::PreparationReport;
use crate::learn::choice::ChooseK;
use crate::learn::choice::choose;
use crate::learn::clustering::exact;
use crate::learn::columns::feature;
use crate::learn::columns::scale;
use crate::learn::columns::summaries;
use crate::learn::kmeans;
use crate::learn::kmeans::FitOptions;
use crate::learn::preparation::Prepared;
use crate::learn::preparation::TrainingTable;
use crate::learn::preparation::prepare;
use crate::learn::projection;
use crate::learn::projection::project;
use crate::learn::recommendations::Range;
use crate::learn::segments::Found;
use crate::learn::segments::in_order;
use crate::learn::segments::segments;
use crate::learn::wording;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::ArtifactMargin;
use crate::model::artifact::FORMAT;
use crate::model::artifact::TrainingFacts;

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
    /// The instant as of which the values hold.
    pub as_of: Timestamp,
    /// What was read.
    pub source: String,
    /// Currency of the amounts, where it is known.
    pub currency: Option<String>,
    /// A model whose ids are kept where its segments are found again.
    pub known: Option<Artifact>,
}

/// The model, and the analysis of the training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model.
    pub artifact: Artifact,
    /// The analysis, for the report.
    pub analysis: Analysis,
}

/// Why no model can be learned from the rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A feature without a column.
    #[error(
        "feature {feature:?} is not among the columns: {columns}{}",
        did_you_mean(feature, columns.split(", "))
    )]
    UnknownFeature {
        /// Its name.
        feature: String,
        /// The columns there are.
        columns: String,
    },
    /// A column in which all values are equal.
    #[error(
        "column {feature} has no two different values among the {rows} rows used{left_out}; leave it out of --features"
    )]
    ConstantColumn {
        /// Which.
        feature: String,
        /// Rows used.
        rows: usize,
        /// Rows left out and why, after a comma; empty where there are none.
        left_out: String,
    },
    /// The fit failed.
    #[error(transparent)]
    Fit(#[from] kmeans::Error),
    /// Every row was left out.
    #[error(
        "none of the {read} rows can be used{left_out}; --features says what to learn from, and each row needs a value of each"
    )]
    NoRows {
        /// Rows read.
        read: u64,
        /// Rows left out and why, after a comma.
        left_out: String,
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
    if prepared.rows.is_empty() {
        return Err(Error::NoRows {
            read: prepared.report.rows_read,
            left_out: left_out(&prepared.report),
        });
    }
    let columns = columns(&prepared);
    let features = features(options, &columns, &prepared.report)?;
    let scaled = scale(&prepared.rows, &features);
    let (choice, clustering) = choose(&scaled, options.choose, options.range, options.fit)?;
    let clustering = in_order(exact(&scaled, clustering), &names);
    let summaries = summaries(&features, &columns);
    let (segments, revenue) = segments(Found {
        clustering: &clustering,
        features: &features,
        summaries: &summaries,
        rows: &prepared.rows,
        currency: options.currency.as_deref(),
        known: options.known.as_ref(),
    });
    let correlations = projection::correlations(&scaled);
    let mut artifact = Artifact {
        format: FORMAT,
        version: options.version.clone(),
        trained_at: options.trained_at.to_string(),
        segments: segments.iter().map(|(one, _)| one.clone()).collect(),
        margin: ArtifactMargin::default(),
        training: training_facts(options, &prepared, &choice, clustering.inertia),
        churn: None,
        features,
        fingerprint: String::new(),
    };
    artifact.fingerprint = artifact
        .compute_fingerprint()
        .map_err(|_| Error::NotFinite)?;
    let analysis = Analysis {
        features: summaries,
        preparation: prepared.report,
        correlations: correlations.outer_iter().map(|row| row.to_vec()).collect(),
        choice,
        segments: segments.into_iter().map(|(_, analysis)| analysis).collect(),
        projection: project(&scaled, &correlations, &clustering, options.fit.seed),
        currency: options.currency.clone(),
        revenue,
    };
    Ok(Trained { artifact, analysis })
}

fn columns(prepared: &Prepared) -> Vec<Vec<f64>> {
    let columns = prepared.rows.axis_iter(Axis(1));
    columns.map(|column| column.to_vec()).collect()
}

pub(super) fn features(
    options: &TrainingOptions,
    columns: &[Vec<f64>],
    report: &PreparationReport,
) -> Result<Vec<ArtifactFeature>, Error> {
    let features = options.features.iter().zip(columns);
    features
        .map(|((name, window_days), values)| {
            feature(name, *window_days, values).ok_or_else(|| Error::ConstantColumn {
                feature: name.clone(),
                rows: values.len(),
                left_out: left_out(report),
            })
        })
        .collect()
}

/// ", as 60 were left out: income above 50,000 (60)"; empty where no row was left out.
fn left_out(report: &PreparationReport) -> String {
    let dropped = report.dropped.values();
    let rows: u64 = dropped.clone().map(|noted| noted.rows).sum();
    if rows == 0 {
        return String::new();
    }
    let were = if rows == 1 { "was" } else { "were" };
    let reasons = dropped.map(|noted| format!("{} ({})", noted.rule, wording::whole(noted.rows)));
    let reasons: Vec<String> = reasons.collect();
    let rows = wording::whole(rows);
    format!(", as {rows} {were} left out: {}", reasons.join("; "))
}

fn training_facts(
    options: &TrainingOptions,
    prepared: &Prepared,
    choice: &Choice,
    inertia: f64,
) -> TrainingFacts {
    let chosen = choice.candidates.iter().find(|one| one.k == choice.k);
    let runs = options.fit.runs;
    TrainingFacts {
        source: options.source.clone(),
        as_of: options.as_of.to_string(),
        rows_read: prepared.report.rows_read,
        rows_dropped: dropped(&prepared.report),
        rows: prepared.report.rows_used,
        k: choice.k,
        inertia,
        seed: options.fit.seed,
        runs: runs.unwrap_or_else(|| kmeans::runs(choice.k, prepared.rows.nrows())),
        silhouette: chosen.and_then(|one| one.silhouette),
        choice: Some(choice.explanation.clone()),
    }
}

fn dropped(report: &PreparationReport) -> BTreeMap<String, u64> {
    let dropped = report.dropped.iter();
    dropped
        .map(|(reason, noted)| (reason.clone(), noted.rows))
        .collect()
}
