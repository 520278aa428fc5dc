//! The layers of ARCHITECTURE.md and a few habits, read off the sources.
use std::path::Path;

/// Folder, and the folders it may use besides itself.
const LAYERS: [(&str, &[&str]); 18] = [
    ("domain", &[]),
    ("model", &["domain"]),
    ("learn", &["domain", "model"]),
    ("engine", &["domain", "model"]),
    ("simulate", &["domain"]),
    ("report", &["learn", "model"]),
    ("faults", &[]),
    ("telemetry", &["domain"]),
    ("config", &["domain"]),
    (
        "store",
        &["domain", "model", "engine", "faults", "telemetry", "config"],
    ),
    (
        "log",
        &["domain", "model", "engine", "faults", "telemetry", "config"],
    ),
    (
        "pipeline",
        &[
            "domain",
            "model",
            "engine",
            "faults",
            "telemetry",
            "config",
            "store",
            "log",
        ],
    ),
    (
        "http",
        &["domain", "model", "engine", "store", "telemetry", "config"],
    ),
    ("dataset", &["domain", "learn"]),
    ("model_files", &["learn", "model"]),
    (
        "cli",
        &[
            "domain",
            "model",
            "learn",
            "engine",
            "simulate",
            "faults",
            "telemetry",
            "config",
            "store",
            "log",
            "pipeline",
            "http",
            "dataset",
            "model_files",
            "report",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];
const PURE: [&str; 6] = ["domain", "model", "learn", "engine", "simulate", "report"];
const IMPURE: [&str; 13] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant",
    "tokio",
    "tracing",
    "prometheus",
    "sled",
    "axum",
    "anyhow",
    "thread_rng",
];
/// Nobody else's machine has these.
const PLACES: [&str; 3] = ["/root", "/work", "/home"];
const UNFINISHED: [&str; 3] = ["TODO", "FIXME", "XXX"];
const LINES_MAX: usize = 500;

/// Every broken rule of one file as `path:line: rule`, `path` being its place under `src`.
fn broken_rules(path: &str, text: &str) -> Vec<String> {
    let folder = path.split(['/', '.']).next().unwrap();
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == folder) else {
        let rule = format!("{folder} is in no layer: add it to ARCHITECTURE.md and tests/tidy.rs");
        return vec![format!("{path}:1: {rule}")];
    };
    let mut broken = Vec::new();
    if !text.starts_with("//!") {
        broken.push((1, "a file begins with what it is for (//!)".to_owned()));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let found = UNFINISHED.iter().filter(|word| has_word(line, word));
        broken.extend(found.map(|word| (number, format!("no {word}"))));
        let found = PLACES.iter().filter(|place| has_word(line, place));
        broken.extend(found.map(|place| (number, format!("no absolute path: {place}"))));
    }
    let code = without_comments_and_literals(text);
    let production = production_lines(&code);
    if !path.ends_with("/tests.rs") {
        if production.len() > LINES_MAX {
            let rule = format!(
                "a file has at most {LINES_MAX} lines beside its tests, this one {}",
                production.len()
            );
            broken.push((LINES_MAX + 1, rule));
        }
        for (number, line) in production {
            let rules = broken_layers(path, folder, allowed, line)
                .into_iter()
                .chain(broken_habits(folder, line));
            broken.extend(rules.map(|rule| (number, rule)));
        }
    }
    broken.sort();
    let said = broken.into_iter();
    said.map(|(number, rule)| format!("{path}:{number}: {rule}"))
        .collect()
}

fn broken_layers(path: &str, folder: &str, allowed: &[&str], line: &str) -> Vec<String> {
    let mut broken = Vec::new();
    // `super` of these is the crate.
    let is_at_the_top = !path.contains('/') || path == format!("{folder}/mod.rs");
    let roots: &[&str] = if is_at_the_top {
        &["crate::", "segstream::", "super::"]
    } else {
        &["crate::", "segstream::"]
    };
    for used in roots.iter().flat_map(|root| names_after(line, root)) {
        let is_layer = LAYERS.iter().any(|(name, _)| *name == used);
        if is_layer && used != folder && !allowed.contains(&used) {
            let may = if allowed.is_empty() {
                "nothing".to_owned()
            } else {
                allowed.join(", ")
            };
            broken.push(format!("{folder} may not use {used}, it may use {may}"));
        }
    }
    for hidden in ["crate::{", "crate::*", "segstream::{", "super::super::"] {
        if line.contains(hidden) {
            broken.push(format!(
                "no {hidden}: a path says its layer, one item a line"
            ));
        }
    }
    if PURE.contains(&folder) {
        for word in IMPURE.iter().filter(|word| has_word(line, word)) {
            broken.push(format!("{folder} is pure and may not use {word}"));
        }
        if ["std::{", "std::time::*"]
            .iter()
            .any(|hidden| line.contains(hidden))
        {
            broken.push("one item a line, so that what a pure folder uses can be read".to_owned());
        }
    }
    broken
}

