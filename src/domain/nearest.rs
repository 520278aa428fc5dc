//! The known name that is nearest to one that was typed.

/// Letters and digits alone, in small letters: what a reader takes for the same name.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(|character| character.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// How many letters may differ in names of this length.
fn difference_max(length: usize) -> usize {
    (length / 4).max(1)
}

/// The known name that was probably meant; `None` where no name is near.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = plain(typed);
    if typed.is_empty() {
        return None;
    }
    let measured = known.into_iter().filter_map(|name| {
        let other = plain(name);
        let length = typed.chars().count().min(other.chars().count());
        let difference = strsim::osa_distance(&typed, &other);
        (length > 0 && difference <= difference_max(length)).then_some((difference, name))
    });
    let best = measured.min_by_key(|(difference, _)| *difference);
    best.map(|(_, name)| name)
}

/// Two spellings of one name, which differ in capitals and signs only.
#[must_use]
pub fn is_same_name(typed: &str, known: &str) -> bool {
    plain(typed) == plain(known)
}

/// Such as `; did you mean "income"?`, to be put after a message; empty where no name is near.
#[must_use]
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slip_is_near_and_another_word_is_not() {
        let known = ["fjall", "sled", "kafka.brokers", "income", "total_spending"];
        for (typed, meant) in [
            ("fjal", Some("fjall")),
            ("FJALL", Some("fjall")),
            ("slde", Some("sled")),
            ("kafka_brokers", Some("kafka.brokers")),
            ("kafka__broker", Some("kafka.brokers")),
            ("Income", Some("income")),
            ("total_spendings", Some("total_spending")),
            ("totalspending", Some("total_spending")),
            ("rocksdb", None),
            ("outcome", None),
            ("", None),
            ("__", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
        assert_eq!(did_you_mean("fjal", known), "; did you mean \"fjall\"?");
        assert_eq!(did_you_mean("redis", known), "");
    }

    #[test]
    fn the_nearest_of_several_is_chosen() {
        assert_eq!(nearest("orders", ["order", "orders"]), Some("orders"));
        assert_eq!(nearest("visit", ["visits", "visit_"]), Some("visit_"));
    }
}
