//! An amount in minor units of the base currency.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::money::currency::Currency;

/// An amount in minor units (cents) of the base currency.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Money(pub i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, held at the largest amount instead of wrapping. With every order below the cap
    /// that takes nine million of them.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The amount in major units, for features: exact up to 2^53 minor units.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a feature is a float")]
    pub fn to_major(self, base: &Currency) -> f64 {
        self.0 as f64 / 10_f64.powi(i32::from(base.minor_digits()))
    }

    /// Decimal text with all minor digits: `1093.50`.
    #[must_use]
    pub fn to_decimal(self, base: &Currency) -> String {
        let digits = usize::from(base.minor_digits());
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = format!("{:0width$}", self.0.unsigned_abs(), width = digits + 1);
        let (major, minor) = text.split_at(text.len() - digits);
        if digits == 0 {
            format!("{sign}{major}")
        } else {
            format!("{sign}{major}.{minor}")
        }
    }

    /// Decimal text without needless digits: `58138`, `58138.5`.
    #[must_use]
    pub fn to_plain_decimal(self, base: &Currency) -> String {
        let text = self.to_decimal(base);
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    }
}
