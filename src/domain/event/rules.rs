//! The deployment's rules for its events.

use crate::domain::ids::stable_hash;
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

impl IntakeRules {
    /// A number that differs where two deployments' rules do.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let exchange = &self.exchange;
        let mut rates: Vec<String> = exchange
            .rates
            .iter()
            .map(|(currency, rate)| format!("{currency} {}", rate.canonical()))
            .collect();
        rates.sort_unstable();
        let mut ignored = self.customer_ids_ignored.clone();
        ignored.sort_unstable();
        let parts = [
            exchange.base.to_string(),
            rates.join(","),
            exchange.amount_max.0.to_string(),
            self.earliest.to_string(),
        ];
        let parts = parts.iter().chain(&ignored).map(String::as_str);
        stable_hash(&parts.collect::<Vec<_>>())
    }
}