fn broken_habits(folder: &str, line: &str) -> Vec<String> {
    let mut broken = Vec::new();
    if line.contains(".unwrap()") {
        broken.push("no unwrap() outside tests".to_owned());
    }
    if folder != "cli" && has_word(line, "println!") {
        broken.push("no println! outside cli".to_owned());
    }
    broken
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether the text has the word, and not as a part of a longer name.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let after = &text[start + word.len()..];
        let ends = word.ends_with('!') || !after.starts_with(is_of_a_name);
        ends && !text[..start].ends_with(is_of_a_name)
    })
}

/// The names right after each occurrence of a path's root.
fn names_after<'a>(line: &'a str, root: &str) -> Vec<&'a str> {
    let starts = line.match_indices(root);
    starts
        .filter(|(start, _)| !line[..*start].ends_with(is_of_a_name))
        .map(|(start, _)| {
            let rest = &line[start + root.len()..];
            rest.split(|letter| !is_of_a_name(letter)).next().unwrap()
        })
        .collect()
}

/// Numbered lines that are not in an item under `#[cfg(test)]`; the sources are formatted.
fn production_lines(code: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim() != "#[cfg(test)]" {
            kept.push((at + 1, lines[at]));
            at += 1;
            continue;
        }
        let indent = lines[at].len() - lines[at].trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        at += 1;
        while at < lines.len() && lines[at].trim_start().starts_with("#[") {
            at += 1;
        }
        if at < lines.len() && !lines[at].trim_end().ends_with(';') {
            while at < lines.len() && lines[at].trim_end() != closing {
                at += 1;
            }
        }
        at += 1;
    }
    kept
}

/// The same lines, with blanks for what is no code.
fn without_comments_and_literals(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut at = 0;
    while at < letters.len() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let hidden = length_hidden(&letters[at..], before);
        for letter in &letters[at..at + hidden] {
            code.push(if *letter == '\n' { '\n' } else { ' ' });
        }
        at += hidden;
        if hidden == 0 {
            code.push(letters[at]);
            at += 1;
        }
    }
    code
}

/// Letters of the comment or literal that begins here; 0 if none does.
fn length_hidden(rest: &[char], before: Option<char>) -> usize {
    let until = |from: usize, end: &[char]| {
        let found = (from..rest.len()).find(|at| rest[*at..].starts_with(end));
        found.map_or(rest.len(), |at| at + end.len())
    };
    match rest {
        ['/', '/', ..] => until(2, &['\n']) - 1,
        ['/', '*', ..] => until(2, &['*', '/']),
        ['\'', '\\', ..] => until(3, &['\'']),
        ['\'', _, '\'', ..] => 3,
        ['"', ..] => {
            let mut at = 1;
            while at < rest.len() && rest[at] != '"' {
                at += if rest[at] == '\\' { 2 } else { 1 };
            }
            (at + 1).min(rest.len())
        }
        ['r', ..] if before.is_none_or(|letter| letter == 'b' || !is_of_a_name(letter)) => {
            let hashes = rest[1..].iter().take_while(|letter| **letter == '#');
            let hashes = hashes.count();
            if rest.get(1 + hashes) != Some(&'"') {
                return 0;
            }
            let end: Vec<char> = std::iter::once('"')
                .chain(std::iter::repeat_n('#', hashes))
                .collect();
            until(2 + hashes, &end)
        }
        _ => 0,
    }
}

fn visit(root: &Path, path: &Path, broken: &mut Vec<String>) {
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(root, &path, broken);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            let rules = broken_rules(name, &text).into_iter();
            broken.extend(rules.map(|rule| format!("src/{rule}")));
        }
    }
}

