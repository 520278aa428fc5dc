//! What is wrong with a settings file that is no TOML. Its lines may hold passwords, so nothing of a value is shown.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Shortest part of a value that could give it away.
const TELLING_CHARACTERS_MIN: usize = 3;

/// Where the mistake is and what is wrong, with the key of its line if it is one of those with a default, in TOML.
pub(super) fn problem(
    origin: &str,
    text: &str,
    error: &toml::de::Error,
    defaults: &BTreeMap<String, String>,
) -> String {
    let known = &defaults.keys().cloned().collect();
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let place = match key_of((text, number), line, known) {
        Some(key) => format!("{origin}, line {number}, at {key}"),
        None => format!("{origin}, line {number}"),
    };
    // How far into its line the mistake is.
    let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1);
    let said = match value_problem(line, column) {
        Some(problem) if !error.message().contains("duplicate key") => {
            let example =
                key_of((text, number), line, known).and_then(|key| example(&key, defaults));
            format!("{problem}{}", example.unwrap_or_default())
        }
        _ => said(error, text),
    };
    format!("{place}: {said}{}", guess(text))
}

/// What a line begins with, with the section above it, if all words of it are ours.
fn key_of((text, number): (&str, usize), line: &str, known: &BTreeSet<String>) -> Option<String> {
    let name = name_of(line, known)?;
    let above = text.lines().take(number - 1).map(str::trim);
    let section = above
        .filter_map(|line| line.strip_prefix('[')?.split(']').next())
        .last();
    let is_section = line.trim().starts_with('[');
    match section.filter(|_| !is_section) {
        Some(section) => {
            let full = format!("{}.{name}", section.trim());
            is_known(&full, known).then_some(full)
        }
        None => Some(name),
    }
}

/// All words of a name are those of keys.
fn is_known(name: &str, known: &BTreeSet<String>) -> bool {
    let parts = known.iter().flat_map(|key| key.split('.'));
    name.split('.')
        .all(|word| parts.clone().any(|part| part == word))
}

/// What is wrong where the mistake is behind the `=` of a line and the value is a plain word or nothing.
fn value_problem(line: &str, column: usize) -> Option<&'static str> {
    let (name, value) = line.split_once('=')?;
    let value = value.split('#').next().unwrap_or_default().trim();
    if value.is_empty() {
        return Some("it has no value behind the =");
    }
    let is_quoted = value.starts_with(['"', '\'', '[', '{']);
    (!is_quoted && column > name.len()).then_some(
        "the value is no TOML: a text stands in quotes, a number and true or false do not, and nothing follows them",
    )
}

/// How the value of a key may be written: as its default is.
fn example(key: &str, defaults: &BTreeMap<String, String>) -> Option<String> {
    let value = defaults.get(key).filter(|value| *value != "\"\"")?;
    let name = key.rsplit('.').next().unwrap_or(key);
    Some(format!("; such as the default, {name} = {value}"))
}

/// The key or the section that a line begins with, if it is one of ours.
fn name_of(line: &str, known: &BTreeSet<String>) -> Option<String> {
    let name = match line.trim().strip_prefix('[') {
        Some(section) => section.split(']').next()?,
        None => line.split_once('=')?.0,
    };
    let name = name.trim();
    (!name.is_empty() && is_known(name, known)).then(|| name.to_owned())
}

/// The library's sentence, unless it quotes the file.
fn said(error: &toml::de::Error, text: &str) -> String {
    let message = error.message();
    if message.contains("duplicate key") {
        return "it is given twice".to_owned();
    }
    let is_of_a_word = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
    let mut words = text.split(|letter| !is_of_a_word(letter));
    let is_quoted = words.any(|word| {
        let is_telling = word.chars().count() >= TELLING_CHARACTERS_MIN;
        is_telling && !is_of_grammar(word) && message.contains(word)
    });
    if is_quoted {
        "this is not TOML".to_owned()
    } else {
        message.lines().collect::<Vec<_>>().join(" ")
    }
}

