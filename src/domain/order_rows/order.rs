//! An order of a file, and what is said about the rows of the file.

use crate::domain::time::Timestamp;

/// What is said of a column that is not read until somebody names it.
pub(super) const REST_DIFFERS: &str = "a column that is not read differs";

/// An order that rows made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The line of its first row, from 1.
    pub line: u64,
    /// The customer; a guest has none.
    pub customer_id: Option<String>,
    /// The order.
    pub order_id: String,
    /// When it happened: the earliest time of its rows.
    pub occurred_at: Timestamp,
    /// The amount, a decimal.
    pub revenue: String,
    /// Its currency.
    pub currency: String,
    /// The channel, if its rows state one.
    pub channel: Option<String>,
    /// Categories and what was spent on each, decimals.
    pub categories: Vec<(String, String)>,
    /// The discount, a decimal, if its rows state one.
    pub discount: Option<String>,
    /// How many rows it is made of.
    pub rows: u64,
    /// It is a row that says again what an earlier one says.
    pub is_repeat: bool,
}

/// A row that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The column that is wrong, by its name in the format, or `order_id` where the order is refused as a whole.
    pub column: String,
    /// The sentence: column, value and what is allowed, or why the order is refused.
    pub detail: String,
    /// Another row that has to do with it.
    pub other: Option<OtherRow>,
}

impl Refused {
    /// Names the column in which this row and [`OtherRow::Differs`] differ, with both values.
    pub fn name_difference(&mut self, column: &str, (this, other): (&str, &str)) {
        let named = format!("{column}: {this:?} and {other:?}");
        self.detail = self.detail.replacen(REST_DIFFERS, &named, 1);
    }
}

/// The other row because of which a row is not taken, by its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherRow {
    /// It cannot be used, and so its whole order is refused.
    Cause(u64),
    /// It is of the same order and says the same but for a column that is not read. Who has the file can name the column.
    Differs(u64),
}

/// Something that is worth a sentence: how often, and where first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// How often.
    pub count: u64,
    /// The lines of the first time, from 1.
    pub lines: Option<(u64, u64)>,
}

impl Noted {
    pub(super) fn note(&mut self, lines: (u64, u64)) {
        self.count += 1;
        if self.lines.is_none_or(|known| lines < known) {
            self.lines = Some(lines);
        }
    }
}

/// What became of the rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows.
    pub rows: u64,
    /// Orders that are taken, those of guests included.
    pub orders: u64,
    /// Orders of guests.
    pub guests: u64,
    /// Orders whose lines add up to less than zero: they are not taken.
    pub returns: u64,
    /// Customers of the orders that are taken.
    pub customers: u64,
    /// Rows that are refused, with all rows of their orders.
    pub refused_rows: u64,
    /// Rows that repeat an earlier row of their order in every column. Of lines, both count; of orders, one does.
    pub repeated_rows: Noted,
    /// Rows that are orders and whose amount is below zero: the engine rejects them.
    pub negative_rows: Noted,
    /// Orders whose lines have more than one channel: it is `unknown`.
    pub mixed_channels: Noted,
    /// Order ids that more than one customer has: the order of each counts.
    pub shared_order_ids: Noted,
    /// Orders of which some lines state an amount and others none.
    pub partial_amounts: Noted,
    /// Orders whose lines are more than a day apart.
    pub far_lines: Noted,
    /// Categories whose lines add up to less than zero in an order: they are left out of its products.
    pub negative_categories: Noted,
    /// First and last time of the orders that are taken.
    pub span: Option<(Timestamp, Timestamp)>,
}
