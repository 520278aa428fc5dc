//! How long files and functions are, and what their names promise.
use super::sources::Source;
use super::sources::production_lines;
use super::sources::without_comments_and_literals;

/// Most lines of a file beside its tests.
pub(super) const LINES_MAX: usize = 400;
/// Most lines of the file in the middle.
pub(super) const LINES_MEDIAN_MAX: usize = 120;
/// Most lines of a function's body that are neither blank nor a comment; as in clippy.toml.
pub(super) const FUNCTION_LINES_MAX: usize = 60;

/// Lines of a file beside its tests.
pub(super) fn lines(source: &Source) -> usize {
    production_lines(&without_comments_and_literals(&source.text)).len()
}

/// The length of the file in the middle, files of tests aside.
pub(super) fn median_lines(sources: &[Source]) -> usize {
    let files = sources.iter().filter(|source| !source.is_of_tests());
    let mut all: Vec<usize> = files.map(lines).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

/// Functions that are too long, and those whose name asks a question and whose argument may be changed.
pub(super) fn broken_functions(production: &[(usize, &str)], text: &str) -> Vec<(usize, String)> {
    let original: Vec<&str> = text.lines().collect();
    let mut broken = Vec::new();
    for (at, (number, line)) in production.iter().enumerate() {
        let Some(name) = function_named(line) else {
            continue;
        };
        let rest = &production[at..];
        let Some(head) = rest.iter().position(|(_, line)| ends_a_head(line)) else {
            continue;
        };
        let head = &rest[..=head];
        let asks = name.starts_with("is_") || name.starts_with("has_");
        if asks && head.iter().any(|(_, line)| line.contains("&mut ")) {
            let rule = format!("{name} asks a question and may not change what it asks");
            broken.push((*number, rule));
        }
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let body = rest.iter().skip(head.len());
        let body = body.take_while(|(_, line)| line.trim_end() != closing);
        let is_code = |(number, _): &&(usize, &str)| {
            let line = original[number - 1].trim();
            !line.is_empty() && !line.starts_with("//")
        };
        let is_block = head.last().is_some_and(|(_, line)| line.ends_with('{'));
        let length = body.filter(is_code).count();
        if is_block && length > FUNCTION_LINES_MAX {
            let rule =
                format!("a function has at most {FUNCTION_LINES_MAX} lines, {name} has {length}");
            broken.push((*number, rule));
        }
    }
    broken
}

/// The end of a signature: the body begins, the function is on one line, or it has no body.
fn ends_a_head(line: &str) -> bool {
    let line = line.trim_end();
    line.ends_with('{') || line.ends_with('}') || line.ends_with(';')
}

fn function_named(line: &str) -> Option<&str> {
    let mut words = line.trim_start().split(' ').peekable();
    while words
        .next_if(|word| word.starts_with("pub") || ["in", "const", "async"].contains(word))
        .is_some()
    {}
    if words.next()? != "fn" {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}
