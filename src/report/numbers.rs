//! Numbers for people: thousands are separated, and the magnitude decides the number of decimals.

use crate::learn::analysis::FiveNumbers;

const ABSENT: &str = "–";
/// From this value on, numbers are written with an exponent.
const LARGE: f64 = 1e15;
const SMALL: f64 = 1e-4;

/// Decimals that suit values up to this one.
pub(super) fn decimals(greatest: f64) -> usize {
    match greatest.abs() {
        greatest if greatest >= 1_000.0 => 0,
        greatest if greatest >= 10.0 => 1,
        greatest if greatest >= 1.0 => 2,
        greatest if greatest >= 0.1 => 3,
        _ => 4,
    }
}

/// Decimals for all values of a feature, so that those below each other can be compared.
pub(super) fn decimals_of(numbers: &FiveNumbers) -> usize {
    decimals(numbers.maximum.abs().max(numbers.minimum.abs()))
}

/// The number with these decimals.
pub(super) fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    let size = value.abs();
    let digits = if size >= LARGE || (size > 0.0 && size < SMALL) {
        format!("{size:.1e}")
    } else {
        with_separators(&format!("{size:.decimals$}"))
    };
    let is_negative = value < 0.0 && digits.contains(|digit| matches!(digit, '1'..='9'));
    if is_negative {
        format!("\u{2212}{digits}")
    } else {
        digits
    }
}

/// The same without decimals that are 0: "44", not "44.0".
pub(super) fn short(value: f64, decimals: usize) -> String {
    let digits = number(value, decimals);
    match digits.split_once('.') {
        Some((whole, rest)) if rest.chars().all(|digit| digit == '0') => whole.to_owned(),
        _ => digits,
    }
}

/// The number with its sign, as for differences.
pub(super) fn signed(value: f64, decimals: usize) -> String {
    let digits = number(value, decimals);
    if value > 0.0 {
        format!("+{digits}")
    } else {
        digits
    }
}

/// The number with decimals by its own magnitude, or a dash.
pub(super) fn maybe(value: Option<f64>) -> String {
    value.map_or_else(
        || ABSENT.to_owned(),
        |value| number(value, decimals(value).min(3)),
    )
}

/// A count.
pub(super) fn whole(count: u64) -> String {
    with_separators(&count.to_string())
}

fn with_separators(digits: &str) -> String {
    let (whole, rest) = match digits.split_once('.') {
        Some((whole, rest)) => (whole, format!(".{rest}")),
        None => (digits, String::new()),
    };
    let mut reversed = String::new();
    for (place, digit) in whole.chars().rev().enumerate() {
        if place > 0 && place % 3 == 0 {
            reversed.push(',');
        }
        reversed.push(digit);
    }
    let separated: String = reversed.chars().rev().collect();
    separated + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_the_decimals_of_their_magnitude() {
        assert_eq!(number(1_234_567.4, decimals(1_234_567.4)), "1,234,567");
        assert_eq!(number(45.08, decimals(45.08)), "45.1");
        assert_eq!(number(0.2143, decimals(0.2143)), "0.214");
        assert_eq!(number(-0.04, 1), "0.0");
        assert_eq!(number(-1.5, 1), "\u{2212}1.5");
        assert_eq!(number(f64::NAN, 1), ABSENT);
        assert_eq!(short(44.0, 1), "44");
        assert_eq!(short(44.5, 1), "44.5");
        assert_eq!(signed(1.26, 1), "+1.3");
        assert_eq!(whole(2_212), "2,212");
    }
}
