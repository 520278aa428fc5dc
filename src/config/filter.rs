//! What `log.filter` may be: a filter that matches no line of the program is a mistake.

use tracing_subscriber::EnvFilter;

use crate::domain::nearest::did_you_mean;
use crate::domain::nearest::nearest;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
/// The program itself.
const PROGRAM: &str = "segstream";
/// Modules that write lines. A test compares it with the sources.
const MODULES: [&str; 33] = [
    "segstream::cli::common",
    "segstream::cli::model_fit",
    "segstream::cli::replay::embedded",
    "segstream::cli::run",
    "segstream::cli::serve",
    "segstream::cli::state::as_of",
    "segstream::cli::temporary_directory",
    "segstream::cli::token_file",
    "segstream::cli::topics",
    "segstream::disk",
    "segstream::http::server",
    "segstream::log::embedded::former",
    "segstream::log::embedded::keeper",
    "segstream::log::kafka::beginnings",
    "segstream::log::kafka::bounded_calls",
    "segstream::log::kafka::client_lines",
    "segstream::log::kafka::cluster",
    "segstream::log::kafka::ends",
    "segstream::log::kafka::event_producer",
    "segstream::log::kafka::member",
    "segstream::log::kafka::metadata",
    "segstream::log::kafka::reader",
    "segstream::log::kafka::rebalance",
    "segstream::log::kafka::recovery",
    "segstream::log::kafka::reports",
    "segstream::log::kafka::transactional_producer",
    "segstream::log::kafka::worker",
    "segstream::pipeline::partition::starting",
    "segstream::sled_opening",
    "segstream::store::sled_pages",
    "segstream::store::tree_writing",
    "segstream::telemetry::observe",
    "segstream::telemetry::rejections",
];
/// Libraries that write lines.
const LIBRARIES: [&str; 12] = [
    "axum",
    "hyper",
    "hyper_util",
    "librdkafka",
    "lsm_tree",
    "mio",
    "rdkafka",
    "sled",
    "tokio",
    "tower",
    "ureq",
    "ureq_proto",
];

/// A filter without blanks, as the logging library reads it.
pub(super) fn without_blanks(filter: &str) -> String {
    let parts: Vec<&str> = filter.split(',').map(str::trim).collect();
    parts.join(",")
}

/// What is wrong with a filter; `None` where nothing is.
pub(super) fn problem(filter: &str) -> Option<String> {
    if filter.trim().is_empty() {
        return Some(allowed());
    }
    let directives = filter.split(',').map(str::trim);
    let wrong = directives
        .filter(|directive| !directive.is_empty() && !directive.contains('['))
        .find_map(problem_of_directive);
    let is_readable = || EnvFilter::try_new(without_blanks(filter)).is_ok();
    wrong.or_else(|| (!is_readable()).then(allowed))
}

fn allowed() -> String {
    format!(
        "a filter such as info or segstream=debug: a level ({}), or PART=LEVEL, separated by commas",
        LEVELS.join(", ")
    )
}

fn problem_of_directive(directive: &str) -> Option<String> {
    let (target, level) = match directive.split_once('=') {
        Some((target, level)) => (Some(target), Some(level)),
        None if is_level(directive) => (None, Some(directive)),
        None => (Some(directive), None),
    };
    if let Some(level) = level.filter(|level| !is_level(level)) {
        let near = did_you_mean(level, LEVELS);
        return Some(format!("{}: {level:?} is no level{near}", allowed()));
    }
    let target = target.filter(|target| !writes_lines(target))?;
    let names = || LIBRARIES.into_iter().chain([PROGRAM]).chain(MODULES);
    let near = match nearest(target, names().chain(LEVELS)) {
        Some(name) => format!("; did you mean {name:?}?"),
        None => String::new(),
    };
    let parts = parts_near(target).join(", ");
    Some(format!(
        "{}: no line is of {target:?}, lines are of {parts}{near}",
        allowed()
    ))
}

/// Levels also count as numbers, from 0 for off to 5 for trace.
fn is_level(word: &str) -> bool {
    let is_named = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    is_named || matches!(word.parse(), Ok(0..=5_u8))
}

/// A filter takes the lines of all modules that begin with its words.
fn writes_lines(target: &str) -> bool {
    let mut modules = MODULES.iter();
    let library = target.split("::").next().unwrap_or(target);
    PROGRAM == target
        || LIBRARIES.contains(&library)
        || (!target.is_empty() && modules.any(|module| module.starts_with(target)))
}

/// The modules of the part of the program that is named, or the parts of the program and the libraries.
fn parts_near(target: &str) -> Vec<&'static str> {
    let within = |depth: usize| {
        let words: Vec<&str> = target.split("::").take(depth).collect();
        let prefix = format!("{}::", words.join("::"));
        let modules = MODULES.into_iter();
        modules
            .filter(|module| module.starts_with(&prefix))
            .collect::<Vec<_>>()
    };
    let depths = (1..target.split("::").count()).rev();
    let found = depths.map(within).find(|found| !found.is_empty());
    found.unwrap_or_else(|| [PROGRAM].into_iter().chain(LIBRARIES).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_filter_that_matches_nothing_is_a_mistake() {
        for right in [
            "info",
            "DEBUG",
            "off",
            "3",
            "segstream=debug",
            "segstream",
            "warn,segstream::pipeline=debug",
            "segstream::pip=trace",
            "info, librdkafka=debug",
            "librdkafka::broker=off",
            "[span]=info",
        ] {
            assert_eq!(problem(right), None, "{right}");
        }
        for (wrong, parts) in [
            ("", &["info or segstream=debug"][..]),
            (" ", &["info or segstream=debug"]),
            ("verbose", &["\"verbose\"", "trace"]),
            ("debgu", &["\"debgu\"", "mean \"debug\""]),
            ("segstram=debug", &["\"segstram\"", "mean \"segstream\""]),
            ("segstream=loud", &["\"loud\"", "error, warn, info"]),
            ("segstream=", &["\"\" is no level"]),
            ("info,segstream=debg", &["mean \"debug\""]),
            (
                "segstream::pipelin::worker=info",
                &["segstream::pipeline::"],
            ),
            (
                "segstream::log::kafka::wroker",
                &["mean \"segstream::log::kafka::worker\""],
            ),
            ("kafka=debug", &["\"kafka\"", "librdkafka"]),
            ("=info", &["no line is of \"\""]),
        ] {
            let problem = problem(wrong).unwrap();
            for part in parts {
                assert!(problem.contains(part), "{wrong}: {part} in {problem}");
            }
        }
    }

    /// The module paths of the files below `folder` that write lines.
    fn writers(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                writers(root, &path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let levels = ["error!", "warn!", "info!", "debug!", "trace!"];
            let writes = |level: &&str| text.contains(&format!("tracing::{level}"));
            if levels.iter().any(writes) {
                let name = path.strip_prefix(root).unwrap().with_extension("");
                let name = name.to_str().unwrap().replace('/', "::");
                let name = name.trim_end_matches("::mod");
                found.insert(format!("segstream::{name}"));
            }
        }
    }

    #[test]
    fn every_module_that_writes_lines_is_in_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = BTreeSet::new();
        writers(&root, &root, &mut found);
        let listed: BTreeSet<String> = MODULES.into_iter().map(str::to_owned).collect();
        assert_eq!(listed, found, "MODULES of src/config/filter.rs");
    }
}
