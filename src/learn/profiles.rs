//! Describes a segment in plain words: how it differs from the others, its share and its averages.

use crate::learn::examples::Described;
use crate::learn::examples::example;
use crate::learn::wording::thousands;
use crate::learn::wording::words;

/// Standard deviations from the mean beyond which the description names a feature.
const APART: f64 = 0.4;
const FAR_APART: f64 = 1.0;
/// Features that a composed sentence names.
const PHRASES_MAX: usize = 4;

/// A sentence on the character of the customers, then one on their number and averages.
#[must_use]
pub fn describe(features: &[Described<'_>], share: f64) -> String {
    let character = match example(features) {
        Some(text) => text.to_owned(),
        None => compose(features),
    };
    let averages: Vec<String> = features.iter().filter_map(average).collect();
    let share = share * 100.0;
    let share = if share < 1.0 {
        "fewer than 1 in 100 customers".to_owned()
    } else {
        format!("{share:.0} in 100 customers")
    };
    if averages.is_empty() {
        format!("{character}: {share}.")
    } else {
        format!("{character}: {share}; on average {}.", averages.join(", "))
    }
}

/// What differs most from the average customer, strongest first.
fn compose(features: &[Described<'_>]) -> String {
    let mut apart: Vec<&Described<'_>> = features
        .iter()
        .filter(|feature| feature.z.abs() >= APART)
        .collect();
    apart.sort_by(|left, right| right.z.abs().total_cmp(&left.z.abs()));
    let phrases: Vec<String> = apart
        .iter()
        .take(PHRASES_MAX)
        .map(|one| phrase(one))
        .collect();
    match phrases.split_last() {
        None => "Customers near the average in everything".to_owned(),
        Some((only, [])) => format!("Customers with {only}"),
        Some((last, before)) => format!("Customers with {} and {last}", before.join(", ")),
    }
}

fn phrase(feature: &Described<'_>) -> String {
    let is_far = feature.z.abs() >= FAR_APART;
    let is_high = feature.z > 0.0;
    let degree = if is_far { "very " } else { "" };
    match (feature.name, is_high) {
        ("age", true) => format!("a {degree}high age"),
        ("age", false) => format!("a {degree}young age"),
        ("income", true) => format!("a {degree}high income"),
        ("income", false) => format!("a {degree}low income"),
        ("recency_days", true) => format!("a {degree}long time since the last order"),
        ("recency_days", false) => format!("a {degree}recent last order"),
        (name, true) => format!("{degree}high {}", words(name)),
        (name, false) => format!("{degree}low {}", words(name)),
    }
}

fn average(feature: &Described<'_>) -> Option<String> {
    let mean = feature.mean;
    Some(match feature.name {
        "age" => format!("{mean:.0} years old"),
        "income" => format!("an income of {}", thousands(mean)),
        "total_spending" => format!("spending {}", thousands(mean)),
        "web_purchases" => format!("{mean:.1} web orders"),
        "store_purchases" => format!("{mean:.1} store orders"),
        "recency_days" => format!("last order {mean:.0} days ago"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::examples::EXAMPLE_FEATURES;

    fn customer(z: [f64; 6]) -> Vec<Described<'static>> {
        let named = EXAMPLE_FEATURES.iter().zip(z);
        named
            .map(|(name, z)| Described {
                name,
                mean: 1234.5,
                z,
            })
            .collect()
    }

    #[test]
    fn a_segment_near_an_example_is_told_in_its_words_and_another_in_its_own() {
        let young = describe(&customer([-0.82, 1.14, 1.29, 0.3, 1.01, 0.03]), 0.151);
        assert!(
            young.starts_with("Young customers with the highest income"),
            "{young}"
        );
        assert!(young.contains("15 in 100 customers"), "{young}");
        let other = describe(&customer([-0.62, -0.8, -0.78, -0.57, -0.72, 0.99]), 0.001);
        assert!(
            other.starts_with("Customers with a long time since the last order, a low income"),
            "{other}"
        );
        assert!(other.contains("fewer than 1 in 100"), "{other}");
        let average = describe(&customer([0.0; 6])[..1], 0.5);
        assert!(
            average.starts_with("Customers near the average"),
            "{average}"
        );
    }
}
