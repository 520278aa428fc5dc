//! A CSV file with a header, read row by row; a bad value is named by file, line and column.

use std::path::Path;
use std::path::PathBuf;

use csv::StringRecord;

use crate::dataset::error::Error;
use crate::dataset::error::csv_error;
use crate::dataset::limited::Limited;
use crate::domain::profile::NUMBER_MAX;

/// A CSV file with a header, read row by row. The separator is the one of `,`, `;` and tab that
/// the header has most of.
#[derive(Debug)]
pub struct Rows {
    pub(super) path: PathBuf,
    columns: Vec<String>,
    reader: csv::Reader<Limited>,
}

/// One row of [`Rows`].
#[derive(Debug)]
pub struct Row<'a> {
    pub(super) path: &'a Path,
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

    /// A number of a magnitude up to [`NUMBER_MAX`]; empty is `None`.
    ///
    /// # Errors
    /// Names file, line and column.
    pub fn number(&self, column: &str) -> Result<Option<f64>, Error> {
        let allowed = "a number from -9007199254740991 to 9007199254740991";
        self.parsed(column, allowed, |text| {
            let number = text.parse::<f64>().ok();
            number.filter(|number| number.abs() <= NUMBER_MAX)
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
