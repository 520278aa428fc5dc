//! Money as integer minor units of one base currency, and exact decimals on the way in.
//!
//! Amounts are never floats: JSON numbers are read from their text.

mod amount;
mod currency;
mod decimal;
mod exact;
mod exchange;

pub use crate::domain::money::amount::Money;
pub use crate::domain::money::currency::Currency;
pub use crate::domain::money::decimal::Decimal;
pub use crate::domain::money::exact::Exact;
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
            // What binary floats leave behind: 0.3 - 0.24, 0.1 + 0.2 - 0.3, the smallest one.
            ("0.060000000000000005", "USD", Some(6)),
            ("5.551115123125783e-17", "USD", Some(0)),
            ("0.00000000000000005551115123125783", "USD", Some(0)),
            ("5e-324", "USD", Some(0)),
            ("0.00500000000000000000", "USD", Some(0)),
            ("0.0050000000000000001", "USD", Some(1)),
            ("0.01500000000000000000", "USD", Some(2)),
            ("0.0149999999999999999", "USD", Some(1)),
            ("-0.0050000000000000001", "USD", Some(-1)),
            ("00000000000000000000000012.5", "USD", Some(1250)),
            ("1e-400", "USD", Some(0)),
            // More than 64 bits of cents.
            ("92233720368547758", "USD", Some(9_223_372_036_854_775_800)),
            ("92233720368547759", "USD", None),
            ("100000000000000000000", "USD", None),
            ("1e400", "USD", None),
        ] {
            let parsed = Decimal::parse(text).and_then(|decimal| decimal.to_minor(&code(currency)));
            assert_eq!(parsed, minor.map(Money), "{text} {currency}");
        }
    }

    /// Python's `decimal` with 200 digits: `(a * b * c * 100).quantize(1, ROUND_HALF_EVEN)`.
    #[test]
    fn a_product_is_exact_however_many_digits_its_factors_have_and_is_rounded_once() {
        for (factors, minor) in [
            ("19.99 3 1.0825", Some(6492)),
            (
                "3.3000000000000003 0.30000000000000004 1.08250000000000001",
                Some(107),
            ),
            (
                "0.999999999999999999 0.999999999999999999 0.999999999999999999",
                Some(100),
            ),
            (
                "0.500000000000000001 0.100000000000000001 0.100000000000000001",
                Some(1),
            ),
            ("0.5 0.1 0.1", Some(0)),
            ("1.5 0.1 0.1", Some(2)),
            (
                "123456789.123456789 1.00000000000000001 9.99999999999999999",
                Some(123_456_789_123),
            ),
            (
                "999999999.999999999 999999999.999999999 0.000000000000000001",
                Some(100),
            ),
            (
                "999999999999999999 999999999999999999 999999999999999999",
                None,
            ),
            ("1e400 1e-400 1e-400", Some(0)),
            ("1e-400 1e400 7", Some(700)),
            ("1e300 0 1e300", Some(0)),
            ("-0.5 0.1 0.3", Some(-2)),
        ] {
            let decimals = factors
                .split(' ')
                .map(|text| Decimal::parse(text).expect("is one"));
            let decimals: Vec<Decimal> = decimals.collect();
            let product = decimals[0].times_to_minor([decimals[1], decimals[2]], &code("USD"));
            assert_eq!(product, minor.map(Money), "{factors}");
        }
    }

    #[test]
    fn a_number_has_one_canonical_form_which_stored_definitions_hold() {
        for (text, form) in [
            ("1.10", "11e-1"),
            ("1e3", "1000e-0"),
            ("1000", "1000e-0"),
            ("0.0067", "67e-4"),
            ("6.7e-3", "67e-4"),
            ("0", "0e-0"),
            ("1.5e1", "15e-0"),
        ] {
            let canonical = Decimal::parse(text).map(Decimal::canonical);
            assert_eq!(canonical.as_deref(), Some(form), "{text}");
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
            "1e-999999999",
            "1e401",
            "1.0000000000000000001",
            "10000000000000000001",
            "00000000000000000000x",
            "0.0000000000000000000x",
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
