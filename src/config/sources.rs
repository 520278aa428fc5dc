//! Where settings come from: each source becomes values by dotted key.

use std::collections::BTreeMap;
use std::path::Path;

/// The defaults, documented.
const DEFAULTS: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "SEGSTREAM_";
/// An environment variable that is never a setting.
const DATA_VARIABLE: &str = "SEGSTREAM_DATA";
/// Prefixes of environment variables that are never settings.
const NOT_SETTINGS: [&str; 2] = ["SEGSTREAM_TEST_", "SEGSTREAM_REQUIRE_"];
/// Below it are currency codes, in capital letters.
const RATES: &str = "money.rates.";

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Sourced {
    /// The value; texts of environment and command line are read leniently.
    pub value: toml::Value,
    /// Such as `environment SEGSTREAM_WORKERS`.
    pub origin: String,
}

/// Values by dotted key.
pub type Values = BTreeMap<String, Sourced>;

/// Merges all sources, the later over the earlier.
pub fn merge(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &[String],
    problems: &mut Vec<String>,
) -> Values {
    let mut values = Values::new();
    add_toml(&mut values, DEFAULTS, "the defaults", problems);
    if let Some(path) = file {
        let origin = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => add_toml(&mut values, &text, &origin, problems),
            Err(error) => problems.push(format!("cannot read {origin}: {error}")),
        }
    }
    for (name, value) in environment {
        let is_setting = name != DATA_VARIABLE
            && !NOT_SETTINGS
                .iter()
                .any(|reserved| name.starts_with(reserved));
        if let Some(key) = name.strip_prefix(PREFIX).filter(|_| is_setting) {
            let key = environment_key(key);
            let origin = format!("environment {name}");
            add(&mut values, key, toml::Value::String(value), &origin);
        }
    }
    for text in overrides {
        match text.split_once('=') {
            Some((key, value)) => {
                let value = toml::Value::String(value.to_owned());
                add(&mut values, key.trim().to_owned(), value, "--set");
            }
            None => problems.push(format!("--set {text:?} is not KEY=VALUE")),
        }
    }
    values
}

fn environment_key(name: &str) -> String {
    let key = name.to_lowercase().replace("__", ".");
    // The same key as in a file, so that the environment overrides it.
    match key.strip_prefix(RATES) {
        Some(code) => format!("{RATES}{}", code.to_uppercase()),
        None => key,
    }
}

fn add_toml(values: &mut Values, text: &str, origin: &str, problems: &mut Vec<String>) {
    match text.parse::<toml::Table>() {
        Ok(table) => flatten(values, "", table, origin),
        Err(error) => problems.push(format!("{origin} is not TOML: {error}")),
    }
}

fn flatten(values: &mut Values, prefix: &str, table: toml::Table, origin: &str) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        match value {
            toml::Value::Table(inner) => flatten(values, &format!("{key}."), inner, origin),
            value @ (toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)) => add(values, key, value, origin),
        }
    }
}

fn add(values: &mut Values, key: String, value: toml::Value, origin: &str) {
    values.insert(
        key,
        Sourced {
            value,
            origin: origin.to_owned(),
        },
    );
}
