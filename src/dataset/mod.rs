//! Files of customers and purchases. Columns are found by name; a bad row is named by file, line
//! and column.

pub use crate::dataset::error::Error;
pub use crate::dataset::rows::Row;
pub use crate::dataset::rows::Rows;

mod bytes;
mod error;
pub mod limited;
pub mod replay;
mod rows;
pub mod table;
