//! Names and numbers as texts for people.

/// A feature's name in words.
#[must_use]
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A whole number with a comma between thousands.
#[must_use]
pub fn thousands(value: f64) -> String {
    let plain = format!("{:.0}", value.abs());
    let mut text = String::with_capacity(plain.len() + plain.len() / 3 + 1);
    if value <= -0.5 {
        text.push('-');
    }
    for (place, digit) in plain.chars().enumerate() {
        if place > 0 && (plain.len() - place) % 3 == 0 {
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
            (12.0, "12"),
        ] {
            assert_eq!(thousands(value), text);
        }
    }
}
