//! Tables to learn from and to predict for.

mod marketing;
mod notes;
mod numeric;
mod one_currency;
mod wanted;

pub use crate::dataset::table::marketing::MARKETING_REFERENCE_YEAR;
pub use crate::dataset::table::notes::REPEATED_ID;
pub use crate::dataset::table::wanted::Wanted;
pub use crate::dataset::written_time::parse_date;

use std::path::Path;

use crate::dataset::error::Error;
use crate::dataset::found::Found;
use crate::dataset::options::Options;
use crate::dataset::rows::Rows;
use crate::dataset::table::marketing::marketing;
use crate::dataset::table::numeric::numeric;
use crate::learn::preparation::TrainingTable;

/// Trailing days which the spending and purchase counts of the marketing data cover.
pub const MARKETING_WINDOW_DAYS: u32 = 730;

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The Kaggle file "marketing campaign".
    Marketing,
    /// Any numeric CSV with a header.
    Features,
}

/// A table, and what was found about its file.
#[derive(Debug)]
pub struct Table {
    /// The rows to learn from.
    pub rows: TrainingTable,
    /// What was found about the file.
    pub found: Found,
}

/// Reads a table. A row with a wrong value is an error that names it. Of a table of features only the
/// `wanted` columns are read.
///
/// # Errors
/// If a column is missing, before any row is read, or a value wrong.
pub fn read(
    path: &Path,
    format: Format,
    id_column: Option<&str>,
    wanted: Wanted<'_>,
    options: &Options,
) -> Result<Table, Error> {
    let mut rows = Rows::open(path, options)?;
    let table = match format {
        Format::Marketing => marketing(&mut rows, wanted)?,
        Format::Features => numeric(&mut rows, id_column, wanted)?,
    };
    if table.rows.is_empty() {
        Err(Error::Empty {
            path: rows.path().to_owned(),
        })
    } else {
        Ok(Table {
            rows: table,
            found: rows.found().clone(),
        })
    }
}
