//! What training found and decided, for the report and the command's answer. Plain data, in original units
//! where nothing else is stated.

use std::collections::BTreeMap;

use serde::Serialize;

/// The result of a training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// What was done to the rows.
    pub preparation: PreparationReport,
    /// One entry a feature, in the order of the model.
    pub features: Vec<FeatureSummary>,
    /// Pearson correlations of the features, d x d, -1 to 1.
    pub correlations: Vec<Vec<f64>>,
    /// The curves and what was chosen.
    pub choice: Choice,
    /// One entry a segment, in the order of the model.
    pub segments: Vec<SegmentAnalysis>,
    /// The rows in two dimensions.
    pub projection: Projection,
    /// Currency of the amounts, where it is known.
    pub currency: Option<String>,
    /// What all customers spent; absent without a feature for it.
    pub revenue: Option<RevenueFacts>,
}

/// What was done to how many rows, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PreparationReport {
    /// Rows read.
    pub rows_read: u64,
    /// Rows learned from.
    pub rows_used: u64,
    /// Rows left out, by reason.
    pub dropped: BTreeMap<String, Noted>,
    /// Rows that were kept with a note, by kind of note.
    pub noted: BTreeMap<String, Noted>,
}

/// A number of rows, and the rule in words with the limit that was applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Noted {
    /// How many.
    pub rows: u64,
    /// For example "income above 118,350.5 (third quartile + 3 x interquartile range)".
    pub rule: String,
}

/// Minimum, quartiles and maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FiveNumbers {
    /// Smallest value.
    pub minimum: f64,
    /// A quarter of the values lies below.
    pub first_quartile: f64,
    /// Half of the values lies below.
    pub median: f64,
    /// Three quarters of the values lie below.
    pub third_quartile: f64,
    /// Greatest value.
    pub maximum: f64,
}

/// One feature over all rows used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureSummary {
    /// Its name, such as `total_spending`.
    pub name: String,
    /// Trailing days counted; absent: all days, or not known.
    pub window_days: Option<u32>,
    /// Mean.
    pub mean: f64,
    /// Population standard deviation.
    pub standard_deviation: f64,
    /// Minimum, quartiles and maximum.
    pub numbers: FiveNumbers,
    /// Bins of equal width from minimum to maximum.
    pub histogram: Histogram,
}

/// Counts in bins of equal width.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// One more than there are bins, ascending.
    pub edges: Vec<f64>,
    /// Rows in each bin; the last one includes its upper edge.
    pub counts: Vec<u64>,
}

/// How the number of segments was chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// The numbers of segments that were compared, ascending.
    pub candidates: Vec<Candidate>,
    /// The number of segments of the model.
    pub k: usize,
    /// What decided: `silhouette`, `business` where the number was given, or `default` where none was.
    pub decided_by: String,
    /// What each index would choose over the compared range: `elbow` (kneedle), `silhouette`,
    /// `calinski_harabasz`, `davies_bouldin`, `stability`. An index without a result is absent.
    pub recommendations: BTreeMap<String, usize>,
    /// The same in one or two sentences.
    pub explanation: String,
}

/// One number of segments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Number of segments.
    pub k: usize,
    /// Sum of squared distances to the own centroid, scaled.
    pub inertia: f64,
    /// Mean silhouette, -1 to 1; absent for k = 1.
    pub silhouette: Option<f64>,
    /// Standard error of the silhouette where it is of a sample.
    pub silhouette_standard_error: Option<f64>,
    /// Calinski-Harabasz index, greater is better; absent for k = 1.
    pub calinski_harabasz: Option<f64>,
    /// Davies-Bouldin index, smaller is better; absent for k = 1.
    pub davies_bouldin: Option<f64>,
    /// Mean adjusted Rand index of bootstrap refits against the fit, at most 1; absent for k = 1.
    pub stability: Option<f64>,
}

/// What all customers spent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RevenueFacts {
    /// Sum of `total_spending` over the rows used.
    pub sum: f64,
    /// Trailing days counted; absent: all days, or not known.
    pub window_days: Option<u32>,
}

/// What the customers of one segment spent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SegmentRevenue {
    /// Sum of `total_spending` over its rows.
    pub sum: f64,
    /// Share of the sum of all, 0 to 1; absent where a segment's sum is negative.
    pub share: Option<f64>,
}

/// One segment over its rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentAnalysis {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// A few plain sentences.
    pub description: String,
    /// Rows in it.
    pub size: u64,
    /// Share of all rows, 0 to 1.
    pub share: f64,
    /// What they spent; absent without a feature for it.
    pub revenue: Option<SegmentRevenue>,
    /// What could be done, and the numbers that suggest it.
    pub suggested_action: String,
    /// One entry a feature, in the order of the model.
    pub features: Vec<SegmentFeature>,
}

/// One feature in one segment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SegmentFeature {
    /// The centroid.
    pub mean: f64,
    /// Standard deviations of all rows by which the centroid lies above (below if negative) the mean of all.
    pub z: f64,
    /// Minimum, quartiles and maximum of the segment's rows.
    pub numbers: FiveNumbers,
}

/// Principal components of the scaled rows, and some rows in the plane of the first two.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Projection {
    /// Shares of the variance that the two components explain, 0 to 1.
    pub explained: [f64; 2],
    /// Weight of each feature in the two components.
    pub loadings: Vec<[f64; 2]>,
    /// Coordinates and segment of the rows drawn, at most 2,000.
    pub points: Vec<ProjectedPoint>,
    /// Coordinates of the centroids, one a segment.
    pub centroids: Vec<[f64; 2]>,
}

/// A row in the plane.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ProjectedPoint {
    /// Coordinates on the two components.
    pub at: [f64; 2],
    /// Its segment's place in the model.
    pub segment: usize,
}
