//! Files of customers and purchases. Columns are found by name; a bad row is named by file, line
//! and column.

pub use crate::dataset::amount::Amount;
pub use crate::dataset::column::Column;
pub use crate::dataset::column::Kind;
pub use crate::dataset::column::Others;
pub use crate::dataset::date_format::check_date_format;
pub use crate::dataset::error::Error;
pub use crate::dataset::found::Fact;
pub use crate::dataset::found::Found;
pub use crate::dataset::options::ColumnNames;
pub use crate::dataset::options::DecimalSign;
pub use crate::dataset::options::Encoding;
pub use crate::dataset::options::Options;
pub use crate::dataset::options::Separator;
pub use crate::dataset::row::Row;
pub use crate::dataset::rows::Rows;
pub use crate::dataset::source::shown;
pub use crate::dataset::whole::Whole;

mod amount;
mod archive;
mod column;
mod convention;
mod date_format;
mod delimited;
mod error;
mod fields;
mod found;
mod header;
mod kinds;
pub mod limited;
mod options;
pub mod replay;
mod row;
mod rows;
mod settle;
mod shape;
mod source;
mod spool;
pub mod table;
mod text;
mod times_of_day;
mod whole;
mod workbook;
mod written_amount;
mod written_time;
