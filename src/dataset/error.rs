//! Why a file cannot be used.

use std::path::PathBuf;

use crate::dataset::column_error::ColumnError;
use crate::domain::time::Timestamp;

/// Most characters of a value in a message.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// The beginning of a value, for a message.
pub(super) fn shortened(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

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
    /// The rows cannot be kept in a temporary file.
    #[error("cannot use a temporary file in {}", std::env::temp_dir().display())]
    Spool {
        /// The cause.
        source: std::io::Error,
    },
    /// Compressed data needs more memory than is given to it.
    #[error(
        "{path} was compressed with more than the 128 MiB of memory that are given to it: compress it again without --long or --ultra"
    )]
    LongWindow {
        /// Path of the file.
        path: PathBuf,
    },
    /// Compressed data is damaged or ends too early.
    #[error("{path} is damaged: its {compression} data cannot be decompressed to its end")]
    Compression {
        /// Path of the file.
        path: PathBuf,
        /// The compression.
        compression: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// More bytes than are read.
    #[error(
        "{path} has more than {limit} bytes when it is decompressed: split it into several files"
    )]
    LargeFile {
        /// Path of the file.
        path: PathBuf,
        /// Most bytes.
        limit: u64,
    },
    /// Bytes that are no character of UTF-8.
    #[error(
        "{path}, line {line}, character {place}: the byte 0x{byte:02x} is not UTF-8; {}",
        if *is_utf8_before {
            "characters before it are, so the file is damaged or put together of several encodings: mend that line"
        } else {
            "if the file is Latin-1, as many programs on Windows write it in western Europe, give --encoding latin1; of any \
             other encoding make UTF-8 first, such as with iconv"
        }
    )]
    NotUtf8 {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The character of the line, from 1.
        place: usize,
        /// The byte.
        byte: u8,
        /// Characters of several bytes come before it.
        is_utf8_before: bool,
    },
    /// Bytes that are no character of UTF-16.
    #[error("{path} is damaged: it is not {encoding} to its end")]
    NotUtf16 {
        /// Path of the file.
        path: PathBuf,
        /// The encoding.
        encoding: &'static str,
    },
    /// The byte order mark says another encoding.
    #[error("{path} is {shown}, as its first bytes say, and not {asked}: leave --encoding away")]
    OtherEncoding {
        /// Path of the file.
        path: PathBuf,
        /// The one that was asked for.
        asked: &'static str,
        /// The one of the mark.
        shown: &'static str,
    },
    /// Another kind of file.
    #[error("{path} is {what}")]
    NotATable {
        /// Path of the file.
        path: PathBuf,
        /// What it is, and what to do.
        what: &'static str,
    },
    /// A flag for another kind of file.
    #[error("{flag} does not apply to {path}, which is a {what}")]
    OtherKind {
        /// Path of the file.
        path: PathBuf,
        /// The flag.
        flag: &'static str,
        /// What it is.
        what: &'static str,
    },
    /// A zero byte.
    #[error(
        "{path}, line {line}: there is a zero byte, so this is not a text file, or one in UTF-16 \
         (--encoding utf-16le)"
    )]
    NotText {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
    },
    /// It is not a workbook that can be read.
    #[error("{path} cannot be read as a workbook: {detail}")]
    Workbook {
        /// Path of the file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// A sheet that is not there.
    #[error("{path} has no sheet {asked:?}{similar}; it has {found}")]
    NoSheet {
        /// Path of the file.
        path: PathBuf,
        /// The one that was asked for.
        asked: String,
        /// One that is like it.
        similar: String,
        /// The sheets there are.
        found: String,
    },
    /// The header has as many of one separator as of another one.
    #[error(
        "{path}: the header has as many of {found}, so --separator must say which one stands between the columns"
    )]
    Separators {
        /// Path of the file.
        path: PathBuf,
        /// The separators.
        found: String,
    },
    /// A quote that does not close.
    #[error("{path}, line {line}: a field begins with a quote (\") there, and no quote ends it")]
    OpenQuote {
        /// Path of the file.
        path: PathBuf,
        /// The line in which it begins, from 1.
        line: u64,
    },
    /// A field in quotes that has rows in it.
    #[error(
        "{path}, line {line}: a field begins with a quote (\") there, and what it has up to the next quote, in line {closed_in}, are whole \
         rows: where a field has a quote, the field must stand in quotes and the quote be written twice (\"\"); where they are lines of one \
         text, take the line breaks out of it"
    )]
    RowsInQuotes {
        /// Path of the file.
        path: PathBuf,
        /// The line in which it begins, from 1.
        line: u64,
        /// The line in which it ends.
        closed_in: u64,
    },
    /// Text behind a quoted field.
    #[error(
        "{path}, line {line}: there is text behind a field in quotes that began in line {opened_in}; a quote within such a field is \
         written twice (\"\")"
    )]
    Quote {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// The line in which the field begins.
        opened_in: u64,
    },
    /// An id that a spreadsheet has changed.
    #[error(
        "{path}, line {line}, column {column:?}: {value:?} is an id that a program has shortened: a spreadsheet keeps 15 digits of a number. \
         Export the column as text"
    )]
    LostDigits {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// The value.
        value: String,
    },
    /// A value that can be read in two ways.
    #[error("{path}, line {line}, column {column:?}: {value:?} can be read in two ways: {ways}")]
    Ambiguous {
        /// Path of the file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// The value.
        value: String,
        /// The ways, and the flag that decides.
        ways: &'static str,
    },
    /// Two values of a column that are written in different ways.
    #[error("{path}, column {column:?}: its {what} are written in two ways: {both}; {remedy}")]
    Contradiction {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column.
        column: String,
        /// Dates or numbers.
        what: &'static str,
        /// The two values and their lines.
        both: String,
        /// The flag that decides.
        remedy: &'static str,
    },
    /// Two currencies in a column.
    #[error(
        "{path}, column {column:?}: its amounts are of several currencies: {both}; take one into each file"
    )]
    Currencies {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column.
        column: String,
        /// The two values and their lines.
        both: String,
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
    #[error(
        "{path}, line {line}: the row has {found} field{}, not {expected} as the header has{}",
        if *found == 1 { "" } else { "s" },
        if *expected == 1 {
            "; the header is the first line that is not empty, and a title above it must be cut off"
        } else {
            ""
        }
    )]
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
        allowed: String,
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
    /// Nothing says when its rows hold.
    #[error(
        "{path} does not say as of when its rows hold: name the column that does, as in --columns occurred_at=COLUMN (one called \
         occurred_at or updated_at is found), or give --as-of INSTANT"
    )]
    NoTime {
        /// Path of the file.
        path: PathBuf,
    },
    /// There is nothing in it.
    #[error("{path} has no rows")]
    Empty {
        /// Path of the file.
        path: PathBuf,
    },
    /// The columns of the file do not fit.
    #[error(transparent)]
    Column(#[from] ColumnError),
}
