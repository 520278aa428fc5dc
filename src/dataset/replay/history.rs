//! What a file says: its events, and what became of its rows.

use crate::dataset::column::Column;
use crate::dataset::error::Error;
use crate::dataset::found::Found;
use crate::dataset::replay::source_event::SourceEvent;
use crate::domain::order_rows::Counts;
use crate::domain::order_rows::Refused;

/// The events of a file, and what became of its rows.
#[derive(Debug, Default)]
pub struct History {
    /// Sorted by record time, then line.
    pub events: Vec<SourceEvent>,
    /// Rows that are not taken, by line. Lines of `jsonl` are never here: the engine rejects those that are wrong.
    pub refused: Vec<Refused>,
    /// Rows of the file, without its header.
    pub rows: u64,
    /// What became of the rows of a file of orders.
    pub orders: Option<Counts>,
    /// The columns that the format reads.
    pub(super) columns: Vec<Column>,
    /// What was found about the file.
    pub found: Found,
    /// Equal for the same bytes, read in the same way.
    pub fingerprint: String,
}

impl History {
    /// Takes an event, or a row that cannot be one.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub(super) fn take(&mut self, event: Result<SourceEvent, Error>) -> Result<(), Error> {
        self.rows += 1;
        match event {
            Ok(event) => self.events.push(event),
            Err(error) => self.refused.push(refused(error)?),
        }
        Ok(())
    }
}

/// The row of which a value is wrong.
///
/// # Errors
/// If it is another error, which is one of the whole file.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other error is one of the whole file"
)]
pub(super) fn refused(error: Error) -> Result<Refused, Error> {
    match error {
        Error::Value {
            line,
            column,
            value,
            allowed,
            ..
        } => {
            let value = if value.is_empty() {
                "it is missing; allowed is".to_owned()
            } else {
                format!("{value:?} is not")
            };
            Ok(Refused {
                line,
                detail: format!("{column}: {value} {allowed}"),
                column,
                other: None,
            })
        }
        error => Err(error),
    }
}
