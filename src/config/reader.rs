//! Reads typed values key by key and collects every problem.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::problems::Problems;
use crate::config::sources::Values;
use crate::config::sources::defaults;
use crate::config::sources::unknown;
use crate::config::units::duration;
use crate::config::units::duration_text;
use crate::config::units::size;
use crate::config::units::size_text;
use crate::domain::nearest::did_you_mean;

/// Keys whose value is never shown.
const SECRETS: [&str; 3] = [
    "http.token",
    "kafka.security.password",
    "kafka.security.key_password",
];
/// Addresses, which may have a password by mistake.
const BROKERS: &str = "kafka.brokers";
/// What is shown instead.
const REDACTED: &str = "\"***\"";

/// A number in a smaller type; its range was checked before.
pub(super) fn small<T: TryFrom<u64>>(number: u64) -> Option<T> {
    T::try_from(number).ok()
}

/// Reads values by key. A key that is never read is unknown.
pub struct Reader {
    values: Values,
    known: BTreeSet<String>,
    problems: Vec<String>,
    /// How many of the problems are of rights.
    of_rights: usize,
}

/// A setting as it is in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its key.
    pub key: String,
    /// Its value in TOML; a secret is redacted.
    pub value: String,
    /// Where it comes from.
    pub origin: String,
}

impl Reader {
    /// Reads from merged sources.
    #[must_use]
    pub fn new(values: Values, problems: Vec<String>) -> Self {
        Self {
            values,
            known: BTreeSet::new(),
            problems,
            of_rights: 0,
        }
    }

    /// Every key that was read, with its value; secrets are redacted.
    #[must_use]
    pub fn described(&self) -> Vec<Described> {
        let defaults = defaults();
        let known = self
            .values
            .iter()
            .filter(|(key, _)| self.known.contains(*key));
        let described = known.map(|(key, sourced)| {
            let default = defaults.get(key).map(|sourced| &sourced.value);
            Described {
                key: key.clone(),
                value: shown(key, &like(default, &sourced.value)),
                origin: sourced.origin.clone(),
            }
        });
        described.collect()
    }

    /// Adds a problem for every key that was never read, and returns all problems.
    #[must_use]
    pub fn finish(mut self) -> Problems {
        for (key, sourced) in &self.values {
            if !self.known.contains(key) {
                self.problems.push(unknown(key, sourced, &self.known));
            }
        }
        Problems {
            of_rights_alone: self.of_rights > 0 && self.of_rights == self.problems.len(),
            list: self.problems,
        }
    }

    /// The last problem is of a file; notes whether it is only one of rights.
    pub fn blame_rights(&mut self, path: &Path) {
        let opened = std::fs::File::open(path);
        if opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) {
            self.of_rights += 1;
        }
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

    /// One of several words.
    pub fn one_of<T: Clone>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let quoted: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let value = self.values.get(key).map(|sourced| &sourced.value);
        let typed = value.and_then(toml::Value::as_str).unwrap_or_default();
        let known = words.iter().map(|(word, _)| *word);
        let near = did_you_mean(typed, known);
        let allowed = format!("one of {}{near}", quoted.join(", "));
        self.parsed(key, &allowed, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| value.clone())
        })
    }

    /// A readable file; empty is none.
    pub fn optional_file(&mut self, key: &str) -> Option<Option<PathBuf>> {
        let path = self.optional_path(key)?;
        let Some(path) = path else {
            return Some(None);
        };
        let opened = std::fs::File::open(&path).and_then(|file| file.metadata());
        let problem = match opened {
            Ok(found) if found.is_dir() => "it is a directory".to_owned(),
            Ok(_) => return Some(Some(path)),
            Err(error) => error.to_string(),
        };
        self.problem(key, &format!("a readable file: {problem}"));
        self.blame_rights(&path);
        None
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
        let bounds = format!("from {} to {}", duration_text(low), duration_text(high));
        let allowed = format!("a duration such as 100ms, 45s or 5m, {bounds}");
        self.parsed(key, &allowed, |text| {
            duration(text).filter(|duration| (low..=high).contains(duration))
        })
    }

    /// A size in bytes, at least `low`.
    pub fn bytes(&mut self, key: &str, low: u64) -> Option<u64> {
        let least = size_text(low);
        let allowed = format!("a size such as 65536, 64KiB or 256MiB, at least {least}");
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

/// A text from the environment or the command line, as a file would have it.
fn like(default: Option<&toml::Value>, value: &toml::Value) -> toml::Value {
    let text = value.as_str();
    let read = match default {
        Some(toml::Value::Integer(_)) => text
            .and_then(|text| text.parse().ok())
            .map(toml::Value::Integer),
        Some(toml::Value::Float(_)) => text
            .and_then(|text| text.parse().ok())
            .map(toml::Value::Float),
        Some(toml::Value::Boolean(_)) => text
            .and_then(|text| text.parse().ok())
            .map(toml::Value::Boolean),
        Some(toml::Value::Array(_)) => text.map(|text| {
            let entries = text.split(',').map(str::trim);
            let entries = entries.filter(|entry| !entry.is_empty());
            toml::Value::Array(entries.map(toml::Value::from).collect())
        }),
        Some(toml::Value::String(_) | toml::Value::Datetime(_) | toml::Value::Table(_)) | None => {
            None
        }
    };
    read.unwrap_or_else(|| value.clone())
}

/// Whether a setting is never shown.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

fn shown(key: &str, value: &toml::Value) -> String {
    if is_secret(key) && value.as_str() != Some("") {
        REDACTED.to_owned()
    } else if let (BROKERS, Some(text)) = (key, value.as_str()) {
        toml::Value::String(without_passwords(text)).to_string()
    } else {
        value.to_string()
    }
}

/// Addresses as other programs write them may have a name and a password before an `@`. A password may have any character, so
/// nothing before the last `@` is shown.
fn without_passwords(addresses: &str) -> String {
    match addresses.rsplit_once('@') {
        Some((_, hosts)) => format!("***@{hosts}"),
        None => addresses.to_owned(),
    }
}
