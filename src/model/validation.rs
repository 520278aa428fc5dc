//! Checks an artifact before any customer is assigned with it.

use std::collections::BTreeSet;

use crate::domain::feature_source::FeatureSource;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactChurn;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::FEATURES_MAX;
use crate::model::artifact::FORMAT;
use crate::model::artifact::SEGMENTS_MAX;
use crate::model::feature::Feature;
use crate::model::feature::VALUE_MAX;

/// Longest window, in days: a century.
const WINDOW_DAYS_MAX: u32 = 36_525;
/// Least standard deviation: with it the square of a scaled value is far from the end of a float.
pub const STANDARD_DEVIATION_MIN: f64 = 1e-30;
/// Longest version, id and name, in characters.
pub const NAME_CHARACTERS_MAX: usize = 128;

/// Every problem of the artifact, one sentence each.
#[must_use]
pub fn problems(artifact: &Artifact) -> Vec<String> {
    let mut problems = Vec::new();
    check_head(artifact, &mut problems);
    check_features(&artifact.features, &mut problems);
    check_segments(artifact, &mut problems);
    check_figures(artifact, &mut problems);
    if let Some(churn) = &artifact.churn {
        check_churn(churn, &mut problems);
    }
    problems
}

fn is_value(value: f64) -> bool {
    value.abs() <= VALUE_MAX
}

/// The figures that are shown and not computed with.
fn check_figures(artifact: &Artifact, problems: &mut Vec<String>) {
    let training = &artifact.training;
    let churn = artifact.churn.as_ref();
    let holdout = churn.and_then(|churn| churn.holdout.as_ref());
    let figures = [
        ("training.inertia", Some(training.inertia)),
        ("training.silhouette", training.silhouette),
        (
            "churn.log_likelihood",
            churn.map(|churn| churn.log_likelihood),
        ),
        (
            "churn.holdout.share_returned",
            holdout.map(|holdout| holdout.share_returned),
        ),
        (
            "churn.holdout.area_under_curve",
            holdout.map(|holdout| holdout.area_under_curve),
        ),
        ("churn.holdout.brier", holdout.map(|holdout| holdout.brier)),
    ];
    for (name, figure) in figures {
        if let Some(figure) = figure.filter(|figure| !figure.is_finite()) {
            problems.push(format!("{name} {figure} is not finite"));
        }
    }
}

fn check_churn(churn: &ArtifactChurn, problems: &mut Vec<String>) {
    for (name, parameter) in [
        ("r", churn.r),
        ("alpha_days", churn.alpha_days),
        ("a", churn.a),
        ("b", churn.b),
    ] {
        if !(parameter.is_finite() && parameter > 0.0) {
            problems.push(format!("churn.{name} {parameter} is not a number above 0"));
        }
    }
}

fn check_head(artifact: &Artifact, problems: &mut Vec<String>) {
    if artifact.format != FORMAT {
        problems.push(format!(
            "format {} is not {FORMAT}, the one this version reads",
            artifact.format
        ));
    }
    check_name("version", &artifact.version, problems);
    for (name, margin) in [
        ("squared", artifact.margin.squared),
        ("distance", artifact.margin.distance),
    ] {
        if !(0.0..=VALUE_MAX).contains(&margin) {
            problems.push(format!(
                "margin.{name} {margin} is not a number from 0 to {VALUE_MAX:e}"
            ));
        }
    }
    match artifact.compute_fingerprint() {
        Ok(fingerprint) if fingerprint == artifact.fingerprint => {}
        Ok(fingerprint) => problems.push(format!(
            "fingerprint {:?} is not that of the content, {fingerprint:?}",
            artifact.fingerprint
        )),
        Err(error) => problems.push(format!("the content cannot be fingerprinted: {error}")),
    }
}

fn check_name(field: &str, text: &str, problems: &mut Vec<String>) {
    let characters = text.chars().count();
    if characters == 0 || characters > NAME_CHARACTERS_MAX {
        problems.push(format!(
            "{field} {text:?} has not 1 to {NAME_CHARACTERS_MAX} characters"
        ));
    }
}

fn check_features(features: &[ArtifactFeature], problems: &mut Vec<String>) {
    if features.is_empty() || features.len() > FEATURES_MAX {
        problems.push(format!(
            "{} features are not 1 to {FEATURES_MAX}",
            features.len()
        ));
    }
    let mut names = BTreeSet::new();
    for feature in features {
        let name = &feature.name;
        check_name("feature name", name, problems);
        if !names.insert(name) {
            problems.push(format!("feature {name:?} occurs twice"));
        }
        let numbers = [feature.median, feature.mean, feature.standard_deviation];
        if !numbers.iter().chain(&feature.cap).copied().all(is_value) {
            problems.push(format!(
                "feature {name:?} has a number that is not from -{VALUE_MAX:e} to {VALUE_MAX:e}"
            ));
        }
        let found = feature.standard_deviation;
        if found.is_nan() || found < STANDARD_DEVIATION_MIN {
            problems.push(format!(
                "feature {name:?} has standard_deviation {found}, not at least {STANDARD_DEVIATION_MIN:e}"
            ));
        }
        if let Some(window_days) = feature.window_days {
            if !(1..=WINDOW_DAYS_MAX).contains(&window_days) {
                problems.push(format!(
                    "feature {name:?} has window_days {window_days}, not 1 to {WINDOW_DAYS_MAX}"
                ));
            }
            if !FeatureSource::named(name).may_be_windowed() {
                problems.push(format!("feature {name:?} cannot have a window"));
            }
        }
    }
}

fn check_segments(artifact: &Artifact, problems: &mut Vec<String>) {
    let segments = &artifact.segments;
    if segments.is_empty() || segments.len() > SEGMENTS_MAX || segments.len() != artifact.training.k
    {
        problems.push(format!(
            "{} segments are not 1 to {SEGMENTS_MAX} and equal to training.k, {}",
            segments.len(),
            artifact.training.k
        ));
    }
    let mut ids = BTreeSet::new();
    let mut names = BTreeSet::new();
    for segment in segments {
        let id = &segment.id;
        check_name("segment id", id, problems);
        check_name("segment name", &segment.name, problems);
        let is_slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !id.bytes().all(is_slug) {
            problems.push(format!("segment id {id:?} has other than a-z, 0-9 and -"));
        }
        if !ids.insert(id) || !names.insert(&segment.name) {
            problems.push(format!(
                "segment id {id:?} or name {:?} occurs twice",
                segment.name
            ));
        }
        if segment.centroid.len() != artifact.features.len() {
            problems.push(format!(
                "segment {id:?} has {} coordinates for {} features",
                segment.centroid.len(),
                artifact.features.len()
            ));
        }
        let centroid = artifact.features.iter().zip(&segment.centroid);
        let centroid = centroid.map(|(feature, place)| Feature::of(feature).unscale(*place));
        let values = segment.profile.values().copied().chain(centroid);
        let quartiles = segment.quartiles.values().flatten().copied();
        if !values.chain(quartiles).all(is_value) {
            problems.push(format!(
                "segment {id:?} has a value that is not from -{VALUE_MAX:e} to {VALUE_MAX:e}"
            ));
        }
        if !(0.0..=1.0).contains(&segment.share) {
            problems.push(format!(
                "segment {id:?} has share {}, not 0 to 1",
                segment.share
            ));
        }
        let features: BTreeSet<&String> =
            artifact.features.iter().map(|entry| &entry.name).collect();
        if segment.profile.keys().collect::<BTreeSet<_>>() != features {
            problems.push(format!("segment {id:?} has a profile of other features"));
        }
    }
}
