//! Why the columns of a file do not fit to what is asked of it.

use std::path::PathBuf;

/// Why the columns of a file do not fit to what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// A column of `--columns` that the file does not have.
    #[error("--columns {pair}: {path} has no column {column:?}{found}")]
    UnknownColumn {
        /// Path of the file.
        path: PathBuf,
        /// As it was given.
        pair: String,
        /// The column.
        column: String,
        /// One that is like it, and the columns there are.
        found: String,
    },
    /// A name of `--columns` that the format does not know.
    #[error(
        "--columns {name}=...: {name:?} is not a column of the format; it has {known}{similar}"
    )]
    UnknownName {
        /// The name.
        name: String,
        /// One that is like it.
        similar: String,
        /// The names there are.
        known: String,
    },
    /// `--order-id row` for a file that has order ids.
    #[error(
        "{path} has order ids, in the column \"order_id\", and --order-id row is for files without: leave it out"
    )]
    OrderIdsThere {
        /// Path of the file.
        path: PathBuf,
    },
    /// `--columns` takes away a column that the format needs.
    #[error(
        "--columns {by} takes away the column {column:?}, which the format needs: leave that pair out"
    )]
    ColumnTaken {
        /// The column.
        column: String,
        /// The pair.
        by: String,
    },
    /// Two columns of `--columns` for a name that is no time.
    #[error("--columns {pair}: two columns make a time, and {name} is none")]
    TwoColumns {
        /// As it was given.
        pair: String,
        /// The name.
        name: String,
    },
    /// An attribute that no model would ever read, as a feature of its name is computed.
    #[error(
        "{path} has a column {column:?}, and segstream computes age from birth_year: --columns birth_year=COLUMN names a column of years, \
         and --columns {column}= leaves this one out"
    )]
    AttributeOfFeature {
        /// Path of the file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// A column that is there twice.
    #[error("{path} has the column {column:?} more than once: rename one of them")]
    ColumnTwice {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column.
        column: String,
    },
    /// Features that the marketing data does not give.
    #[error(
        "{names}: not among the features of --format marketing, {known} (--format features reads columns as they are){similar}"
    )]
    NoSuchFeature {
        /// Their names.
        names: String,
        /// One that is like it.
        similar: String,
        /// The features there are.
        known: String,
    },
    /// A column is missing.
    #[error("{path} has no column {column}; it has {found}{hint}")]
    MissingColumn {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column in quotes, or of several.
        column: String,
        /// The columns there are.
        found: String,
        /// What may help.
        hint: String,
    },
}
