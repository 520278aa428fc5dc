//! The model of the settings, and whether its features can be computed from events and profiles.

use anyhow::Context;

use crate::cli::exit::CallError;
use crate::config::settings::Settings;
use crate::domain::feature_source::FeatureSource;
use crate::domain::nearest::is_same_name;
use crate::domain::nearest::nearest;
use crate::engine::policy::Policy;
use crate::model::segment_model::SegmentModel;
use crate::model_files;

/// A shorter name that is near a computed feature may well be an attribute of its own, such as `wage` beside `age`.
const MISSPELT_CHARACTERS_MIN: usize = 6;
/// Endings that a feature's name is given without.
const ENDINGS: [&str; 2] = ["_days", "ing"];

/// The model of the settings, or the one shipped in the binary.
///
/// # Errors
/// If the file cannot be read or does not fit.
pub(super) fn load_model(settings: &Settings) -> anyhow::Result<SegmentModel> {
    match &settings.model_path {
        Some(path) => model_files::load(path).context("model.path is wrong"),
        None => Ok(model_files::shipped_model()?),
    }
}

/// The model of a process that takes events.
///
/// # Errors
/// If it cannot be read, or does not fit the ledger, the events or the profiles.
pub(super) fn model_to_run(settings: &Settings, policy: &Policy) -> anyhow::Result<SegmentModel> {
    let model = load_model(settings)?;
    policy.check_model(&model)?;
    if let Some(note) = check(settings, &model)? {
        tracing::warn!("{note}");
    }
    Ok(model)
}

/// The names of the features that are computed.
fn computed() -> impl Iterator<Item = &'static str> {
    FeatureSource::names()
}

/// The computed feature that a name was probably meant to be.
fn meant(name: &str) -> Option<&'static str> {
    let same = computed().find(|known| is_same_name(name, known));
    let without_ending = || {
        computed().find(|known| {
            let mut stems = ENDINGS
                .iter()
                .filter_map(|ending| known.strip_suffix(ending));
            stems.any(|stem| is_same_name(name, stem))
        })
    };
    let near = || {
        let is_long = name.chars().count() >= MISSPELT_CHARACTERS_MIN;
        is_long.then(|| nearest(name, computed())).flatten()
    };
    same.or_else(without_ending).or_else(near)
}

/// Refuses features of a state whose names are computed ones' but for their spelling: they would be looked for among the
/// attributes of profiles.
///
/// # Errors
/// Names the features, and those that are computed.
pub(super) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), CallError> {
    let of_profiles =
        names.filter(|name| matches!(FeatureSource::named(name), FeatureSource::Attribute(_)));
    let wrong =
        of_profiles.filter_map(|name| Some(format!("{name:?} (did you mean {:?}?)", meant(name)?)));
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let all = computed().collect::<Vec<_>>().join(", ");
    Err(CallError(format!(
        "--features has names that the state does not: {}. Computed from events and profiles are {all}; every other name is \
         an attribute of profiles",
        wrong.join(", ")
    )))
}

/// Refuses a model with a feature whose name is a computed one's but for its spelling: it would be looked for among the
/// attributes of profiles, found in none, and be the median for everybody. Of the other features that are not computed, a
/// sentence says where they must come from.
///
/// # Errors
/// Names the model, the features, and those that are computed.
pub(super) fn check(settings: &Settings, model: &SegmentModel) -> anyhow::Result<Option<String>> {
    let of_profiles = model.features().iter().filter_map(|feature| {
        let source = FeatureSource::named(&feature.name);
        matches!(source, FeatureSource::Attribute(_)).then(|| feature.name.to_string())
    });
    let of_profiles: Vec<String> = of_profiles.collect();
    let wrong = of_profiles
        .iter()
        .filter_map(|name| Some(format!("{name:?} (did you mean {:?}?)", meant(name)?)));
    let wrong: Vec<String> = wrong.collect();
    let all = computed().collect::<Vec<_>>().join(", ");
    if !wrong.is_empty() {
        let path = settings.model_path.as_ref();
        let path = path.map_or_else(String::new, |path| format!(" {}", path.display()));
        return Err(CallError(format!(
            "the model{path} has features that cannot be computed: {}. Computed from events and profiles are {all}; every \
             other name is an attribute of profiles. Train it again with these names",
            wrong.join(", ")
        ))
        .into());
    }
    if of_profiles.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!(
        "{} of the model come from profile.attributes of customer.updated events alone, and are the model's median until a \
         customer has them; computed from events and profiles are {all}",
        of_profiles.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_feature_is_told_from_an_attribute() {
        for (name, expected) in [
            ("total_spendings", Some("total_spending")),
            ("total_spend", Some("total_spending")),
            ("Income", Some("income")),
            ("recency", Some("recency_days")),
            ("tenure", Some("tenure_days")),
            ("webPurchases", Some("web_purchases")),
            ("store_purchase", Some("store_purchases")),
            ("avarage_order_value", Some("average_order_value")),
            ("children", None),
            ("wage", None),
            ("score", None),
            ("web_visits_month", None),
            ("store", None),
            ("deals", None),
            ("visits", None),
        ] {
            assert_eq!(meant(name), expected, "{name}");
        }
    }
}
