//! The purchase days of customers, as the fit needs them.

use crate::cli::file_summary::FileSummary;
use crate::domain::time::Day;
use crate::learn::churn::cohort::PurchaseDays;

/// Purchase days of customers, and what they are.
#[derive(Debug)]
pub(super) struct ChurnData {
    /// Each customer's, ascending by id.
    pub cohort: Vec<PurchaseDays>,
    /// What was read, in words.
    pub source: String,
    /// What became of the rows of a file.
    pub file: Option<FileSummary>,
    /// The last day that the data covers.
    pub last_day: Day,
}
