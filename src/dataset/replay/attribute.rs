//! Attributes of customers as files write them.

use serde_json::Value;

use crate::domain::profile::NUMBER_MAX;

/// A number where a text is what a program writes for one, with a point; else the text. `01067`, `+49170` and `1e5` are names such as
/// those of places, telephones and goods.
pub(super) fn attribute(text: &str) -> Value {
    // A longer number is a name, such as that of an account.
    let number = text.parse::<f64>().ok().filter(|_| is_plain(text));
    let number = number
        .filter(|number| number.abs() <= NUMBER_MAX)
        .and_then(serde_json::Number::from_f64);
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
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
            assert_eq!(attribute(text), expected, "{text}");
        }
    }
}
