//! What an unknown key was probably meant to be.

use std::collections::BTreeSet;

use crate::domain::nearest::is_same_name;
use crate::domain::nearest::nearest;

/// How the environment variables of settings begin.
pub(super) const PREFIX: &str = "SEGSTREAM_";

/// A section whose keys are the codes of currencies.
const RATES: &str = "money.rates";

/// What other programs call these settings.
const ALIASES: [(&str, &str); 14] = [
    ("store.dir", "store.directory"),
    ("store.path", "store.directory"),
    ("data.dir", "store.directory"),
    ("dir", "store.directory"),
    ("embedded.dir", "embedded.directory"),
    ("log.dir", "embedded.directory"),
    ("http.port", "http.address"),
    ("http.host", "http.address"),
    ("http.listen", "http.address"),
    ("port", "http.address"),
    ("listen", "http.address"),
    ("log.level", "log.filter"),
    ("verbose", "log.filter"),
    ("bootstrap.servers", "kafka.brokers"),
];

/// What an unknown key was probably meant to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// A setting.
    Key(String),
    /// A section, with its settings.
    Section(Vec<String>),
}

fn last_word(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, word)| word)
}

/// The setting or the section that was probably meant by a key; `None` where nothing is near.
#[must_use]
pub fn meant(unknown: &str, known: &BTreeSet<String>) -> Option<Meant> {
    let keys = || known.iter().map(String::as_str);
    let key = |key: &str| Some(Meant::Key(key.to_owned()));
    let section = format!("{unknown}.");
    let within: Vec<String> = known
        .iter()
        .filter(|key| key.starts_with(&section))
        .cloned()
        .collect();
    if !within.is_empty() {
        return Some(Meant::Section(within));
    }
    if let Some(below) = keys().find(|key| unknown.starts_with(&format!("{key}."))) {
        return key(below);
    }
    if let Some(same) = keys().find(|key| is_same_name(key, unknown)) {
        return key(same);
    }
    let alias = ALIASES.iter().find(|(name, _)| is_same_name(name, unknown));
    if let Some((_, same)) = alias.filter(|(_, same)| known.contains(*same)) {
        return key(same);
    }
    let mut same_words = keys().filter(|key| is_same_name(last_word(key), last_word(unknown)));
    if let (Some(same), None) = (same_words.next(), same_words.next()) {
        return key(same);
    }
    nearest(unknown, keys()).and_then(key)
}

/// The environment variable of a setting.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// What to say after an unknown key; `variable_typed` is its environment variable, where it came from one.
pub(super) fn hint(
    unknown: &str,
    variable_typed: Option<&str>,
    known: &BTreeSet<String>,
) -> String {
    if variable_typed == Some("SEGSTREAM_CONFIG") {
        return "; --config FILE names the settings file".to_owned();
    }
    if unknown == RATES {
        return format!("; each currency has its own: {RATES}.CODE, such as {RATES}.EUR=1.08");
    }
    let spelt = |key: &str| match variable_typed {
        Some(_) => variable(key),
        None => format!("{key:?}"),
    };
    match meant(unknown, known) {
        Some(Meant::Key(key)) => {
            let dots_of = |key: &str| key.matches('.').count();
            let reason = if is_same_name(unknown, &key) && dots_of(unknown) != dots_of(&key) {
                dots(variable_typed)
            } else {
                ""
            };
            format!("; did you mean {}?{reason}", spelt(&key))
        }
        Some(Meant::Section(keys)) => {
            let keys: Vec<String> = keys.iter().map(|key| spelt(key)).collect();
            format!("; it is a section, with {}", keys.join(", "))
        }
        None => "; `segstream config show` lists all of them".to_owned(),
    }
}

fn dots(variable_typed: Option<&str>) -> &'static str {
    match variable_typed {
        Some(_) => " Two underscores stand for a dot",
        None => " A dot stands between a section and its keys",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_last_word_its_section_and_its_letters() {
        let known = [
            "workers",
            "commit.interval",
            "time.checkpoint_interval",
            "kafka.brokers",
            "kafka.security.password",
            "http.address",
        ];
        let known = known.map(str::to_owned).into();
        for (unknown, expected) in [
            ("worker", "; did you mean \"workers\"?"),
            ("interval", "; did you mean \"commit.interval\"?"),
            ("comit.interval", "; did you mean \"commit.interval\"?"),
            (
                "commit.interval.value",
                "; did you mean \"commit.interval\"?",
            ),
            (
                "kafka__brokers",
                "; did you mean \"kafka.brokers\"? A dot stands between a section and its keys",
            ),
            (
                "kafka.pasword",
                "; `segstream config show` lists all of them",
            ),
            (
                "kafka.security.pasword",
                "; did you mean \"kafka.security.password\"?",
            ),
            (
                "commit..interval",
                "; did you mean \"commit.interval\"? A dot stands between a section and its keys",
            ),
            ("http", "; it is a section, with \"http.address\""),
            ("http.port", "; did you mean \"http.address\"?"),
            ("store.dir", "; `segstream config show` lists all of them"),
            ("redis.host", "; `segstream config show` lists all of them"),
        ] {
            assert_eq!(hint(unknown, None, &known), expected, "{unknown}");
        }
        let one = hint("kafka_brokers", Some("SEGSTREAM_KAFKA_BROKERS"), &known);
        assert_eq!(
            one,
            "; did you mean SEGSTREAM_KAFKA__BROKERS? Two underscores stand for a dot"
        );
    }
}
