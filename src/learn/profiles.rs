//! What a segment is like: quartiles in original units, what sets it apart, and a description in plain words.

use crate::learn::analysis::FiveNumbers;
use crate::learn::analysis::Histogram;
use crate::learn::scaler::count;
use crate::learn::scaler::quantile;

/// Standard deviations from the mean beyond which a feature sets a segment apart in words.
const APART: f64 = 0.4;
const FAR_APART: f64 = 1.0;
/// Features that a composed sentence names.
const PHRASES_MAX: usize = 4;
/// Bins of a histogram.
const BINS: usize = 30;
/// Distance in standard deviations within which an example profile describes a segment.
const FITS_WITHIN: f64 = 0.75;

/// Features of the example profiles, in the order of their coordinates.
const EXAMPLE_FEATURES: [&str; 6] = [
    "age",
    "income",
    "total_spending",
    "web_purchases",
    "store_purchases",
    "recency_days",
];

/// Example profiles of a retailer's customers, with the standard deviations that their words stand for.
/// CHURN_AND_TIME, section 4.3.
const EXAMPLES: [([f64; 6], &str); 6] = [
    (
        [1.0, -0.6, -0.8, -0.6, -0.7, 0.0],
        "Older customers with a low income who spend little and rarely buy",
    ),
    (
        [0.8, 0.8, 0.8, 0.7, 0.7, 0.0],
        "Older customers with a high income who spend much, buy often and stay loyal",
    ),
    (
        [1.0, 0.5, 0.4, 0.6, 0.6, -0.8],
        "Older customers with a good income and moderate spending who bought lately",
    ),
    (
        [-0.7, -0.9, -0.8, -0.8, -0.8, -0.8],
        "Younger customers with a low income who spend little and are not very active, but bought lately",
    ),
    (
        [0.8, 1.2, 1.3, 1.1, 1.1, -0.4],
        "Older customers with the highest income and spending, the most active of all",
    ),
    (
        [-0.8, 1.1, 1.2, 0.3, 1.0, 0.0],
        "Young customers with the highest income and spending, most active in stores",
    ),
];

/// Minimum, quartiles and maximum; all 0 without values.
#[must_use]
pub fn five_numbers(values: &[f64]) -> FiveNumbers {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| quantile(&sorted, share).unwrap_or(0.0);
    FiveNumbers {
        minimum: at(0.0),
        first_quartile: at(0.25),
        median: at(0.5),
        third_quartile: at(0.75),
        maximum: at(1.0),
    }
}

/// Counts in bins of equal width from the least to the greatest value. Of whole numbers each bin holds equally
/// many, so that no bin is empty by its borders alone.
#[must_use]
pub fn histogram(values: &[f64]) -> Histogram {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = greatest - least;
    if !(range > 0.0 && range.is_finite()) {
        return Histogram::default();
    }
    let is_whole = values.iter().all(|value| value.fract() == 0.0);
    let (least, width) = if is_whole {
        (least - 0.5, ((range + 1.0) / count(BINS)).ceil())
    } else {
        (least, range / count(BINS))
    };
    let bins = (1..BINS)
        .find(|bins| is_whole && width * count(*bins) > range)
        .unwrap_or(BINS);
    let mut counts = vec![0; bins];
    for value in values {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to the number of bins"
        )]
        let bin = (((value - least) / width).floor() as usize).min(bins - 1);
        if let Some(count) = counts.get_mut(bin) {
            *count += 1;
        }
    }
    Histogram {
        edges: (0..=bins).map(|edge| least + width * count(edge)).collect(),
        counts,
    }
}

/// One feature of a segment, for its description.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// Its name.
    pub name: &'a str,
    /// The centroid in the feature's unit.
    pub mean: f64,
    /// Standard deviations from the mean of all customers.
    pub z: f64,
}

/// A sentence of what the customers are like, then one of their number and averages.
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

/// The text of the nearest example, if the segment has all of its features and lies near enough.
fn example(features: &[Described<'_>]) -> Option<&'static str> {
    let own: Vec<f64> = EXAMPLE_FEATURES
        .iter()
        .map(|name| {
            features
                .iter()
                .find(|one| one.name == *name)
                .map(|one| one.z)
        })
        .collect::<Option<_>>()?;
    let distance = |example: &[f64; 6]| {
        let pairs = example.iter().zip(&own);
        pairs
            .map(|(there, here)| (there - here).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let (example, text) = EXAMPLES
        .iter()
        .min_by(|(left, _), (right, _)| distance(left).total_cmp(&distance(right)))?;
    (distance(example) <= FITS_WITHIN).then_some(*text)
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

/// A feature's name in words.
#[must_use]
pub fn words(name: &str) -> String {
    name.replace('_', " ")
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

    #[test]
    fn a_histogram_counts_every_value_once() {
        let values: Vec<f64> = (0..=300).map(f64::from).collect();
        let histogram = histogram(&values);
        assert_eq!(histogram.edges.len(), histogram.counts.len() + 1);
        assert_eq!(histogram.counts.iter().sum::<u64>(), 301);
        // 301 whole numbers, at most 30 bins: eleven each, the last holds the remaining four.
        assert_eq!(histogram.counts[0], 11);
        assert_eq!(histogram.counts[27], 4);
        assert_eq!(histogram.counts.len(), 28);
        let halves: Vec<f64> = (0..=60).map(|half| f64::from(half) / 2.0).collect();
        let histogram = super::histogram(&halves);
        // 0 to 30 by halves in 30 bins: two each, the last with its upper edge.
        assert_eq!((histogram.counts[0], histogram.counts[29]), (2, 3));
        assert_eq!(super::histogram(&[5.0, 5.0]), Histogram::default());
    }

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
