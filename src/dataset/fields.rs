//! The rows of a text: fields, quotes and line ends. Lines are those of the file, whatever ends them.

use std::path::Path;
use std::str::Chars;

use crate::dataset::error::Error;
use crate::dataset::limited::ROW_BYTES_MAX;

/// The rows of a text.
pub(super) struct Fields<'a> {
    path: &'a Path,
    rest: Chars<'a>,
    /// The line of the next character, from 1.
    line: u64,
    is_after_return: bool,
    separator: char,
    /// Fields of the header, as soon as it is known.
    expected: Option<usize>,
    /// A space follows a separator of the header, so it may do so in every row.
    is_spaced: bool,
    /// Values that were written as `="..."` or with an apostrophe before them.
    unwrapped: u64,
}

/// A row and the line in which it begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fielded {
    pub(super) line: u64,
    /// Without spaces around them.
    pub(super) fields: Vec<String>,
}

/// Where in a field the next character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before it, with spaces at most.
    Start,
    Plain,
    Quoted,
    /// Right behind a quote that may be the closing one.
    Quote,
    /// Behind the closing quote, with spaces at most.
    Closed,
}

struct Reading {
    row: Fielded,
    field: String,
    at: At,
    quote_line: u64,
    bytes: u64,
    quoted: Quoted,
}

/// What a field in quotes looks like that has line breaks, seen as rows.
#[derive(Default)]
struct Quoted {
    /// Separators of the line so far.
    separators: usize,
    lines: usize,
    /// A line is no row, or a space follows a separator, as in sentences, where it follows none in the header.
    is_text: bool,
    is_after_separator: bool,
}

impl Quoted {
    /// Takes a character of the field, behind so many fields of its row.
    fn take(&mut self, character: char, fields: &Fields<'_>, before: usize) {
        self.is_text |= self.is_after_separator && character == ' ' && !fields.is_spaced;
        self.is_after_separator = character == fields.separator;
        if character == fields.separator {
            self.separators += 1;
        } else if character == '\n' {
            let of_row = fields.expected.unwrap_or(0).saturating_sub(1);
            let expected = if self.lines == 0 {
                of_row.saturating_sub(before)
            } else {
                of_row
            };
            self.is_text |= self.separators != expected;
            self.separators = 0;
            self.lines += 1;
        }
    }

    /// Whether the lines are rows, so that the quote is not one around the field: the first line and the last one make a row together, and
    /// so does each between them.
    fn is_of_rows(&self, before: usize) -> bool {
        self.lines > 0 && !self.is_text && self.separators == before
    }
}

impl Reading {
    /// Ends a field; `true` if it is written as spreadsheets are made to keep a text.
    fn end_field(&mut self) -> bool {
        let field = self.field.trim_matches(is_blank);
        let text = unwrapped(field);
        self.row.fields.push(text.unwrap_or(field).to_owned());
        let is_unwrapped = text.is_some();
        self.field.clear();
        self.at = At::Start;
        self.quoted = Quoted::default();
        is_unwrapped
    }
}

