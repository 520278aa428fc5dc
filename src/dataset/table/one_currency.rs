//! Amounts of money in a table to learn from, which are of one currency.

use crate::dataset::error::Error;
use crate::dataset::row::Row;
use crate::domain::money::Currency;

/// The column that states the currency of a row.
const CURRENCY: &str = "currency";

/// The first currency that a row with an amount states, and its line.
#[derive(Default)]
pub(super) struct OneCurrency {
    first: Option<(Currency, u64)>,
}

impl OneCurrency {
    /// Compares the currency that a row states with the first one. `column` is one of its amounts.
    ///
    /// # Errors
    /// If it is another one, as means over several currencies are of no kind, or none that there is.
    pub(super) fn see(&mut self, row: &Row<'_>, column: &str) -> Result<(), Error> {
        if row.text(column).is_none() {
            return Ok(());
        }
        let Some(stated) = row.currency()? else {
            return Ok(());
        };
        let (first, line) = *self.first.get_or_insert((stated, row.line));
        if first == stated {
            return Ok(());
        }
        Err(Error::Currencies {
            path: row.path.to_owned(),
            column: row.shown(column),
            both: format!(
                "{CURRENCY} is {first} in line {line} and {stated} in line {}",
                row.line
            ),
        })
    }
}
