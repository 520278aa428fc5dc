//! Money as integer minor units of one base currency, and exact decimals on the way in.
//!
//! Amounts are never floats: JSON numbers are read from their text.

mod amount;
mod currency;
mod decimal;
mod exchange;

pub use crate::domain::money::amount::Money;
pub use crate::domain::money::currency::Currency;
pub use crate::domain::money::decimal::Decimal;
pub use crate::domain::money::exchange::Exchange;

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Currency {
        Currency::parse(text).expect("test codes are valid")
    }

    #[test]
    fn decimals_become_exact_minor_units() {
        // By hand; halves go to the even neighbour.
        for (text, currency, minor) in [
            ("11.77", "USD", Some(1177)),
            ("0", "USD", Some(0)),
            ("-0.00", "USD", Some(0)),
            ("1e3", "USD", Some(100_000)),
            ("1.5E-1", "USD", Some(15)),
            ("0.125", "USD", Some(12)),
            ("0.135", "USD", Some(14)),
            ("-0.125", "USD", Some(-12)),
            ("100.5", "JPY", Some(100)),
            ("101.5", "JPY", Some(102)),
            ("1.2345", "KWD", Some(1234)),
            ("0.1000000000000000000000000", "USD", Some(10)),
        ] {
            let parsed = Decimal::parse(text).and_then(|decimal| decimal.to_minor(&code(currency)));
            assert_eq!(parsed, minor.map(Money), "{text} {currency}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "NaN",
            "inf",
            "1,5",
            "0x1",
            "1e999999999",
            "--1",
            "1e",
            "+1",
            "1234567890123456789",
            " 1",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn money_is_written_with_its_minor_digits() {
        assert_eq!(Money(109_350).to_decimal(&code("EUR")), "1093.50");
        assert_eq!(Money(-5).to_decimal(&code("EUR")), "-0.05");
        assert_eq!(Money(7).to_decimal(&code("JPY")), "7");
        assert_eq!(Money(5_813_800).to_plain_decimal(&code("EUR")), "58138");
        assert_eq!(Money(5_813_850).to_plain_decimal(&code("EUR")), "58138.5");
        assert_eq!(Money(100).to_plain_decimal(&code("JPY")), "100");
    }
}
