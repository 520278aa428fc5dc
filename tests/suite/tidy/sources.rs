//! What is code in a source file, line by line.
use std::path::Path;

/// One file below `src`.
pub(super) struct Source {
    /// Its place under `src`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The top folder, or the name of a file that is in none.
    pub(super) fn folder(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }

    pub(super) fn is_of_tests(&self) -> bool {
        is_of_tests(&self.path)
    }
}

/// A file, or a folder of files, of unit tests.
pub(super) fn is_of_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Every file below a folder, by path.
pub(super) fn sources(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    visit(root, root, &mut sources);
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    sources
}

fn visit(root: &Path, path: &Path, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            sources.push(Source::new(name, &text));
        }
    }
}

pub(super) fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether the text has the word, and not as a part of a longer name.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let after = &text[start + word.len()..];
        let ends = word.ends_with('!') || !after.starts_with(is_of_a_name);
        ends && !text[..start].ends_with(is_of_a_name)
    })
}

/// The names right after each occurrence of a path's root.
pub(super) fn names_after<'a>(line: &'a str, root: &str) -> Vec<&'a str> {
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
pub(super) fn production_lines(code: &str) -> Vec<(usize, &str)> {
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
pub(super) fn without_comments_and_literals(text: &str) -> String {
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
