//! Names and numbers as texts for people.

/// Letters of a column's name that a name or a sentence shows.
const LABEL_MAX: usize = 40;
/// From this size on, a number is written with an exponent.
const LARGE: f64 = 1e15;
const DECIMALS_MAX: f64 = 6.0;
/// Standard deviations up to which a number may be a rounding error.
const ROUNDING: f64 = 1e-9;

/// A column's own name, on one line and not longer than a sentence bears.
#[must_use]
pub fn label(name: &str) -> String {
    let readable = name.chars().map(|letter| match letter {
        letter if letter.is_control() => ' ',
        letter => letter,
    });
    let readable: String = readable.collect();
    let words: Vec<&str> = readable.split_whitespace().collect();
    let whole = words.join(" ");
    if whole.is_empty() {
        return "(no name)".to_owned();
    }
    if whole.chars().count() <= LABEL_MAX {
        return whole;
    }
    let start: String = whole.chars().take(LABEL_MAX - 1).collect();
    format!("{}…", start.trim_end())
}

/// A whole number with a comma between thousands.
#[must_use]
pub fn thousands(value: f64) -> String {
    grouped(value, 0)
}

/// A count with a comma between thousands.
#[must_use]
pub fn whole(rows: u64) -> String {
    in_thousands(&rows.to_string())
}

/// A number with as many decimals as show a tenth of a standard deviation; one that would be written as 0 and is not
/// has two digits.
#[must_use]
pub fn number(value: f64, standard_deviation: f64) -> String {
    if value.abs() >= LARGE {
        return format!("{value:.2e}");
    }
    let decimals = |size: f64| (-size.abs().log10()).ceil() + 1.0;
    let mut needed = decimals(standard_deviation);
    let is_hidden = value.abs() < 0.5 * 10_f64.powf(-needed.max(0.0));
    let is_rounding = value.abs() <= ROUNDING * standard_deviation.abs();
    if is_hidden && !is_rounding {
        needed = decimals(value);
    }
    if needed > DECIMALS_MAX && value != 0.0 && value.abs() < 1.0 {
        return format!("{value:.2e}");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 6; what is not a number becomes 0"
    )]
    let decimals = needed.clamp(0.0, DECIMALS_MAX) as usize;
    grouped(value, decimals)
}

/// A share of customers as a percentage: neither "0.0%" of somebody nor "100.0%" of fewer than all.
#[must_use]
pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.001 {
        return "under 0.1%".to_owned();
    }
    if share < 1.0 && share > 0.999 {
        return "over 99.9%".to_owned();
    }
    format!("{:.1}%", share * 100.0)
}

/// "a", "a and b", "a, b and c".
#[must_use]
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The text with a capital letter at its start.
#[must_use]
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn grouped(value: f64, decimals: usize) -> String {
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, rest) = match plain.split_once('.') {
        Some((whole, rest)) => (whole, format!(".{rest}")),
        None => (plain.as_str(), String::new()),
    };
    let mut text = String::with_capacity(plain.len() + plain.len() / 3 + 1);
    let is_zero = !plain.contains(|digit| matches!(digit, '1'..='9'));
    if value < 0.0 && !is_zero {
        text.push('-');
    }
    text.push_str(&in_thousands(whole));
    text + &rest
}

fn in_thousands(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (value, text) in [
            (0.4, "0"),
            (999.6, "1,000"),
            (-1234567.0, "-1,234,567"),
            (-0.4, "0"),
            (12.0, "12"),
        ] {
            assert_eq!(thousands(value), text);
        }
    }

    #[test]
    fn a_number_has_the_decimals_that_its_spread_asks_for() {
        for (value, spread, text) in [
            (152.4, 602.0, "152"),
            (2.46, 2.74, "2.5"),
            (0.0123, 0.05, "0.012"),
            (-0.001, 5.0, "-0.0010"),
            (0.3, 16.0, "0.30"),
            (0.04, 5.0, "0.040"),
            (-6.6e-12, 2000.0, "0"),
            (-8.9e-15, 4.0, "0.0"),
            (1e-8, 5.0, "1.00e-8"),
            (-1234.56, 5.0, "-1,234.6"),
            (1.7e12, 1e-9, "1,700,000,000,000.000000"),
            (-2.5e18, 1e18, "-2.50e18"),
            (6.049e-6, 2e-7, "6.05e-6"),
            (0.0, 2e-7, "0.000000"),
        ] {
            assert_eq!(number(value, spread), text, "{value} {spread}");
        }
    }

    #[test]
    fn nobody_is_no_customer_and_not_all_are_all() {
        for (share, text) in [
            (1.0 / 8000.0, "under 0.1%"),
            (7999.0 / 8000.0, "over 99.9%"),
            (0.0, "0.0%"),
            (1.0, "100.0%"),
            (0.136, "13.6%"),
        ] {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn a_label_is_one_short_line() {
        assert_eq!(label("Annual Income (k$)"), "Annual Income (k$)");
        assert_eq!(label("two\nlines\t"), "two lines");
        assert_eq!(label(" \r\n"), "(no name)");
        assert_eq!(label(&"é".repeat(99)).chars().count(), 40);
    }
}
