//! An amount as a file states it.

use crate::domain::money::Currency;
use crate::domain::money::Decimal;

/// An amount as a file states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// A plain decimal: digits, perhaps a sign and a point, such as `-1234.50`. `decimal` is its value.
    pub text: String,
    /// The exact value.
    pub decimal: Decimal,
    /// The currency that a sign or a code beside the number states, such as EUR for `12,50 EUR`; where a sign stands for
    /// several, the one of them that the row, `--currency` or the base currency states.
    pub currency: Option<Currency>,
}
