//! Descriptions of segments that are near an example profile.

/// Distance in standard deviations within which an example profile describes a segment.
const FITS_WITHIN: f64 = 0.75;
/// Features of the example profiles, in the order of their coordinates.
pub(super) const EXAMPLE_FEATURES: [&str; 6] = [
    "age",
    "income",
    "total_spending",
    "web_purchases",
    "store_purchases",
    "recency_days",
];
/// Example profiles of a retailer's customers, with the standard deviations that their words stand for.
/// models/README.md, Example profiles.
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

/// The text of the nearest example, if the segment has all of its features and lies near enough.
pub(super) fn example(features: &[Described<'_>]) -> Option<&'static str> {
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
