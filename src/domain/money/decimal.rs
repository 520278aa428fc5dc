//! Exact decimals of at most 18 significant digits.

use crate::domain::money::amount::Money;
use crate::domain::money::currency::Currency;

/// Significant digits that a decimal may have. A binary float is written with at most 17.
const DIGITS_MAX: u32 = 18;
/// Places before or behind the point at which the last digit may stand. Those of a binary float lie within.
const PLACES_MAX: i32 = 400;
/// 10 to the power of [`DIGITS_MAX`].
const DIGITS_BASE: u128 = 1_000_000_000_000_000_000;

/// An exact decimal: `digits` x 10^-`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: i64,
    scale: i32,
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
        let zeros = usize::try_from(-scale).unwrap_or_default();
        format!("{digits}{:0<zeros$}e-{}", "", scale.max(0))
    }

    /// The number as people write it, such as `1.1` for 1.10.
    #[must_use]
    pub fn plain(self) -> String {
        let canonical = self.canonical();
        let Some((digits, places)) = canonical.split_once("e-") else {
            return canonical;
        };
        let (sign, digits) = match digits.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", digits),
        };
        let places: usize = places.parse().unwrap_or_default();
        let digits = format!("{digits:0>width$}", width = places + 1);
        match digits.split_at_checked(digits.len() - places) {
            Some((whole, part)) if !part.is_empty() => format!("{sign}{whole}.{part}"),
            _ => format!("{sign}{digits}"),
        }
    }

    /// One.
    pub const ONE: Self = Self {
        digits: 1,
        scale: 0,
    };

    /// Parses what JSON calls a number (`-12.50`, `1e3`): at most 18 digits once the zeros before the first and after the
    /// last digit that is not zero are left out, the last of them at most 400 places before or behind the point.
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

    /// The digits, and how many of them stand behind the point.
    pub(super) fn parts(self) -> (i64, i32) {
        (self.digits, self.scale)
    }

    fn scaled(digits: i64, scale: i32) -> Option<Self> {
        if digits == 0 {
            return Some(Self { digits, scale: 0 });
        }
        (-PLACES_MAX..=PLACES_MAX)
            .contains(&scale)
            .then_some(Self { digits, scale })
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

    /// Above zero in whole minor units of `currency`, halves rounded to even?
    #[must_use]
    pub fn is_positive_in(self, currency: &Currency) -> bool {
        let rounded = self.to_minor(currency);
        self.is_positive() && rounded != Some(Money::ZERO)
    }

    /// In minor units of `currency`, halves rounded to even; `None` where it does not fit.
    #[must_use]
    pub fn to_minor(self, currency: &Currency) -> Option<Money> {
        self.times_to_minor([Self::ONE; 2], currency)
    }

    /// The product with two factors in minor units of `currency`; `None` where it does not fit. The product is exact and
    /// rounded once, halves to even.
    #[must_use]
    pub fn times_to_minor(self, factors: [Self; 2], currency: &Currency) -> Option<Money> {
        let [second, third] = factors;
        let sign = self.digits.signum() * second.digits.signum() * third.digits.signum();
        // 36 digits fit, and a scale is at most 400.
        let product =
            u128::from(self.digits.unsigned_abs()) * u128::from(second.digits.unsigned_abs());
        let third_digits = u128::from(third.digits.unsigned_abs());
        let product = Product {
            digits: product,
            places: self.scale + second.scale + third.scale - i32::from(currency.minor_digits()),
            has_more: false,
        };
        let units = product.times(third_digits).rounded()?;
        let units = i64::try_from(units).ok()?;
        Some(Money(sign * units))
    }
}

/// `digits` x 10^-`places`, and less than one unit of the last digit more if `has_more`.
#[derive(Clone, Copy, Debug)]
struct Product {
    digits: u128,
    places: i32,
    has_more: bool,
}

impl Product {
    /// With a factor of at most 18 digits. Where it does not fit, the last 18 digits are dropped, of which rounding needs
    /// to know only whether they are zero.
    fn times(self, factor: u128) -> Self {
        if let Some(digits) = self.digits.checked_mul(factor) {
            return Self { digits, ..self };
        }
        let (high, low) = (self.digits / DIGITS_BASE, self.digits % DIGITS_BASE);
        let low = low * factor;
        Self {
            digits: high * factor + low / DIGITS_BASE,
            places: self.places - DIGITS_MAX.cast_signed(),
            has_more: !low.is_multiple_of(DIGITS_BASE),
        }
    }

    /// Whole units, halves to even; `None` where they do not fit.
    fn rounded(self) -> Option<u128> {
        if self.digits == 0 {
            return Some(0);
        }
        let Ok(places @ 1..) = u32::try_from(self.places) else {
            // With digits dropped there are more than 20 left, which is more than any amount has.
            let factor = 10_u128.checked_pow(self.places.unsigned_abs())?;
            return self.digits.checked_mul(factor).filter(|_| !self.has_more);
        };
        let Some(divisor) = 10_u128.checked_pow(places) else {
            // The digits are below 3.5e38, and half of this divisor is above.
            return Some(0);
        };
        let (quotient, twice) = (self.digits / divisor, 2 * (self.digits % divisor));
        let is_up = twice > divisor || twice == divisor && (self.has_more || quotient % 2 != 0);
        Some(quotient + u128::from(is_up))
    }
}

/// `digits` x 10^-`places` in whole units, halves to even; `None` where they do not fit.
pub(super) fn rounded_units(digits: u128, places: i32) -> Option<u128> {
    let product = Product {
        digits,
        places,
        has_more: false,
    };
    product.rounded()
}

/// The digits of a text of digits, with or without a point between them, and how many of them stand behind it.
fn digits_and_scale(text: &str) -> Option<(i64, i32)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() {
        return None;
    }
    if whole.len() + fraction.len() > DIGITS_MAX as usize {
        return long_digits_and_scale(whole, fraction);
    }
    // So many digits fit 64 bits.
    let mut digits: i64 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        digits = digits * 10 + i64::from(byte - b'0');
    }
    Some((digits, i32::try_from(fraction.len()).ok()?))
}

/// The same for more digits, of which some may be zeros before the first or after the last significant one.
fn long_digits_and_scale(whole: &str, fraction: &str) -> Option<(i64, i32)> {
    let (mut digits, mut count, mut zeros): (i64, u32, u32) = (0, 0, 0);
    for byte in whole.bytes().chain(fraction.bytes()) {
        match byte {
            b'0' if digits == 0 => {}
            b'0' => zeros = zeros.checked_add(1)?,
            b'1'..=b'9' => {
                count = count.checked_add(zeros)?.checked_add(1)?;
                if count > DIGITS_MAX {
                    return None;
                }
                digits = digits * 10_i64.pow(zeros + 1) + i64::from(byte - b'0');
                zeros = 0;
            }
            _ => return None,
        }
    }
    let scale = i32::try_from(fraction.len()).ok()?;
    Some((digits, scale.checked_sub(i32::try_from(zeros).ok()?)?))
}