/// The text of `="00123"`, which keeps a spreadsheet from reading a number, and of `'=x`, with the apostrophe that keeps it from reading a
/// formula; `None` where a field is neither.
fn unwrapped(field: &str) -> Option<&str> {
    let of_formula = field
        .strip_prefix("=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    let of_formula = of_formula.filter(|text| !text.contains('"'));
    let is_kept = |text: &&str| text.starts_with(['=', '+', '-', '@', '\t']);
    of_formula
        .map(|text| text.trim_matches(is_blank))
        .or_else(|| field.strip_prefix('\'').filter(is_kept))
}

/// White space, and what programs write that put files together: the byte order mark of the second file, and a space without
/// width.
pub(super) fn is_blank(character: char) -> bool {
    character.is_whitespace() || ['\u{feff}', '\u{200b}'].contains(&character)
}

impl<'a> Fields<'a> {
    /// The rows of `text`, whose first line is `line` of the file.
    pub(super) fn of(path: &'a Path, text: &'a str, line: u64, separator: char) -> Self {
        Self {
            path,
            rest: text.chars(),
            line,
            is_after_return: false,
            separator,
            expected: None,
            is_spaced: false,
            unwrapped: 0,
        }
    }

    /// Says how many fields the header has.
    pub(super) fn expect(&mut self, fields: usize) {
        self.expected = Some(fields);
    }

    /// How many values were written as `="..."`, or with an apostrophe before a sign that begins a formula.
    pub(super) fn unwrapped(&self) -> u64 {
        self.unwrapped
    }

    /// The next row that is not an empty line.
    ///
    /// # Errors
    /// Names the line where a quote begins that is not closed, and a row that is too long.
    pub(super) fn next(&mut self) -> Result<Option<Fielded>, Error> {
        loop {
            let mut reading = Reading {
                row: Fielded {
                    line: self.line,
                    fields: Vec::new(),
                },
                field: String::new(),
                at: At::Start,
                quote_line: 0,
                bytes: 0,
                quoted: Quoted::default(),
            };
            let has_ended = self.row(&mut reading)?;
            let row = reading.row;
            let is_empty = matches!(row.fields.as_slice(), [field] if field.is_empty());
            match (is_empty, has_ended) {
                (false, _) => return Ok(Some(row)),
                (true, true) => return Ok(None),
                (true, false) => {}
            }
        }
    }

    /// Reads a row; `true` if the text ends with it.
    fn row(&mut self, reading: &mut Reading) -> Result<bool, Error> {
        loop {
            let Some(character) = self.character() else {
                if reading.at == At::Quoted {
                    return Err(Error::OpenQuote {
                        path: self.path.to_owned(),
                        line: reading.quote_line,
                    });
                }
                self.end_field(reading)?;
                return self.within_limit(reading).map(|()| true);
            };
            reading.bytes += character.len_utf8() as u64;
            if self.take(reading, character)? {
                return self.within_limit(reading).map(|()| false);
            }
        }
    }

    /// Ends a field.
    ///
    /// # Errors
    /// If it is in quotes and has rows in it.
    fn end_field(&mut self, reading: &mut Reading) -> Result<(), Error> {
        let is_quoted = matches!(reading.at, At::Quote | At::Closed);
        // With few columns a list in a text may look like rows.
        let is_wide = self.expected.is_some_and(|columns| columns > 3);
        if is_quoted && is_wide && reading.quoted.is_of_rows(reading.row.fields.len()) {
            return Err(Error::RowsInQuotes {
                path: self.path.to_owned(),
                line: reading.quote_line,
                closed_in: reading.quote_line + reading.quoted.lines as u64,
            });
        }
        self.unwrapped += u64::from(reading.end_field());
        Ok(())
    }

    fn within_limit(&self, reading: &Reading) -> Result<(), Error> {
        if reading.bytes <= ROW_BYTES_MAX {
            return Ok(());
        }
        Err(Error::LongRow {
            path: self.path.to_owned(),
            line: reading.row.line,
            limit: ROW_BYTES_MAX,
        })
    }

    /// Takes a character; `true` if the row ends with it.
    fn take(&mut self, reading: &mut Reading, character: char) -> Result<bool, Error> {
        match (reading.at, character) {
            (At::Quoted, '"') => reading.at = At::Quote,
            (At::Quoted, _) => {
                let before = reading.row.fields.len();
                reading.quoted.take(character, self, before);
                reading.field.push(character);
            }
            // A doubled quote is one quote within the field.
            (At::Quote, '"') => {
                reading.field.push('"');
                reading.at = At::Quoted;
            }
            (_, '\n') => {
                self.end_field(reading)?;
                return Ok(true);
            }
            (_, _) if character == self.separator => self.end_field(reading)?,
            (At::Start, '"') => {
                reading.field.clear();
                reading.at = At::Quoted;
                reading.quote_line = self.line;
            }
            (At::Quote | At::Closed, _) if is_blank(character) => reading.at = At::Closed,
            (At::Quote | At::Closed, _) => {
                return Err(Error::Quote {
                    path: self.path.to_owned(),
                    line: self.line,
                    opened_in: reading.quote_line,
                });
            }
            (At::Start | At::Plain, _) => {
                let is_behind_separator =
                    reading.field.is_empty() && !reading.row.fields.is_empty();
                let is_header = self.expected.unwrap_or(0) == 0;
                self.is_spaced |= is_header && is_behind_separator && character == ' ';
                reading.field.push(character);
                if !is_blank(character) {
                    reading.at = At::Plain;
                }
            }
        }
        Ok(false)
    }

    /// The next character, every line end as one `\n`.
    fn character(&mut self) -> Option<char> {
        loop {
            let character = self.rest.next()?;
            let is_second = character == '\n' && self.is_after_return;
            self.is_after_return = character == '\r';
            if is_second {
                continue;
            }
            if matches!(character, '\r' | '\n') {
                self.line += 1;
                return Some('\n');
            }
            return Some(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<(u64, Vec<String>)>, String> {
        let mut fields = Fields::of(Path::new("f"), text, 1, ',');
        let mut rows = Vec::new();
        while let Some(row) = fields.next().map_err(|error| error.to_string())? {
            rows.push((row.line, row.fields));
        }
        Ok(rows)
    }

    #[test]
    fn rows_have_the_line_in_which_they_begin_whatever_ends_lines() {
        // By hand.
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "1,\"x", "y\"", " ", "2,3"].join(end);
            let expected = [(1, ["a", "b"]), (3, ["1", "x\ny"]), (6, ["2", "3"])];
            let expected = expected.map(|(line, row)| (line, row.map(str::to_owned).to_vec()));
            assert_eq!(rows(&text), Ok(expected.to_vec()), "{end:?}");
        }
    }

    #[test]
    fn quotes_are_taken_as_spreadsheets_write_them() {
        for (text, expected) in [
            ("\"a \"\"b\"\"\",c", vec!["a \"b\"", "c"]),
            ("5\" pipe,\"\"", vec!["5\" pipe", ""]),
            ("a, \"b, c\" ,d", vec!["a", "b, c", "d"]),
            ("\"a,\"\"\",", vec!["a,\"", ""]),
        ] {
            let found = rows(text).unwrap();
            assert_eq!(
                found,
                [(1, expected.into_iter().map(str::to_owned).collect())],
                "{text}"
            );
        }
    }

    #[test]
    fn texts_that_a_spreadsheet_was_kept_from_reading_are_read_without_what_keeps_it() {
        // By hand; the second is what a program writes that puts the first in quotes.
        let text = "=\"00123\",\"=\"\"00123\"\"\",'+49,'twas,=1,\"\"\n";
        let mut fields = Fields::of(Path::new("f"), text, 1, ',');
        let row = fields.next().unwrap().unwrap();
        assert_eq!(row.fields, ["00123", "00123", "+49", "'twas", "=1", ""]);
        assert_eq!(fields.unwrapped(), 3);
    }

    #[test]
    fn rows_between_two_quotes_are_not_the_text_of_a_field() {
        let (header, spaced) = ("a,b,c,d\n", "a, b, c, d\n");
        for (header, text, lines) in [
            // A space behind each separator, and one in the rows alone.
            (
                spaced,
                "1, 2, 3, \"12 inch\n4, 5, 6, lamp\n7, 8, 9, 15\"\n",
                Some("2 4"),
            ),
            (spaced, "1, 2, 3, \"lamp\nred, small\"\n", None),
            (
                header,
                "1,2,3,\"12 inch\n4, 5, 6, lamp\n7, 8, 9, 15\"\n",
                None,
            ),
            (
                header,
                "1,2,3,\"12 inch\n4,5,6,lamp\n7,8,9,15\"\n1,2,3,x\n",
                Some("2 4"),
            ),
            (header, "1,2,3,\"12 inch\n7,8,9,15\"\n", Some("2 3")),
            (header, "\"A\" ,2,3,4\n\"1,2,3,4\n4\",5,6,7\n", Some("3 4")),
            (header, "1,\"x,3,4\n4,y\",6,7\n", Some("2 3")),
            // Sentences, addresses, and lists of another length.
            (header, "1,2,3,\"lamp\nred, small, new, good\"\n", None),
            (header, "1,2,3,\"lamp\nred,small\"\n", None),
            (header, "1,2,3,\"lamp\nred,small,new,good,best\"\n", None),
            (header, "1,2,3,\"lamp\n\nred\"\n", None),
            (header, "1,2,3,\"a,b\"\n", None),
        ] {
            let text = format!("{header}{text}");
            let mut fields = Fields::of(Path::new("f"), &text, 1, ',');
            let problem = loop {
                match fields.next() {
                    Ok(Some(row)) => {
                        assert_eq!(row.fields.len(), 4, "{text}");
                        fields.expect(4);
                    }
                    Ok(None) => break None,
                    Err(Error::RowsInQuotes {
                        line, closed_in, ..
                    }) => {
                        break Some(format!("{line} {closed_in}"));
                    }
                    Err(error) => panic!("{text}: {error}"),
                }
            };
            assert_eq!(problem.as_deref(), lines, "{text}");
        }
    }

    #[test]
    fn a_quote_that_does_not_close_names_its_line() {
        for (text, line) in [
            ("a,b\n1,\"x\n2,y\n3,z\n", "line 2"),
            ("\"a,b\n1,2\n", "line 1"),
            // It closes by chance, in front of the text of another row.
            ("a,b\n1,\"x\n2,\"y\",z\n", "line 2"),
            ("a,b\n1,\"x \\\"y\\\" z\"\n", "line 2"),
        ] {
            let problem = rows(text).unwrap_err();
            assert!(problem.contains(line), "{text}: {problem}");
        }
    }
}
