//! Numbers with their words.

/// A number with the word for one, or for any other number.
#[must_use]
pub fn counted(number: u64, one: &str, others: &str) -> String {
    let word = if number == 1 { one } else { others };
    format!("{number} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_one() {
        for (number, expected) in [(0, "0 events"), (1, "1 event"), (2, "2 events")] {
            assert_eq!(counted(number, "event", "events"), expected);
        }
    }
}
