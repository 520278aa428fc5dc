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
}

impl Reading {
    fn end_field(&mut self) {
        let field = self.field.trim_matches(is_blank);
        self.row.fields.push(field.to_owned());
        self.field.clear();
        self.at = At::Start;
    }
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
        }
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
                reading.end_field();
                return self.within_limit(reading).map(|()| true);
            };
            reading.bytes += character.len_utf8() as u64;
            if self.take(reading, character)? {
                return self.within_limit(reading).map(|()| false);
            }
        }
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
    fn take(&self, reading: &mut Reading, character: char) -> Result<bool, Error> {
        match (reading.at, character) {
            (At::Quoted, '"') => reading.at = At::Quote,
            (At::Quoted, _) => reading.field.push(character),
            // A doubled quote is one quote within the field.
            (At::Quote, '"') => {
                reading.field.push('"');
                reading.at = At::Quoted;
            }
            (_, '\n') => {
                reading.end_field();
                return Ok(true);
            }
            (_, _) if character == self.separator => reading.end_field(),
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
