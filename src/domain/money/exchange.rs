//! Amounts of other currencies in the base currency.

use crate::domain::money::amount::Money;
use crate::domain::money::currency::Currency;
use crate::domain::money::decimal::Decimal;

/// The rules for amounts: the base currency, the rates into it, and the largest amount.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Currency of every amount in the state.
    pub base: Currency,
    /// Units of the base currency for one unit of each other currency.
    pub rates: Vec<(Currency, Decimal)>,
    /// Largest amount of one order, after conversion.
    pub amount_max: Money,
}

impl Exchange {
    /// The rate of a currency into the base; `None` for a currency that is not configured.
    #[must_use]
    pub fn rate(&self, currency: Currency) -> Option<Decimal> {
        if currency == self.base {
            return Some(Decimal::ONE);
        }
        self.rates
            .iter()
            .find(|(known, _)| *known == currency)
            .map(|(_, rate)| *rate)
    }
}
