//! A body or a file of events: one JSON document, or one a line.

use serde::de::IgnoredAny;

/// The white space of JSON. Other white space around a document makes it unreadable.
const WHITESPACE: [u8; 4] = [b' ', b'\t', b'\r', b'\n'];

/// The events of a text, each with the number, from 1, of the line on which it begins. A text that is one JSON document is
/// one event, on however many lines; otherwise each line that is not blank is one.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let is_document = serde_json::from_slice::<IgnoredAny>(text).is_ok();
    let blank_lines = text
        .iter()
        .take_while(|byte| WHITESPACE.contains(byte))
        .filter(|byte| **byte == b'\n');
    let first = if is_document { blank_lines.count() } else { 0 };
    let each = text.split(move |byte| !is_document && *byte == b'\n');
    (first + 1..)
        .zip(each.map(trimmed))
        .filter(|(_, line)| !line.is_empty())
}

fn trimmed(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| WHITESPACE.contains(byte);
    let Some(begin) = line.iter().position(|byte| !is_blank(byte)) else {
        return &[];
    };
    let end = line.iter().rposition(|byte| !is_blank(byte));
    line.get(begin..=end.unwrap_or(begin)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(text: &str) -> Vec<(usize, String)> {
        lines(text.as_bytes())
            .map(|(number, line)| (number, String::from_utf8_lossy(line).into_owned()))
            .collect()
    }

    #[test]
    fn a_text_is_one_document_or_one_event_a_line() {
        for (text, expected) in [
            ("", vec![]),
            (" \r\n\t\n", vec![]),
            ("{}", vec![(1, "{}")]),
            ("\n\n{\n  \"a\": 1\n}\n", vec![(3, "{\n  \"a\": 1\n}")]),
            ("{}\r\n\n {} \n", vec![(1, "{}"), (3, "{}")]),
            ("{}\n{\n", vec![(1, "{}"), (2, "{")]),
            // No JSON has a form feed.
            (
                "{}\u{c}\n\u{c}\n{}",
                vec![(1, "{}\u{c}"), (2, "\u{c}"), (3, "{}")],
            ),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(number, line)| (number, line.to_owned()))
                .collect();
            assert_eq!(numbered(text), expected, "{text:?}");
        }
    }
}
