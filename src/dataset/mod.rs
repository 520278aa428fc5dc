//! Files of customers and purchases. Columns are found by name; a bad row is named by file, line
//! and column.

pub mod limited;
pub mod replay;
pub mod table;

use std::path::Path;
use std::path::PathBuf;

use csv::StringRecord;

use crate::dataset::limited::Limited;
use crate::dataset::limited::ROW_BYTES_MAX;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is no CSV.
    #[error("{path} is no CSV file")]
    Csv {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
    /// A row that never ends.
    #[error("{path}, line {line}: the row has more than the {limit} bytes that a row may have")]
    LongRow {
        /// Which file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Most bytes of a row.
        limit: u64,
    },
    /// A row with more or fewer fields than the header.
    #[error("{path}, line {line}: the row has {found} fields, not {expected} as the header has")]
    Fields {
        /// Which file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Fields of the row.
        found: u64,
        /// Fields of the header.
        expected: u64,
    },
    /// A column is missing.
    #[error("{path} has no column {column:?}; it has {found}")]
    MissingColumn {
        /// Which file.
        path: PathBuf,
        /// Which column.
        column: String,
        /// The columns there are.
        found: String,
    },
    /// A value is wrong.
    #[error("{path}, line {line}, column {column:?}: {value:?} is not {allowed}")]
    Value {
        /// Which file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Which column.
        column: String,
        /// What is there.
        value: String,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// A row that is no event.
    #[error("{path}, line {line}: {detail}")]
    Event {
        /// Which file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The field, its value and what is allowed.
        detail: String,
    },
    /// There is nothing in it.
    #[error("{path} has no rows")]
    Empty {
        /// Which.
        path: PathBuf,
    },
}

/// A CSV file with a header, read row by row. The separator is the one of `,`, `;` and tab that
/// the header has most of.
#[derive(Debug)]
pub struct Rows {
    path: PathBuf,
    columns: Vec<String>,
    reader: csv::Reader<Limited>,
}

/// One row of [`Rows`].
#[derive(Debug)]
pub struct Row<'a> {
    path: &'a Path,
    columns: &'a [String],
    record: StringRecord,
    /// Its line in the file, from 1.
    pub line: u64,
}

impl Rows {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read or has no header.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io_error = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let source = Limited::open(path).map_err(io_error)?;
        let occurrences = |separator: &u8| {
            source
                .first_line()
                .iter()
                .filter(|byte| *byte == separator)
                .count()
        };
        let separator = [b',', b';', b'\t']
            .into_iter()
            .rev()
            .max_by_key(occurrences)
            .unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .trim(csv::Trim::All)
            .from_reader(source);
        let columns: Vec<String> = match reader.headers() {
            Ok(columns) => columns.iter().map(str::to_owned).collect(),
            Err(source) => return Err(csv_error(path, 1, source)),
        };
        if columns.is_empty() {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
        reader.get_ref().next_row();
        Ok(Self {
            path: path.to_owned(),
            columns,
            reader,
        })
    }

    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Refuses a file without these columns.
    ///
    /// # Errors
    /// Names the first that is missing.
    pub fn require(&self, columns: &[&str]) -> Result<(), Error> {
        match columns
            .iter()
            .find(|column| !self.columns.iter().any(|known| known == *column))
        {
            None => Ok(()),
            Some(column) => Err(Error::MissingColumn {
                path: self.path.clone(),
                column: (*column).to_owned(),
                found: self.columns.join(", "),
            }),
        }
    }

    /// The next row.
    ///
    /// # Errors
    /// If it has another number of fields than the header.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        let mut record = StringRecord::new();
        let line = self.reader.position().line();
        match self.reader.read_record(&mut record) {
            Ok(false) => return Ok(None),
            Ok(true) => self.reader.get_ref().next_row(),
            Err(source) => return Err(csv_error(&self.path, line, source)),
        }
        let line = record.position().map_or(0, csv::Position::line);
        Ok(Some(Row {
            path: &self.path,
            columns: &self.columns,
            record,
            line,
        }))
    }
}

impl Row<'_> {
    /// The text of a column; empty is `None`.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        let place = self.columns.iter().position(|known| known == column)?;
        self.record.get(place).filter(|text| !text.is_empty())
    }

    /// The columns and texts that are not empty.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self
            .columns
            .iter()
            .map(String::as_str)
            .zip(self.record.iter());
        entries.filter(|(_, text)| !text.is_empty())
    }

    /// A value that `parse` accepts; empty is `None`.
    ///
    /// # Errors
    /// Names file, line, column and what is allowed.
    pub fn parsed<T>(
        &self,
        column: &str,
        allowed: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        parse(text)
            .map(Some)
            .ok_or_else(|| self.invalid(column, text, allowed))
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// Names file, line, column and what is allowed.
    pub fn required<T>(
        &self,
        column: &str,
        allowed: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Error> {
        self.parsed(column, allowed, parse)?
            .ok_or_else(|| self.invalid(column, "", allowed))
    }

    /// A finite number; empty is `None`.
    ///
    /// # Errors
    /// Names file, line and column.
    pub fn number(&self, column: &str) -> Result<Option<f64>, Error> {
        self.parsed(column, "a number", |text| {
            text.parse::<f64>().ok().filter(|number| number.is_finite())
        })
    }

    fn invalid(&self, column: &str, value: &str, allowed: &'static str) -> Error {
        Error::Value {
            path: self.path.to_owned(),
            line: self.line,
            column: column.to_owned(),
            value: value.to_owned(),
            allowed,
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "everything else is told by the library's own words"
)]
fn csv_error(path: &Path, line: u64, source: csv::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        csv::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            Error::LongRow {
                path,
                line,
                limit: ROW_BYTES_MAX,
            }
        }
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => Error::Fields {
            path,
            line: pos.as_ref().map_or(line, csv::Position::line),
            found: *len,
            expected: *expected_len,
        },
        _ => Error::Csv { path, source },
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}
