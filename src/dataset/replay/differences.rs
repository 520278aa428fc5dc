//! In which column rows of one order differ that are equal in every column that is read.

use std::collections::BTreeMap;

use crate::dataset::error::Error;
use crate::dataset::row::Row;
use crate::dataset::rows::Rows;
use crate::domain::money::Exact;
use crate::domain::order_rows::OtherRow;
use crate::domain::order_rows::Refused;

/// Columns that are read and of which the rows keep the product only.
const FACTORS: [&str; 2] = ["price", "quantity"];

/// A cell that may differ.
struct Known {
    column: String,
    text: String,
    /// What stands for the same is equal in it.
    compared: String,
}

/// Names the columns from the file: while orders are made of its rows, other columns are not kept.
///
/// # Errors
/// If the rows cannot be read again.
pub(super) fn name_differences(rows: &mut Rows, refused: &mut [Refused]) -> Result<(), Error> {
    let mut cells: BTreeMap<u64, Vec<Known>> = BTreeMap::new();
    for row in refused.iter() {
        if let Some(OtherRow::Differs(other)) = row.other {
            cells.insert(row.line, Vec::new());
            cells.insert(other, Vec::new());
        }
    }
    if cells.is_empty() {
        return Ok(());
    }
    rows.rewind()?;
    while let Some(row) = rows.next_row()? {
        if let Some(cells) = cells.get_mut(&row.line) {
            *cells = known(&row)?;
        }
    }
    for row in refused {
        let Some(OtherRow::Differs(other)) = row.other else {
            continue;
        };
        let (Some(this), Some(other)) = (cells.get(&row.line), cells.get(&other)) else {
            continue;
        };
        let mut pairs = this.iter().zip(other);
        if let Some((this, other)) = pairs.find(|(this, other)| this.compared != other.compared) {
            row.name_difference(&this.column, (&this.text, &other.text));
        }
    }
    Ok(())
}

/// The cells of the columns that are not read, and then the factors. They are the same columns for every row.
fn known(row: &Row<'_>) -> Result<Vec<Known>, Error> {
    let unread = row.unread().map(|(column, text)| Known {
        column: column.to_owned(),
        text: text.to_owned(),
        compared: text.to_owned(),
    });
    let mut known: Vec<Known> = unread.collect();
    for column in FACTORS.into_iter().filter(|name| row.expects(name)) {
        if let Some(factor) = row.amount(column)? {
            known.push(Known {
                column: column.to_owned(),
                text: row.text(column).unwrap_or_default().to_owned(),
                compared: Exact::from(factor.decimal).to_string(),
            });
        }
    }
    Ok(known)
}