#[test]
fn every_file_keeps_to_its_layer_and_the_habits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    visit(&root, &root, &mut broken);
    broken.sort();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_broken_rule_is_named_with_its_file_and_line() {
    for (path, text, expected) in [
        (
            "domain/x.rs",
            "use crate::store::Error;",
            "domain may not use store, it may use nothing",
        ),
        (
            "engine/x.rs",
            "fn f() -> crate::log::Error {}",
            "engine may not use log, it may use domain, model",
        ),
        (
            "http/x.rs",
            "use crate::pipeline::Shared;",
            "http may not use pipeline, ",
        ),
        (
            "store/x.rs",
            "use crate::log::WorkerLog;",
            "store may not use log, ",
        ),
        (
            "log/x.rs",
            "use crate::store::Error;",
            "log may not use store, ",
        ),
        (
            "simulate/x.rs",
            "use crate::engine::step;",
            "simulate may not use engine, ",
        ),
        (
            "telemetry/x.rs",
            "use crate::pipeline::Shared;",
            "telemetry may not use pipeline, ",
        ),
        (
            "dataset/x.rs",
            "use crate::faults::Fault;",
            "dataset may not use faults, ",
        ),
        (
            "model_files.rs",
            "use crate::engine::step;",
            "model_files may not use engine, ",
        ),
        (
            "domain/mod.rs",
            "use super::store::Error;",
            "domain may not use store, ",
        ),
        (
            "domain/x.rs",
            "use super::super::store;",
            "no super::super::",
        ),
        ("domain/x.rs", "use crate::{store, log};", "no crate::{"),
        (
            "main.rs",
            "use segstream::pipeline;",
            "main may not use pipeline, it may use cli",
        ),
        (
            "model/x.rs",
            "use std::fs;",
            "model is pure and may not use std::fs",
        ),
        (
            "engine/x.rs",
            "use std::time::Instant;",
            "engine is pure and may not use Instant",
        ),
        ("simulate/x.rs", "use std::{fs, io};", "one item a line"),
        (
            "model/x.rs",
            "fn f() -> anyhow::Result<()> {}",
            "model is pure and may not use anyhow",
        ),
        (
            "log/x.rs",
            "fn f() { g().unwrap() }",
            "no unwrap() outside tests",
        ),
        (
            "store/x.rs",
            "fn f() { println!(); }",
            "no println! outside cli",
        ),
        ("cli/x.rs", "// TODO: later", "no TODO"),
        (
            "cli/x.rs",
            "const P: &str = \"/root/x\";",
            "no absolute path: /root",
        ),
    ] {
        let broken = broken_rules(path, &format!("//! x\n\n{text}\n"));
        let start = format!("{path}:3: {expected}");
        assert!(
            broken.len() == 1 && broken[0].starts_with(&start),
            "{text}: expected {start:?}, found {broken:?}"
        );
    }
    let without_header = broken_rules("store/x.rs", "use crate::domain::ids;\n");
    assert_eq!(
        without_header,
        ["store/x.rs:1: a file begins with what it is for (//!)"]
    );
    assert_eq!(broken_rules("helpers/x.rs", "//! x\n").len(), 1);
    let long = format!("//! x\n{}", "\n".repeat(LINES_MAX));
    assert_eq!(broken_rules("cli/x.rs", &long).len(), 1);
}

#[test]
fn what_the_rules_allow_is_not_broken() {
    for (path, text) in [
        ("pipeline/x.rs", "use crate::log::WorkerLog;"),
        ("store/x.rs", "use std::time::Instant;"),
        (
            "engine/x.rs",
            "/// Not [`crate::store`], and no tokio.\nfn f() -> &'static str { \"std::fs\" }",
        ),
        ("engine/x.rs", "use std::time::Duration;"),
        (
            "engine/x.rs",
            "#[cfg(test)]\nmod tests {\n    fn f() { g().unwrap() }\n}",
        ),
        ("domain/mod.rs", "use super::domain::ids;"),
        (
            "cli/x.rs",
            "fn f() { println!(\"{}\", r#\"a \"quoted\" .unwrap()\"#); }",
        ),
    ] {
        assert!(
            broken_rules(path, &format!("//! x\n{text}\n")).is_empty(),
            "{path}: {text}"
        );
    }
}

#[test]
fn what_follows_a_test_module_is_still_read() {
    let text = "//! x\n#[cfg(test)]\nmod tests;\nuse crate::store::Error;\n";
    assert_eq!(broken_rules("engine/mod.rs", text).len(), 1);
    let text = "//! x\n#[cfg(test)]\nmod tests {\n}\nuse crate::store::Error;\n";
    assert_eq!(broken_rules("engine/mod.rs", text).len(), 1);
}
