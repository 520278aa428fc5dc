//! Sums and products of decimals, exact.

use crate::domain::money::amount::Money;
use crate::domain::money::currency::Currency;
use crate::domain::money::decimal::Decimal;
use crate::domain::money::decimal::rounded_units;

/// An exact decimal of up to 38 digits: what sums and products of [`Decimal`]s are. Equal numbers are equal, whatever zeros
/// they were written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Exact {
    /// Without zeros at the end, unless it is zero.
    digits: i128,
    /// The number is `digits` x 10^-`scale`.
    scale: i32,
}

impl From<Decimal> for Exact {
    fn from(decimal: Decimal) -> Self {
        let (digits, scale) = decimal.parts();
        Self::reduced(i128::from(digits), scale)
    }
}

impl Exact {
    /// Nothing.
    pub const ZERO: Self = Self {
        digits: 0,
        scale: 0,
    };

    /// The product of two decimals.
    #[must_use]
    pub fn product(one: Decimal, other: Decimal) -> Self {
        let ((one, one_scale), (other, other_scale)) = (one.parts(), other.parts());
        // Twice 18 digits fit.
        let digits = i128::from(one) * i128::from(other);
        Self::reduced(digits, one_scale + other_scale)
    }

    /// The sum; `None` if it has more digits than fit.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        if self == Self::ZERO || other == Self::ZERO {
            return Some(if self == Self::ZERO { other } else { self });
        }
        let scale = self.scale.max(other.scale);
        let digits = self
            .digits_at(scale)?
            .checked_add(other.digits_at(scale)?)?;
        Some(Self::reduced(digits, scale))
    }

    /// In minor units of `currency`, halves rounded to even; `None` where it does not fit.
    #[must_use]
    pub fn to_minor(self, currency: &Currency) -> Option<Money> {
        let places = self.scale - i32::from(currency.minor_digits());
        let units = i64::try_from(rounded_units(self.digits.unsigned_abs(), places)?).ok()?;
        Some(Money(if self.digits < 0 { -units } else { units }))
    }

    /// Below zero?
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.digits < 0
    }

    /// Without its sign.
    #[must_use]
    pub fn magnitude(self) -> Self {
        Self {
            digits: self.digits.saturating_abs(),
            ..self
        }
    }

    fn digits_at(self, scale: i32) -> Option<i128> {
        let places = u32::try_from(scale - self.scale).ok()?;
        self.digits.checked_mul(10_i128.checked_pow(places)?)
    }

    fn reduced(mut digits: i128, mut scale: i32) -> Self {
        if digits == 0 {
            return Self::ZERO;
        }
        while digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        Self { digits, scale }
    }
}

impl std::fmt::Display for Exact {
    /// Digits, perhaps with a sign and a point: `-1234.5`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs();
        let Ok(places @ 1..) = usize::try_from(self.scale) else {
            let zeros = usize::try_from(self.scale.unsigned_abs()).unwrap_or_default();
            return write!(formatter, "{sign}{digits}{:0<zeros$}", "");
        };
        let text = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = text.split_at(text.len().saturating_sub(places));
        write!(formatter, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Decimal::parse(text).expect("a decimal").into()
    }

    #[test]
    fn products_and_sums_are_exact_and_rounded_once() {
        let dollars = Currency::parse("USD").expect("a currency");
        // By hand: quantity and price of each line, the sum as text, and its cents; halves go to the even neighbour.
        for (lines, text, cents) in [
            (
                vec![("1", "261.96"), ("1", "731.94")],
                "993.9",
                Some(99_390),
            ),
            // Three halves of a cent are 1.5 cents; each rounded alone would be 0.
            (vec![("1", "0.005"); 3], "0.015", Some(2)),
            (vec![("0.5", "0.01"), ("1.5", "0.01")], "0.02", Some(2)),
            (vec![("3", "0.1"), ("-1", "0.3")], "0", Some(0)),
            (vec![("-12", "4.25")], "-51", Some(-5_100)),
            (vec![("-1", "0.005")], "-0.005", Some(0)),
            (vec![("1", "0.1"), ("1", "0.2")], "0.3", Some(30)),
            (vec![("1e3", "12"), ("1", "0")], "12000", Some(1_200_000)),
            (
                vec![("1", "99999999999999999"), ("1", "0.00000001")],
                "99999999999999999.00000001",
                None,
            ),
        ] {
            let products = lines.iter().map(|(quantity, price)| {
                let parse = |text| Decimal::parse(text).expect("a decimal");
                Exact::product(parse(quantity), parse(price))
            });
            let mut sum = Exact::ZERO;
            for product in products {
                sum = sum.plus(product).expect("it fits");
            }
            assert_eq!(sum.to_string(), text, "{lines:?}");
            let expected = cents.map(Money);
            if expected.is_some() {
                assert_eq!(sum.to_minor(&dollars), expected, "{lines:?}");
            }
        }
    }

    #[test]
    fn a_sum_of_more_digits_than_fit_is_none() {
        assert_eq!(exact("1e300").plus(exact("1e-300")), None);
        assert_eq!(exact("1e300").plus(Exact::ZERO), Some(exact("1e300")));
    }
}
