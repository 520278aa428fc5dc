//! Reads typed values key by key and collects every problem.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::sources::Values;
use crate::config::units::duration;
use crate::config::units::size;

/// Keys whose value is never shown.
const SECRETS: [&str; 3] = [
    "http.token",
    "kafka.security.password",
    "kafka.security.key_password",
];
/// What is shown instead.
const REDACTED: &str = "(secret)";

/// A number in a smaller type; its range was checked before.
pub(super) fn small<T: TryFrom<u64>>(number: u64) -> Option<T> {
    T::try_from(number).ok()
}

/// Reads values by key. A key that is never read is unknown.
pub struct Reader {
    values: Values,
    known: BTreeSet<String>,
    problems: Vec<String>,
}

impl Reader {
    /// Reads from merged sources.
    #[must_use]
    pub fn new(values: Values, problems: Vec<String>) -> Self {
        Self {
            values,
            known: BTreeSet::new(),
            problems,
        }
    }

    /// Every key that was read, with its value; secrets are redacted.
    #[must_use]
    pub fn described(&self) -> Vec<(String, String)> {
        let known = self
            .values
            .iter()
            .filter(|(key, _)| self.known.contains(*key));
        known
            .map(|(key, sourced)| (key.clone(), shown(key, &sourced.value)))
            .collect()
    }

    /// Adds a problem for every key that was never read, and returns all problems.
    #[must_use]
    pub fn finish(mut self) -> Vec<String> {
        for (key, sourced) in &self.values {
            if !self.known.contains(key) {
                // Without the value, which may be a secret under a misspelt key.
                let origin = &sourced.origin;
                self.problems.push(format!(
                    "{key} from {origin} is not a setting of this version"
                ));
            }
        }
        self.problems
    }

    /// Adds a problem of a key, with its value.
    pub fn problem(&mut self, key: &str, allowed: &str) {
        let problem = match self.values.get(key) {
            Some(sourced) => {
                format!(
                    "{key} = {} from {} is not {allowed}",
                    shown(key, &sourced.value),
                    sourced.origin
                )
            }
            None => format!("{key} is missing: it must be {allowed}"),
        };
        self.problems.push(problem);
    }

    /// A text that `parse` accepts; numbers and flags count as their text.
    pub fn parsed<T>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.known.insert(key.to_owned());
        let text = match self.values.get(key).map(|sourced| &sourced.value) {
            Some(toml::Value::String(text)) => Some(text.clone()),
            Some(toml::Value::Integer(number)) => Some(number.to_string()),
            Some(toml::Value::Boolean(flag)) => Some(flag.to_string()),
            Some(toml::Value::Float(number)) => Some(number.to_string()),
            Some(toml::Value::Datetime(instant)) => Some(instant.to_string()),
            Some(toml::Value::Array(_) | toml::Value::Table(_)) | None => None,
        };
        let value = text.and_then(|text| parse(&text));
        if value.is_none() {
            self.problem(key, allowed);
        }
        value
    }

    /// Any text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.parsed(key, "a text", |text| Some(text.to_owned()))
    }

    /// A text that is not empty.
    pub fn name(&mut self, key: &str) -> Option<String> {
        self.parsed(key, "a text that is not empty", |text| {
            (!text.is_empty()).then(|| text.to_owned())
        })
    }

    /// A path; empty is none.
    pub fn optional_path(&mut self, key: &str) -> Option<Option<PathBuf>> {
        self.parsed(key, "a path", |text| {
            Some((!text.is_empty()).then(|| PathBuf::from(text)))
        })
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        self.parsed(key, "true or false", |text| text.parse().ok())
    }

    /// A whole number within bounds, both included.
    pub fn integer(&mut self, key: &str, low: u64, high: u64) -> Option<u64> {
        self.parsed(
            key,
            &format!("a whole number from {low} to {high}"),
            |text| {
                text.parse()
                    .ok()
                    .filter(|number| (low..=high).contains(number))
            },
        )
    }

    /// A duration within bounds, both included.
    pub fn duration(&mut self, key: &str, low: Duration, high: Duration) -> Option<Duration> {
        let allowed = format!("a duration such as 100ms, 45s or 5m, from {low:?} to {high:?}");
        self.parsed(key, &allowed, |text| {
            duration(text).filter(|duration| (low..=high).contains(duration))
        })
    }

    /// A size in bytes, at least `low`.
    pub fn bytes(&mut self, key: &str, low: u64) -> Option<u64> {
        let allowed = format!("a size such as 65536, 64KiB or 256MiB, at least {low} bytes");
        self.parsed(key, &allowed, |text| {
            size(text).filter(|bytes| *bytes >= low)
        })
    }

    /// A list of texts; on the command line separated by commas.
    pub fn list(&mut self, key: &str) -> Option<Vec<String>> {
        self.known.insert(key.to_owned());
        let list = match self.values.get(key).map(|sourced| &sourced.value) {
            Some(toml::Value::Array(entries)) => entries
                .iter()
                .map(|entry| entry.as_str().map(str::to_owned))
                .collect(),
            Some(toml::Value::String(text)) => {
                let entries = text
                    .split(',')
                    .map(str::trim)
                    .filter(|entry| !entry.is_empty());
                Some(entries.map(str::to_owned).collect())
            }
            Some(
                toml::Value::Integer(_)
                | toml::Value::Float(_)
                | toml::Value::Boolean(_)
                | toml::Value::Datetime(_)
                | toml::Value::Table(_),
            )
            | None => None,
        };
        if list.is_none() {
            self.problem(key, "a list of texts");
        }
        list
    }

    /// The last parts of all keys that begin with `prefix`.
    #[must_use]
    pub fn names_below(&self, prefix: &str) -> Vec<String> {
        self.values
            .keys()
            .filter_map(|key| key.strip_prefix(prefix))
            .map(str::to_owned)
            .collect()
    }
}

impl fmt::Debug for Reader {
    /// Without the values, which may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reader")
            .field("known", &self.known)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

fn shown(key: &str, value: &toml::Value) -> String {
    if SECRETS.contains(&key) {
        REDACTED.to_owned()
    } else {
        value.to_string()
    }
}
