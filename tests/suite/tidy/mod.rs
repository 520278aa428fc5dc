//! The layers of ARCHITECTURE.md and a few habits, read off the sources.
use std::path::Path;

use layers::LAYERS;
use layers::broken_layers;
use layers::unused_layers;
use sizes::LINES_MAX;
use sizes::LINES_MEDIAN_MAX;
use sizes::broken_functions;
use sources::Source;
use sources::has_word;
use sources::is_of_tests;
use sources::production_lines;
use sources::sources;
use sources::without_comments_and_literals;

mod circles;
mod layers;
mod sizes;
mod sources;

/// Paths that no other machine has.
const PLACES: [&str; 3] = ["/root", "/work", "/home"];
const UNFINISHED: [&str; 3] = ["TODO", "FIXME", "XXX"];
/// Every broken rule of one file as `path:line: rule`, `path` being its place under `src`.
fn broken_rules(path: &str, text: &str) -> Vec<String> {
    let folder = path.split(['/', '.']).next().unwrap();
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == folder) else {
        let rule = format!(
            "{folder} is in no layer: add it to ARCHITECTURE.md and tests/suite/tidy/layers.rs"
        );
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
    if !is_of_tests(path) {
        broken.extend(broken_functions(&production, text));
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

/// Every broken rule, as `path:line: rule`.
fn broken_everywhere(sources: &[Source]) -> Vec<String> {
    let of_files = sources
        .iter()
        .flat_map(|source| broken_rules(&source.path, &source.text));
    of_files
        .chain(circles::circles(sources))
        .chain(unused_layers(sources, &LAYERS))
        .collect()
}

#[test]
fn every_file_keeps_to_its_layer_and_the_habits() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut broken = broken_everywhere(&sources);
    broken.sort();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_file_in_the_middle_is_short() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let lines = sizes::median_lines(&sources);
    assert!(lines <= LINES_MEDIAN_MAX, "it has {lines} lines");
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
            "view/x.rs",
            "use crate::store::Error;",
            "view may not use store, it may use domain, model, engine",
        ),
        (
            "engine/x.rs",
            "use crate::model::kmeans::KMeans;",
            "engine may not name model::kmeans, only model, learn, model_files may",
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
        ("domain/x.rs", "use crate::{store, log};", "no ::{"),
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
        ("simulate/x.rs", "use std::{fs, io};", "no ::{"),
        (
            "domain/x.rs",
            "use rayon::join;",
            "domain is pure and may not use rayon",
        ),
        (
            "log/x.rs",
            "fn has_more(&mut self) -> bool {}",
            "has_more asks a question and may not change what it asks",
        ),
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
    let long = |lines: usize| {
        format!(
            "//! x\nfn f(\n    x: u8,\n) {{\n{}}}\n",
            "    g();\n".repeat(lines)
        )
    };
    assert_eq!(
        broken_rules("cli/x.rs", &long(61)),
        ["cli/x.rs:2: a function has at most 60 lines, f has 61"]
    );
    assert!(broken_rules("cli/x.rs", &long(60)).is_empty());
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
        ("learn/x.rs", "use rayon::join;"),
        ("learn/x.rs", "use crate::model::kmeans::squared_distance;"),
        ("http/x.rs", "use crate::view::customer::CustomerView;"),
        ("store/x.rs", "fn is_held(&self) -> bool {}"),
        ("store/x.rs", "fn hold(&mut self) {}"),
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

#[test]
fn a_layer_that_nothing_uses_is_named() {
    let layers: [(&str, &[&str]); 2] = [("domain", &[]), ("engine", &["domain", "model"])];
    let used = Source::new("engine/x.rs", "use crate::domain::ids;\n// crate::model\n");
    let unused = unused_layers(&[used], &layers);
    assert_eq!(unused, ["engine may use model and does not"]);
}
