//! Money as integer minor units of one base currency, and exact decimals on the way in.
//!
//! Amounts are never floats: JSON numbers are read from their text.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// Digits a decimal may have; enough for any amount under the cap with a rate of 9 digits.
const DECIMAL_DIGITS_MAX: u32 = 18;

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

/// An ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Parses three capital letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(code))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Digits after the decimal point, from ISO 4217 (2 for all but those listed).
    #[must_use]
    pub fn minor_digits(&self) -> u8 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMN" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// An exact decimal: `digits` x 10^-`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    /// One.
    pub const ONE: Self = Self {
        digits: 1,
        scale: 0,
    };

    /// Parses what JSON calls a number (`-12.50`, `1e3`), with at most 18 digits once written out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, mantissa),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if whole.is_empty() || (unsigned.contains('.') && fraction.is_empty()) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        if u32::try_from(whole.len() + fraction.len())
            .is_ok_and(|digits| digits > DECIMAL_DIGITS_MAX)
        {
            return None;
        }
        let mut digits: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            digits = digits * 10 + i128::from(byte - b'0');
        }
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Self::scaled(sign * digits, scale)
    }

    fn scaled(digits: i128, scale: i32) -> Option<Self> {
        let limit = i32::try_from(DECIMAL_DIGITS_MAX).ok()?;
        if digits == 0 {
            return Some(Self { digits, scale: 0 });
        }
        match u32::try_from(scale) {
            Ok(scale) => (scale <= DECIMAL_DIGITS_MAX).then_some(Self { digits, scale }),
            Err(_) if scale >= -limit => {
                let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
                Some(Self {
                    digits: digits.checked_mul(factor)?,
                    scale: 0,
                })
            }
            Err(_) => None,
        }
    }

    /// The exact product; `None` where it does not fit.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            digits: self.digits.checked_mul(other.digits)?,
            scale: self.scale.checked_add(other.scale)?,
        })
    }

    /// Below zero?
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.digits < 0
    }

    /// Above zero?
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.digits > 0
    }

    /// In minor units of `currency`, halves rounded to even; `None` where it does not fit.
    #[must_use]
    pub fn to_minor(self, currency: &Currency) -> Option<Money> {
        let minor_digits = u32::from(currency.minor_digits());
        if self.scale <= minor_digits {
            let factor = 10_i128.checked_pow(minor_digits - self.scale)?;
            return i64::try_from(self.digits.checked_mul(factor)?)
                .ok()
                .map(Money);
        }
        let divisor = 10_i128.checked_pow(self.scale - minor_digits)?;
        let quotient = self.digits.div_euclid(divisor);
        let twice = self.digits.rem_euclid(divisor).checked_mul(2)?;
        let round_up = twice > divisor || (twice == divisor && quotient % 2 != 0);
        i64::try_from(quotient + i128::from(round_up))
            .ok()
            .map(Money)
    }
}

impl Decimal {
    /// The number in one form whatever zeros it was written with, such as `11e-1` for 1.10.
    #[must_use]
    pub fn canonical(self) -> String {
        let (mut digits, mut scale) = (self.digits, self.scale);
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        format!("{digits}e-{scale}")
    }
}

/// What is accepted as money: the base currency, the rates into it, and the largest amount.
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
