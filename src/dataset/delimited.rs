//! Text with a separator between the fields, as CSV has it.

use std::path::Path;

use crate::dataset::error::Error;
use crate::dataset::fields::Fielded;
use crate::dataset::fields::Fields;
use crate::dataset::found::Found;
use crate::dataset::options::Options;
use crate::dataset::options::Separator;
use crate::dataset::spool::Cell;
use crate::dataset::spool::Record;
use crate::dataset::spool::Spool;
use crate::dataset::spool::SpoolWriter;
use crate::dataset::spool::Tag;
use crate::domain::counted::counted;

const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// Reads header and rows of a text.
///
/// # Errors
/// If quotes do not close or have whole rows between them, a row has more or fewer fields than the header, or it does not show its separator.
pub(super) fn read(
    path: &Path,
    text: &str,
    options: &Options,
    found: &mut Found,
) -> Result<(Vec<String>, Spool, Separator), Error> {
    let (stated, skipped_lines, body) = after_statement(text);
    let separator = match options.separator.or(stated) {
        Some(separator) => separator,
        None => found_separator(path, body)?,
    };
    found.plain("separator", &separator.to_string());
    if let (Some(asked), Some(stated)) = (options.separator, stated)
        && asked != stated
    {
        let what = format!(
            "the file states sep={}, --separator {asked} was taken",
            stated.0
        );
        found.notable("separator", &what);
    }
    let mut fields = Fields::of(path, body, 1 + skipped_lines, separator.0);
    let mut table = Table {
        path,
        header: Vec::new(),
        spool: SpoolWriter::new(),
        blank_rows: 0,
    };
    while let Some(row) = fields.next()? {
        table.push(row)?;
        fields.expect(table.header.len());
    }
    if fields.unwrapped() > 0 {
        let what = format!(
            "{} written as =\"...\", or with an apostrophe before a sign that begins a formula, and read without",
            counted(fields.unwrapped(), "value is", "values are")
        );
        found.notable("values", &what);
    }
    if table.blank_rows > 0 {
        let what = format!(
            "{} left out",
            counted(
                table.blank_rows,
                "row without any value was",
                "rows without any value were"
            )
        );
        found.notable("empty rows", &what);
    }
    if table.header.is_empty() {
        return Err(Error::Empty {
            path: path.to_owned(),
        });
    }
    let spool = table.spool.finish();
    Ok((
        table.header,
        spool.map_err(|source| Error::Spool { source })?,
        separator,
    ))
}

struct Table<'a> {
    path: &'a Path,
    header: Vec<String>,
    spool: SpoolWriter,
    blank_rows: u64,
}

impl Table<'_> {
    fn push(&mut self, row: Fielded) -> Result<(), Error> {
        let Fielded { line, fields } = row;
        if fields.iter().all(String::is_empty) {
            self.blank_rows += u64::from(!self.header.is_empty());
            return Ok(());
        }
        if self.header.is_empty() {
            self.header = fields;
            return Ok(());
        }
        if fields.len() != self.header.len() {
            return Err(Error::Fields {
                path: self.path.to_owned(),
                line,
                found: fields.len() as u64,
                expected: self.header.len() as u64,
            });
        }
        let cells = fields.into_iter().map(|text| Cell {
            tag: Tag::Text,
            text,
        });
        let record = Record {
            line,
            cells: cells.collect(),
        };
        let pushed = self.spool.push(&record);
        pushed.map_err(|source| Error::Spool { source })
    }
}

/// The separator that a first line such as `sep=;` states, how many lines it takes, and the rest.
fn after_statement(text: &str) -> (Option<Separator>, u64, &str) {
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    let (first, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let rest = rest
        .strip_prefix("\r\n")
        .or(rest.strip_prefix(['\r', '\n']))
        .unwrap_or(rest);
    let line = first.trim_matches('"');
    let stated = line
        .get(..4)
        .filter(|start| start.eq_ignore_ascii_case("sep="))
        .and_then(|_| line.get(4..))
        .and_then(|separator| {
            let mut characters = separator.chars();
            let one = characters.next()?;
            characters.next().is_none().then_some(Separator(one))
        });
    match stated {
        Some(separator) => (Some(separator), 1, rest),
        None => (None, 0, text),
    }
}

/// The header: the first line that is not empty, with the line breaks in its quotes.
fn header_line(text: &str) -> &str {
    let lines = text.split_inclusive(['\r', '\n']);
    let blank = lines.take_while(|line| line.trim().is_empty());
    let begins = blank.map(str::len).sum();
    let rest = text.get(begins..).unwrap_or_default();
    let mut is_quoted = false;
    let end = rest.find(|character: char| {
        is_quoted ^= character == '"';
        !is_quoted && matches!(character, '\r' | '\n')
    });
    // A quote that does not close is none around a name.
    let end = if is_quoted {
        rest.find(['\r', '\n'])
    } else {
        end
    };
    end.and_then(|end| rest.get(..end)).unwrap_or(rest)
}

/// The separator that the header has most of, outside quotes.
fn found_separator(path: &Path, text: &str) -> Result<Separator, Error> {
    let mut is_quoted = false;
    let mut counts = SEPARATORS.map(|separator| (0_usize, separator));
    for character in header_line(text).chars() {
        if character == '"' {
            is_quoted = !is_quoted;
        }
        for (count, separator) in &mut counts {
            *count += usize::from(!is_quoted && *separator == character);
        }
    }
    let most = counts.iter().map(|(count, _)| *count).max().unwrap_or(0);
    let mut with_most = counts.iter().filter(|(count, _)| *count == most);
    match (most, with_most.next(), with_most.next()) {
        (0, _, _) => Ok(Separator(',')),
        (_, Some((_, separator)), None) => Ok(Separator(*separator)),
        (_, one, other) => Err(Error::Separators {
            path: path.to_owned(),
            found: [one, other]
                .into_iter()
                .flatten()
                .map(|(_, separator)| Separator(*separator).to_string())
                .collect::<Vec<_>>()
                .join(" and "),
        }),
    }
}
