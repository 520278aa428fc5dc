//! One row of a file of orders.

use crate::domain::money::Exact;
use crate::domain::time::Timestamp;

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// Each row is an order.
    #[default]
    Orders,
    /// Each row is a line of an order; the order is their sum.
    Sum,
}

/// A row that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The customer; a guest has none.
    pub customer_id: Option<String>,
    /// The order.
    pub order_id: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The revenue, or quantity x price.
    pub amount: Exact,
    /// Its currency.
    pub currency: String,
    /// The channel, if the row states one.
    pub channel: Option<String>,
    /// The category of products, if the row states one.
    pub category: Option<String>,
    /// The discount, if the row states one.
    pub discount: Option<Exact>,
    /// A hash of the columns of the row that make none of these values.
    pub rest: u64,
}

/// The customer of a row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerOfRow {
    /// As the row states it; a guest has none.
    Stated(Option<String>),
    /// The cell of the customer is what cannot be used.
    Unknown,
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The customer.
    pub customer: CustomerOfRow,
    /// The order, if the row states one. All its rows are refused with this one.
    pub order_id: Option<String>,
    /// The column that is wrong, by its name in the file and in the format.
    pub column: String,
    /// The column, the value and what is allowed.
    pub detail: String,
    /// It states no amount, as the lines of an order do whose total stands on the first one.
    pub lacks_amount: bool,
}

/// A row of a file of orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// It can be used.
    Good(OrderRow),
    /// It cannot be used.
    Bad(BadRow),
}
