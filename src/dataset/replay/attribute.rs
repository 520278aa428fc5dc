//! Attributes of customers as files write them.

use serde_json::Value;

use crate::dataset::options::DecimalSign;
use crate::dataset::written_amount;
use crate::domain::profile::NUMBER_MAX;

/// Digits of an exponent, as programs write it.
const EXPONENT_DIGITS_MIN: usize = 2;

/// A number where a text is what a program writes for one, with a point; else the text. `01067`, `+49170` and `1e5` are names such as
/// those of places, telephones and goods. Where the call states the decimal sign, points and commas are what they are in a table of
/// features then.
pub(super) fn attribute(text: &str, decimal: Option<DecimalSign>) -> Value {
    let plain = match decimal.filter(|_| has_sign(text)) {
        Some(decimal) => written_amount::read(text, decimal).map(|written| written.plain),
        None => Some(text.to_owned()),
    };
    // A longer number is a name, such as that of an account.
    let number = plain
        .filter(|plain| is_of_a_program(plain))
        .and_then(|plain| plain.parse::<f64>().ok())
        .filter(|number| number.abs() <= NUMBER_MAX)
        .and_then(serde_json::Number::from_f64);
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// Whether an attribute is a text that looks like a number with a fraction.
pub(super) fn may_be_a_number(text: &str, value: &Value) -> bool {
    let is_one = text.matches(['.', ',']).count() == 1;
    let ends_with_digit = text.ends_with(|last: char| last.is_ascii_digit());
    is_one && ends_with_digit && has_sign(text) && value.is_string()
}

/// Whether a text has nothing but digits, and points or commas.
fn has_sign(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let is_of_number = |byte: u8| byte.is_ascii_digit() || b".,".contains(&byte);
    unsigned.contains(['.', ',']) && unsigned.bytes().all(is_of_number)
}

/// A number below 0.0001 has an exponent.
fn is_of_a_program(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once("e-") else {
        return is_plain(text);
    };
    let is_exponent = exponent.bytes().all(|byte| byte.is_ascii_digit());
    is_plain(number) && is_exponent && exponent.len() >= EXPONENT_DIGITS_MIN
}

fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole) && is_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_write_for_numbers_is_a_number_and_names_are_texts() {
        // By hand.
        for (text, number) in [
            ("1e-05", Some(0.000_01)),
            ("-2.5e-07", Some(-0.000_000_25)),
            ("1e-5", None),
            ("1e-", None),
            ("01e-05", None),
            ("2", Some(2.0)),
            ("0", Some(0.0)),
            ("-0.5", Some(-0.5)),
            ("12.50", Some(12.5)),
            ("9007199254740991", Some(9_007_199_254_740_991.0)),
            ("9007199254740993", None),
            ("01067", None),
            ("+491701234567", None),
            ("1e5", None),
            ("12,5", None),
            (".5", None),
            ("5.", None),
            ("-", None),
            ("inf", None),
            ("NA", None),
        ] {
            let expected = number.map_or_else(|| Value::from(text), Value::from);
            assert_eq!(attribute(text, None), expected, "{text}");
        }
    }

    #[test]
    fn a_stated_decimal_sign_is_that_of_attributes_too() {
        // By hand.
        for (text, with_comma, with_point) in [
            ("12,5", Some(12.5), None),
            ("1.234,50", Some(1234.5), None),
            ("1.234", Some(1234.0), Some(1.234)),
            ("1,234", Some(1.234), Some(1234.0)),
            ("-0,125", Some(-0.125), None),
            ("0.5", None, Some(0.5)),
            ("2", Some(2.0), Some(2.0)),
            ("1e-05", Some(0.000_01), Some(0.000_01)),
            ("01067", None, None),
            ("01,5", None, None),
            ("13.02.2013", None, None),
            ("1,2,3", None, None),
        ] {
            for (decimal, number) in [
                (DecimalSign::Comma, with_comma),
                (DecimalSign::Point, with_point),
            ] {
                let expected = number.map_or_else(|| Value::from(text), Value::from);
                assert_eq!(attribute(text, Some(decimal)), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_text_that_looks_like_a_number_is_told_from_others() {
        // By hand.
        for (text, decimal, expected) in [
            ("12,5", None, true),
            ("12.5", None, false),
            ("12.5", Some(DecimalSign::Comma), true),
            ("12,5", Some(DecimalSign::Comma), false),
            ("1,2,3", None, false),
            ("13.02.2013", None, false),
            ("a,b", None, false),
            ("01067", None, false),
        ] {
            let value = attribute(text, decimal);
            assert_eq!(may_be_a_number(text, &value), expected, "{text}");
        }
    }
}
