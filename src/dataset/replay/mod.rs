//! Historical files as events, in the order in which they happened. docs/COMMAND_LINE.md, Files.

mod attribute;
mod cdnow;
mod customers;
mod differences;
mod facts;
mod history;
mod lines;
mod orders;
mod source_event;

pub use crate::dataset::replay::history::History;
pub use crate::dataset::replay::source_event::Context;
pub use crate::dataset::replay::source_event::OrderIds;
pub use crate::dataset::replay::source_event::SourceEvent;

use std::path::Path;

use crate::dataset::error::Error;
use crate::dataset::options::Options;
use crate::dataset::replay::cdnow::cdnow;
use crate::dataset::replay::customers::read_customers;
use crate::dataset::replay::customers::read_marketing;
use crate::dataset::replay::facts::note_columns;
use crate::dataset::replay::facts::note_settings;
use crate::dataset::replay::lines::jsonl;
use crate::dataset::replay::orders::read_orders;
use crate::dataset::rows::Rows;
use crate::dataset::source::shown;
use crate::dataset::whole::Whole;
use crate::domain::time::Timestamp;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The CDNOW data set: one purchase a line; the whole file, or the sample of it with five columns.
    Cdnow,
    /// Native events, one JSON object a line.
    Jsonl,
    /// A table: `customer_id, order_id, occurred_at, revenue` (or `quantity, price`) and optionally `currency, channel,
    /// category, discount`.
    Orders,
    /// A table: `customer_id`, the time as of which a row holds (`occurred_at` or `updated_at`), and any of
    /// `birth_year, income, joined_at`; the rest are attributes.
    Customers,
    /// The Kaggle file "marketing campaign": profile rows.
    Marketing,
}

/// Reads a whole file.
///
/// # Errors
/// If the file cannot be used at all. A row that cannot be used is none: it is among the refused ones.
pub fn read(
    path: &Path,
    format: Format,
    context: &Context,
    options: &Options,
) -> Result<History, Error> {
    let shown = &shown(path);
    let mut history = match format {
        Format::Cdnow | Format::Jsonl => {
            let whole = Whole::read(path, options)?;
            let mut history = if format == Format::Cdnow {
                cdnow(shown, &whole.bytes, context)?
            } else {
                let events = jsonl(&whole.bytes);
                History {
                    rows: events.len() as u64,
                    events,
                    ..History::default()
                }
            };
            history.found = whole.found;
            history.fingerprint = whole.fingerprint;
            history
        }
        Format::Orders | Format::Customers | Format::Marketing => {
            table(path, format, context, options)?
        }
    };
    // A table may have a header and no rows, as a day may have no orders; what has no header says nothing.
    if history.rows == 0 && format == Format::Cdnow {
        return Err(Error::Empty {
            path: shown.to_owned(),
        });
    }
    if format != Format::Jsonl {
        note_settings(&mut history.found, context, options);
    }
    let events = &mut history.events;
    events.sort_by_key(|event| (event.record_time, event.line));
    history.fingerprint.push_str(&options.identity());
    history.fingerprint.push_str(&context.identity());
    Ok(history)
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
            path: shown(path),
            line: event.line,
            record_time: event.record_time,
            latest,
        }),
    }
}

fn table(
    path: &Path,
    format: Format,
    context: &Context,
    options: &Options,
) -> Result<History, Error> {
    let mut rows = Rows::open(path, options)?;
    let mut history = match format {
        Format::Customers => read_customers(&mut rows, context, options)?,
        Format::Marketing => read_marketing(&mut rows, context)?,
        Format::Orders | Format::Cdnow | Format::Jsonl => read_orders(&mut rows, context, options)?,
    };
    history.found = rows.found().clone();
    let rest = if format == Format::Customers {
        "attributes"
    } else {
        "columns not used"
    };
    note_columns(&mut history.found, &rows, &history.columns, rest, options);
    rows.fingerprint().clone_into(&mut history.fingerprint);
    Ok(history)
}
