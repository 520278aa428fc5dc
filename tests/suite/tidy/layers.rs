//! Which folder may use which, and what a pure folder may not use at all.
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::sources::Source;
use super::sources::has_word;
use super::sources::names_after;
use super::sources::production_lines;
use super::sources::without_comments_and_literals;

/// Folder, and the folders it uses besides itself: each of them, and no other.
pub(super) const LAYERS: [(&str, &[&str]); 22] = [
    ("domain", &[]),
    ("model", &["domain"]),
    ("learn", &["domain", "model"]),
    ("engine", &["domain", "model"]),
    ("simulate", &["domain"]),
    ("report", &["learn"]),
    ("faults", &[]),
    ("disk", &[]),
    ("sled_opening", &["disk"]),
    ("telemetry", &["domain"]),
    ("config", &["domain"]),
    ("codec", &["domain", "engine"]),
    (
        "store",
        &[
            "codec",
            "disk",
            "domain",
            "engine",
            "faults",
            "sled_opening",
        ],
    ),
    ("log", &["disk", "domain", "faults", "sled_opening"]),
    (
        "pipeline",
        &[
            "domain",
            "model",
            "engine",
            "codec",
            "faults",
            "telemetry",
            "store",
            "log",
        ],
    ),
    ("view", &["domain", "model", "engine"]),
    ("http", &["domain", "view"]),
    ("dataset", &["domain", "learn"]),
    ("model_files", &["model"]),
    (
        "cli",
        &[
            "domain",
            "model",
            "learn",
            "engine",
            "codec",
            "disk",
            "simulate",
            "faults",
            "telemetry",
            "config",
            "store",
            "log",
            "pipeline",
            "view",
            "http",
            "dataset",
            "model_files",
            "report",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];
const PURE: [&str; 8] = [
    "domain", "model", "learn", "engine", "codec", "view", "simulate", "report",
];
const IMPURE: [&str; 15] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant",
    "rayon",
    "tokio",
    "tracing",
    "prometheus",
    "sled",
    "lsm_tree",
    "axum",
    "anyhow",
    "thread_rng",
];
/// Who may name a kind of model; the others ask the port.
const KINDS: [&str; 1] = ["model::kmeans"];
const KINDS_ALLOWED: [&str; 3] = ["model", "learn", "model_files"];
/// Pure all the same: the fits are the same on any number of threads.
const IMPURE_ALLOWED: [(&str, &str); 1] = [("learn", "rayon")];

pub(super) fn broken_layers(path: &str, folder: &str, allowed: &[&str], line: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for used in folders_used(path, folder, line) {
        if !allowed.contains(&used) {
            let may = if allowed.is_empty() {
                "nothing".to_owned()
            } else {
                allowed.join(", ")
            };
            broken.push(format!("{folder} may not use {used}, it may use {may}"));
        }
    }
    for hidden in ["::{", "crate::*", "super::super::"] {
        if line.contains(hidden) {
            broken.push(format!(
                "no {hidden}: a path says its file, one item a line"
            ));
        }
    }
    if !KINDS_ALLOWED.contains(&folder) {
        let found = KINDS.iter().filter(|kind| has_word(line, kind));
        broken.extend(found.map(|kind| {
            let may = KINDS_ALLOWED.join(", ");
            format!("{folder} may not name {kind}, only {may} may: ask the port")
        }));
    }
    if PURE.contains(&folder) {
        let found = IMPURE.iter().filter(|word| has_word(line, word));
        for word in found.filter(|word| !IMPURE_ALLOWED.contains(&(folder, word))) {
            broken.push(format!("{folder} is pure and may not use {word}"));
        }
        if line.contains("std::time::*") {
            broken.push("one item a line, so that what a pure folder uses can be read".to_owned());
        }
    }
    broken
}

/// The other folders that a line names.
fn folders_used<'a>(path: &str, folder: &str, line: &'a str) -> Vec<&'a str> {
    // `super` of these is the crate.
    let is_at_the_top = !path.contains('/') || path == format!("{folder}/mod.rs");
    let roots: &[&str] = if is_at_the_top {
        &["crate::", "segstream::", "super::"]
    } else {
        &["crate::", "segstream::"]
    };
    let named = roots.iter().flat_map(|root| names_after(line, root));
    named
        .filter(|used| *used != folder && LAYERS.iter().any(|(name, _)| name == used))
        .collect()
}

/// What the list allows and no file of the folder uses.
pub(super) fn unused_layers(sources: &[Source], layers: &[(&str, &[&str])]) -> Vec<String> {
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_of_tests()) {
        let code = without_comments_and_literals(&source.text);
        let folder = source.folder();
        let of_folder = used.entry(folder).or_default();
        for (_, line) in production_lines(&code) {
            let folders = folders_used(&source.path, folder, line).into_iter();
            of_folder.extend(folders.map(str::to_owned));
        }
    }
    let mut unused = Vec::new();
    for (folder, allowed) in layers {
        let is_used = |name: &&str| used.get(folder).is_some_and(|used| used.contains(*name));
        let idle = allowed.iter().filter(|name| !is_used(name));
        unused.extend(idle.map(|name| format!("{folder} may use {name} and does not")));
    }
    unused
}
