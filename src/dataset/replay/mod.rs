//! Historical files as events, in the order in which they happened. docs/COMMAND_LINE.md, Files.

mod cdnow;
mod customers;
mod lines;
mod orders;
mod source_event;

pub use crate::dataset::replay::source_event::Context;
pub use crate::dataset::replay::source_event::SourceEvent;

use std::path::Path;

use crate::dataset::error::Error;
use crate::dataset::replay::cdnow::cdnow;
use crate::dataset::replay::customers::customer;
use crate::dataset::replay::customers::marketing;
use crate::dataset::replay::lines::jsonl;
use crate::dataset::replay::orders::order;
use crate::dataset::rows::Row;
use crate::dataset::rows::Rows;
use crate::domain::time::Timestamp;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The CDNOW data set: one purchase a line.
    Cdnow,
    /// Native events, one JSON object a line.
    Jsonl,
    /// CSV: `customer_id, order_id, occurred_at, revenue` and optionally `currency, channel,
    /// category, discount`.
    Orders,
    /// CSV: `customer_id` and any of `birth_year, income, joined_at`; the rest are attributes.
    Customers,
    /// The Kaggle file "marketing campaign": profile rows.
    Marketing,
}

/// Reads a whole file, sorted by record time, then line.
///
/// # Errors
/// Names file, line, column, value and what is allowed. Lines of `jsonl` are never errors: the engine rejects those
/// that are wrong.
pub fn read(path: &Path, format: Format, context: &Context) -> Result<Vec<SourceEvent>, Error> {
    let mut events = match format {
        Format::Cdnow => cdnow(path, context)?,
        Format::Jsonl => jsonl(path, context)?,
        Format::Orders => table(
            path,
            &["customer_id", "order_id", "occurred_at", "revenue"],
            |row| order(row, context),
        )?,
        Format::Customers => table(path, &["customer_id"], |row| customer(row, context))?,
        Format::Marketing => table(path, &["ID", "Year_Birth", "Dt_Customer"], |row| {
            marketing(row, context)
        })?,
    };
    events.sort_by_key(|event| (event.record_time, event.line));
    Ok(events)
}

/// Refuses a file with an event after `latest`, 24 hours ahead of the wall clock.
///
/// # Errors
/// Names the first such line, its record time and what is allowed.
pub fn refuse_after(path: &Path, events: &[SourceEvent], latest: Timestamp) -> Result<(), Error> {
    let after = events.iter().filter(|event| event.record_time > latest);
    match after.min_by_key(|event| event.line) {
        None => Ok(()),
        Some(event) => Err(Error::Future {
            path: path.to_owned(),
            line: event.line,
            record_time: event.record_time,
            latest,
        }),
    }
}

fn table(
    path: &Path,
    columns: &[&str],
    read_row: impl Fn(&Row<'_>) -> Result<SourceEvent, Error>,
) -> Result<Vec<SourceEvent>, Error> {
    let mut rows = Rows::open(path)?;
    rows.require(columns)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next_row()? {
        events.push(read_row(&row)?);
    }
    if events.is_empty() {
        Err(Error::Empty {
            path: path.to_owned(),
        })
    } else {
        Ok(events)
    }
}
