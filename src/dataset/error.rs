//! Why a file cannot be used.

use std::path::Path;
use std::path::PathBuf;

use crate::dataset::limited::ROW_BYTES_MAX;
use crate::domain::nearest::did_you_mean;
use crate::domain::time::Timestamp;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not CSV.
    #[error("{path} is not a CSV file")]
    Csv {
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
    /// A row that never ends.
    #[error("{path}, line {line}: the row has more than the {limit} bytes that a row may have")]
    LongRow {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Most bytes of a row.
        limit: u64,
    },
    /// A row with more or fewer fields than the header.
    #[error("{path}, line {line}: the row has {found} fields, not {expected} as the header has")]
    Fields {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Fields of the row.
        found: u64,
        /// Fields of the header.
        expected: u64,
    },
    /// A column is missing.
    #[error("{path} has no column {column:?}; it has {found}{}", did_you_mean(column, found.split(", ")))]
    MissingColumn {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column.
        column: String,
        /// The columns there are.
        found: String,
    },
    /// A value is wrong.
    #[error("{path}, line {line}, column {column:?}: {value:?} is not {allowed}")]
    Value {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// The value.
        value: String,
        /// The values that are allowed.
        allowed: &'static str,
    },
    /// A row that is not an event.
    #[error("{path}, line {line}: {detail}")]
    Event {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The field, its value and what is allowed.
        detail: String,
    },
    /// A row that would move the clocks into the future.
    #[error(
        "{path}, line {line}: the record time {record_time} is after {latest}, which is 24 hours ahead of the wall clock: \
         the clock of its customers' partition would go there and not come back. --allow-future takes it"
    )]
    Future {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Its record time.
        record_time: Timestamp,
        /// The latest one that is allowed.
        latest: Timestamp,
    },
    /// There is nothing in it.
    #[error("{path} has no rows")]
    Empty {
        /// Path of the file.
        path: PathBuf,
    },
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's message describes every other error"
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
