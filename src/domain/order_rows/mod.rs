//! Rows of a file of orders, and the orders that they make. docs/FILES.md, Lines of an order.

mod grouping;
mod merge;
mod order;
mod row;
mod row_id;
#[cfg(test)]
mod tests;

pub use crate::domain::order_rows::grouping::Orders;
pub use crate::domain::order_rows::grouping::orders;
pub use crate::domain::order_rows::order::Counts;
pub use crate::domain::order_rows::order::Noted;
pub use crate::domain::order_rows::order::Order;
pub use crate::domain::order_rows::order::OtherRow;
pub use crate::domain::order_rows::order::Refused;
pub use crate::domain::order_rows::row::BadRow;
pub use crate::domain::order_rows::row::CustomerOfRow;
pub use crate::domain::order_rows::row::Lines;
pub use crate::domain::order_rows::row::OrderRow;
pub use crate::domain::order_rows::row::Row;
pub use crate::domain::order_rows::row_id::RowIds;
