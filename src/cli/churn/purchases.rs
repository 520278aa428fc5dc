//! Purchase days of customers, to learn from.

use crate::domain::time::Day;
use crate::learn::churn::cohort::PurchaseDays;

/// Purchase days of customers, and what they are.
#[derive(Debug)]
pub(super) struct ChurnData {
    /// Each customer's, ascending by id.
    pub cohort: Vec<PurchaseDays>,
    /// What was read, in words.
    pub source: String,
    /// The last day that anything is known of.
    pub last_day: Day,
}
