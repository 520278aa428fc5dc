//! Why a file cannot be used.

use std::path::Path;
use std::path::PathBuf;

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

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "everything else is told by the library's own words"
)]
pub(super) fn csv_error(path: &Path, line: u64, source: csv::Error) -> Error {
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
