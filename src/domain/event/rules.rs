//! What the deployment says about its events.

use crate::domain::money::Exchange;
use crate::domain::time::Timestamp;

/// What the deployment says about its events.
#[derive(Clone, Debug)]
pub struct IntakeRules {
    /// Currencies and the cap of an amount.
    pub exchange: Exchange,
    /// Anything before this instant is rejected.
    pub earliest: Timestamp,
    /// Ids that mean "no customer", such as `null` or `test`.
    pub customer_ids_ignored: Vec<String>,
}
