//! The deployment's rules for its events.

use crate::domain::money::Exchange;
use crate::domain::time::Timestamp;

/// The deployment's rules for its events.
#[derive(Clone, Debug)]
pub struct IntakeRules {
    /// Currencies and the cap of an amount.
    pub exchange: Exchange,
    /// Anything before this instant is rejected.
    pub earliest: Timestamp,
    /// Ids that mean "no customer", such as `null` or `test`.
    pub customer_ids_ignored: Vec<String>,
}