/// A word that the library uses itself.
fn is_of_grammar(word: &str) -> bool {
    const WORDS: [&str; 16] = [
        "key", "value", "string", "table", "array", "and", "the", "expected", "line", "quoted",
        "must", "missing", "invalid", "true", "false", "for",
    ];
    WORDS.contains(&word)
}

/// The format that the file looks like.
fn guess(text: &str) -> &'static str {
    let is_yaml = |line: &str| {
        let name = line.split_once(':').map(|(name, _)| name.trim());
        name.is_some_and(|name| {
            let is_of_a_key =
                |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
            !name.is_empty() && name.chars().all(is_of_a_key)
        })
    };
    let mut lines = text.lines().map(str::trim);
    let is_content = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let first = lines.find(is_content).unwrap_or_default();
    if first.starts_with('{') {
        ". A settings file is TOML, and this looks like JSON: write commit.interval = \"1s\""
    } else if first == "---" || is_yaml(first) {
        ". A settings file is TOML, and this looks like YAML: write commit.interval = \"1s\""
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(text: &str) -> String {
        let defaults = [
            ("workers", "0"),
            ("http.token", "\"\""),
            ("kafka.brokers", "\"\""),
            ("kafka.security.password", "\"\""),
        ];
        let owned = defaults.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let defaults = owned.into();
        let error = text.parse::<toml::Table>().unwrap_err();
        problem("a.toml", text, &error, &defaults)
    }

    #[test]
    fn a_mistake_is_named_by_line_and_key_and_no_value_is_shown() {
        for (text, parts) in [
            (
                "[kafka.security]\npassword = hunter2\n",
                &["a.toml, line 2, at kafka.security.password: "][..],
            ),
            (
                "[kafka.security]\npassword = \"hunter2\n",
                &["a.toml, line 2, at kafka.security.password: "],
            ),
            (
                "[http]\ntoken = \"hunter2\"hunter2\n",
                &["a.toml, line 2, at http.token: "],
            ),
            (
                "[http]\nworkers = two\n",
                &[
                    "a.toml, line 2, at http.workers: the value is no TOML: a text stands in quotes, a number and true or false do not, and nothing follows them",
                ],
            ),
            ("[http]\nhunter2\n", &["a.toml, line 2: "]),
            ("[http]\nhunter2 = \n", &["a.toml, line 2: "]),
            (
                "[http]\ntoken = \"\"\"\nhunter2=\nworkers = hunter2\n",
                &["a.toml, line "],
            ),
            (
                "[http]\ntoken = 'hunter2\n",
                &["a.toml, line 2, at http.token: "],
            ),
            (
                "[http]\ntoken = \"hunter2\\q\"\n",
                &["a.toml, line 2, at http.token: "],
            ),
            (
                "hunter2 = 1\nhunter2 = 2\n",
                &["a.toml, line 2: it is given twice"],
            ),
            (
                "workers = 1\nworkers = 2\n",
                &["a.toml, line 2, at workers: it is given twice"],
            ),
            ("kafka:\n  brokers: a\n", &["a.toml, line 1", "YAML"]),
            ("---\nkafka:\n", &["a.toml, line 1", "YAML"]),
            ("{\"workers\": 2}\n", &["a.toml, line 1", "JSON"]),
        ] {
            let problem = problem_of(text);
            for part in parts {
                assert!(problem.contains(part), "{part} in {problem}");
            }
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_value_that_is_no_toml_is_explained_with_its_default() {
        for (text, parts) in [
            (
                "workers = two\n",
                &[
                    "a.toml, line 1, at workers: the value is no TOML",
                    "in quotes",
                    "workers = 0",
                ][..],
            ),
            (
                "workers = two\n[http]\n",
                &["a.toml, line 1, at workers: the value is no TOML"],
            ),
            (
                "workers = 2;\n",
                &["a.toml, line 1, at workers: ", "nothing follows"],
            ),
            (
                "workers =\n",
                &["a.toml, line 1, at workers: it has no value", "workers = 0"],
            ),
            (
                "[kafka]\nbrokers = a:1\n",
                &["line 2, at kafka.brokers: ", "in quotes"],
            ),
        ] {
            let problem = problem_of(text);
            for part in parts {
                assert!(problem.contains(part), "{part} in {problem}");
            }
        }
    }
}
