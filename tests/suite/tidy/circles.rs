//! Files that need each other: none can be read, tested or moved alone.
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use super::sources::Source;
use super::sources::is_of_a_name;
use super::sources::production_lines;
use super::sources::without_comments_and_literals;

/// Every file and the files that it names, by path.
type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// One shortest circle of each group of files that need each other, as `path:1: rule`.
pub(super) fn circles(sources: &[Source]) -> Vec<String> {
    let graph = graph(sources);
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for file in graph.keys() {
        if seen.contains(file) {
            continue;
        }
        if let Some(circle) = shortest_circle(&graph, file) {
            let reached = reachable(&graph, file);
            let both_ways = reached
                .iter()
                .filter(|other| reachable(&graph, other).contains(file));
            seen.extend(both_ways.copied());
            let way = circle.join(" -> ");
            circles.push(format!("{file}:1: a circle of imports: {way}"));
        }
    }
    circles
}

fn graph(sources: &[Source]) -> Graph<'_> {
    let modules: BTreeMap<Vec<&str>, &str> = sources
        .iter()
        .filter(|source| source.path != "main.rs")
        .map(|source| (module_of(&source.path), source.path.as_str()))
        .collect();
    let mut graph = Graph::new();
    for source in sources.iter().filter(|source| !source.is_of_tests()) {
        let code = without_comments_and_literals(&source.text);
        let own = module_of(&source.path);
        let used = graph.entry(source.path.as_str()).or_default();
        for (_, line) in production_lines(&code) {
            for path in paths_of(line) {
                let target = file_of(&path, &own, &modules);
                used.extend(target.filter(|target| *target != source.path));
            }
        }
    }
    graph
}

/// `a/b.rs` and `a/b/mod.rs` are a, b.
fn module_of(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if ["mod", "lib"].contains(parts.last().unwrap()) {
        parts.pop();
    }
    parts
}

/// Every path of two names or more in a line.
fn paths_of(line: &str) -> Vec<Vec<&str>> {
    let is_of_a_path = |letter: char| is_of_a_name(letter) || letter == ':';
    let words = line.split(|letter| !is_of_a_path(letter));
    words
        .filter(|word| word.contains("::"))
        .map(|word| word.split("::").filter(|name| !name.is_empty()).collect())
        .collect()
}

/// The file of the longest module that begins the path; a path without a root may begin with a child.
fn file_of<'a>(
    path: &[&str],
    own: &[&str],
    modules: &BTreeMap<Vec<&str>, &'a str>,
) -> Option<&'a str> {
    let mut absolute = own.to_vec();
    let rest = match path {
        ["crate" | "segstream", rest @ ..] => {
            absolute.clear();
            rest
        }
        ["self", rest @ ..] => rest,
        ["super", ..] => {
            let ups = path.iter().take_while(|name| **name == "super").count();
            absolute.truncate(own.len().saturating_sub(ups));
            &path[ups..]
        }
        _ => path,
    };
    let base = absolute.len();
    absolute.extend(rest);
    let from = if rest.len() == path.len() {
        base + 1
    } else {
        1
    };
    (from..=absolute.len())
        .rev()
        .find_map(|length| modules.get(&absolute[..length]).copied())
}

fn reachable<'a>(graph: &Graph<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = graph[from].iter().copied().collect();
    while let Some(file) = open.pop() {
        if let Some((file, next)) = graph.get_key_value(file)
            && reached.insert(*file)
        {
            open.extend(next);
        }
    }
    reached
}

fn shortest_circle<'a>(graph: &Graph<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in graph.get(way.last()?).into_iter().flatten() {
            let mut longer = way.clone();
            longer.push(next);
            if *next == start {
                return Some(longer);
            }
            if seen.insert(*next) {
                ways.push_back(longer);
            }
        }
    }
    None
}

fn made_up(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::new(path, text))
        .collect();
    circles(&sources)
}

#[test]
fn a_circle_is_named_with_its_way_however_it_is_written() {
    let b = ("a/b.rs", "use crate::a::c::Y;");
    for c in [
        "use crate::a::b::X;",
        "use super::b::X;",
        "fn f() -> crate::a::b::X {}",
        "pub use crate::a::b::X;",
    ] {
        assert_eq!(
            made_up(&[("a/mod.rs", "mod b;\nmod c;"), b, ("a/c.rs", c)]),
            ["a/b.rs:1: a circle of imports: a/b.rs -> a/c.rs -> a/b.rs"],
            "{c}"
        );
    }
    // A folder's own file counts, and its children may be named without a root.
    let parent = ("a/mod.rs", "mod b;\npub use b::X;\npub struct Y;");
    let child = ("a/b.rs", "use crate::a::Y;\npub struct X;");
    assert_eq!(
        made_up(&[parent, child]),
        ["a/b.rs:1: a circle of imports: a/b.rs -> a/mod.rs -> a/b.rs"]
    );
    let three = [
        ("a/b.rs", "use crate::a::c::Y;"),
        ("a/c.rs", "use crate::d::Z;"),
        ("d.rs", "fn f() { crate::a::b::g() }"),
    ];
    let way = "a/b.rs -> a/c.rs -> d.rs -> a/b.rs";
    assert_eq!(
        made_up(&three),
        [format!("a/b.rs:1: a circle of imports: {way}")]
    );
}

#[test]
fn what_only_looks_like_a_circle_is_none() {
    let b = ("a/b.rs", "use crate::a::c::Y;");
    for c in [
        "pub struct Y;",
        "/// As [`crate::a::b::X`] has it.\npub struct Y;",
        "#[cfg(test)]\nmod tests {\n    use crate::a::b::X;\n}",
        "fn f() -> std::a::b::X {}",
        "use crate::a::c::Z;",
    ] {
        let found = made_up(&[("a/mod.rs", "mod b;\nmod c;"), b, ("a/c.rs", c)]);
        assert!(found.is_empty(), "{c}: {found:?}");
    }
}
