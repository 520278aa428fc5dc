//! Text for people and for browsers: names as words, numbers with separators, and what must be escaped.

/// The text with every character escaped that has a meaning in HTML; also for labels of charts, which
/// understand some HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// JSON that cannot end the script element it stands in: these letters occur only inside its strings.
pub(super) fn inside_script(json: &str) -> String {
    json.replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// `total_spending` as "Total spending".
pub(super) fn words(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut letters = spaced.trim().chars();
    match letters.next() {
        None => "(no name)".to_owned(),
        Some(first) => first.to_uppercase().chain(letters).collect(),
    }
}

/// The same inside a sentence: "total spending".
pub(super) fn words_within(name: &str) -> String {
    let spaced = name.replace('_', " ");
    match spaced.trim() {
        "" => "(no name)".to_owned(),
        spaced => spaced.to_owned(),
    }
}

/// Escaped words of a label in lines of about `width` letters.
pub(super) fn lines(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let escaped: Vec<String> = lines.iter().map(|line| escape(line)).collect();
    escaped.join("<br>")
}

/// "a", "a and b", "a, b and c".
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
