//! Exact decimals of at most 18 digits.

use crate::domain::money::amount::Money;
use crate::domain::money::currency::Currency;

/// Digits a decimal may have; enough for any amount under the cap with a rate of 9 digits.
const DECIMAL_DIGITS_MAX: u32 = 18;

/// An exact decimal: `digits` x 10^-`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: i128,
    scale: u32,
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

    /// One.
    pub const ONE: Self = Self {
        digits: 1,
        scale: 0,
    };

    /// Parses what JSON calls a number (`-12.50`, `1e3`), with at most 18 digits once written out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Nearly all amounts have neither a sign nor an exponent.
        if let Some((digits, scale)) = digits_and_scale(text) {
            return Self::scaled(digits, scale);
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, mantissa),
        };
        let (digits, scale) = digits_and_scale(unsigned)?;
        Self::scaled(sign * digits, scale.checked_sub(exponent)?)
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

/// The digits of a text of digits, with or without a point between them, and how many of them stand behind it.
fn digits_and_scale(text: &str) -> Option<(i128, i32)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let fraction = fraction.trim_end_matches('0');
    let length = u32::try_from(whole.len() + fraction.len()).ok()?;
    if whole.is_empty() || length > DECIMAL_DIGITS_MAX {
        return None;
    }
    // So many digits fit 64 bits.
    let mut digits: i64 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        digits = digits * 10 + i64::from(byte - b'0');
    }
    Some((i128::from(digits), i32::try_from(fraction.len()).ok()?))
}
