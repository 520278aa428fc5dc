//! Where settings come from: each source becomes values by dotted key.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;

use crate::config::meant::PREFIX;
use crate::config::meant::hint;
use crate::config::syntax;

/// The defaults, documented.
const DEFAULTS: &str = include_str!("../../config/default.toml");
/// The origin of the defaults.
const OF_DEFAULTS: &str = "default";
/// How the origin of an environment variable begins.
const OF_ENVIRONMENT: &str = "environment ";
/// An environment variable that is never a setting.
const DATA_VARIABLE: &str = "SEGSTREAM_DATA";
/// Prefixes of environment variables that are never settings.
const NOT_SETTINGS: [&str; 2] = ["SEGSTREAM_TEST_", "SEGSTREAM_REQUIRE_"];
/// Below it are currency codes, in capital letters.
const RATES: &str = "money.rates.";

/// A value and its origin.
#[derive(Clone, PartialEq)]
pub struct Sourced {
    /// The value; texts of environment and command line are read leniently.
    pub value: toml::Value,
    /// Such as `environment SEGSTREAM_WORKERS`.
    pub origin: String,
}

impl Sourced {
    /// The environment variable that it comes from.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        self.origin.strip_prefix(OF_ENVIRONMENT)
    }
}

impl fmt::Debug for Sourced {
    /// Without the value, which may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sourced")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Values by dotted key.
pub type Values = BTreeMap<String, Sourced>;

/// The default of every key.
#[must_use]
pub fn defaults() -> Values {
    let mut values = Values::new();
    if let Ok(table) = DEFAULTS.parse() {
        flatten(&mut values, "", table, OF_DEFAULTS);
    }
    values
}

/// Merges all sources, the later over the earlier.
pub fn merge(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &[String],
    problems: &mut Vec<String>,
) -> Values {
    let mut values = defaults();
    let known: BTreeSet<String> = values.keys().cloned().collect();
    if let Some(path) = file {
        let origin = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => match text.parse::<toml::Table>() {
                Ok(table) => flatten(&mut values, "", table, &origin),
                Err(error) => {
                    let as_toml = values.iter();
                    let as_toml = as_toml.map(|(key, one)| (key.clone(), one.value.to_string()));
                    let as_toml = as_toml.collect();
                    problems.push(syntax::problem(&origin, &text, &error, &as_toml));
                }
            },
            Err(error) => problems.push(format!(
                "cannot read the settings file {origin}: {}",
                unread(&error)
            )),
        }
    }
    for (name, value) in environment {
        let is_setting = name != DATA_VARIABLE
            && !NOT_SETTINGS
                .iter()
                .any(|reserved| name.starts_with(reserved));
        if let Some(key) = name.strip_prefix(PREFIX).filter(|_| is_setting) {
            let key = environment_key(key);
            let origin = format!("{OF_ENVIRONMENT}{name}");
            add(&mut values, key, toml::Value::String(value), &origin);
        }
    }
    for (place, text) in overrides.iter().enumerate() {
        match text.split_once('=').map(|(key, value)| (key.trim(), value)) {
            Some((key, value)) if !key.is_empty() => {
                let value = toml::Value::String(value.to_owned());
                add(&mut values, key.to_owned(), value, "--set");
            }
            Some(_) | None => problems.push(no_pair(place, text, &known)),
        }
    }
    values
}

/// Why a settings file cannot be read, in words.
#[must_use]
pub fn unread(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::IsADirectory {
        return "it is a directory".to_owned();
    }
    if error.kind() == io::ErrorKind::InvalidData {
        return "it is not text in UTF-8".to_owned();
    }
    error.to_string()
}

/// The text of a `--set` without `=` may be a secret, so only a key in it is shown.
fn no_pair(place: usize, text: &str, known: &BTreeSet<String>) -> String {
    let is_of_a_key = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let key: String = text
        .chars()
        .take_while(|letter| is_of_a_key(*letter))
        .collect();
    let pair = "KEY=VALUE, such as commit.interval=50ms";
    if known.contains(&key) {
        return format!("--set {key} has no value: it must be {pair}");
    }
    let number = place + 1;
    let hint = if text.contains(':') || text.starts_with('=') {
        ""
    } else {
        ". The key comes first, then =, then the value, without blanks"
    };
    format!("number {number} of the --set is not {pair}{hint}")
}

/// What is said of a key that is no setting. Its value is left out: it may be a secret under a misspelt key.
pub(super) fn unknown(key: &str, sourced: &Sourced, known: &BTreeSet<String>) -> String {
    let variable = sourced.variable();
    let hint = hint(key, variable, known);
    match variable {
        Some(variable) => {
            format!("{variable} of the environment is not a setting of this version{hint}")
        }
        None => format!(
            "{key} from {} is not a setting of this version{hint}",
            sourced.origin
        ),
    }
}

fn environment_key(name: &str) -> String {
    let key = name.to_lowercase().replace("__", ".");
    // The same key as in a file, so that the environment overrides it.
    match key.strip_prefix(RATES) {
        Some(code) => format!("{RATES}{}", code.to_uppercase()),
        None => key,
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
