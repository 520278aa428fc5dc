//! What each segment spent, and its share of the whole.

use ndarray::Array2;

use crate::learn::analysis::FeatureSummary;
use crate::learn::analysis::RevenueFacts;
use crate::learn::analysis::SegmentRevenue;
use crate::learn::meaning::Meaning;

/// The sums of the rows as they were read, in the order of the segments. `None` without a feature for spend.
///
/// There are no shares where a segment's sum is negative: the others would have more than the whole.
pub(super) fn revenue(
    features: &[FeatureSummary],
    rows: &Array2<f64>,
    labels: &[usize],
    segments: usize,
) -> Option<(RevenueFacts, Vec<SegmentRevenue>)> {
    let place = features
        .iter()
        .position(|feature| Meaning::of(feature) == Meaning::Spend)?;
    let mut sums = vec![0.0; segments];
    for (row, label) in rows.outer_iter().zip(labels) {
        if let (Some(sum), Some(value)) = (sums.get_mut(*label), row.get(place)) {
            *sum += value;
        }
    }
    let total: f64 = sums.iter().sum();
    let has_shares = total > 0.0 && sums.iter().all(|sum| *sum >= 0.0);
    let each = sums.iter().map(|sum| SegmentRevenue {
        sum: *sum,
        share: has_shares.then(|| sum / total),
    });
    let facts = RevenueFacts {
        sum: total,
        window_days: features.get(place)?.window_days,
    };
    Some((facts, each.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::analysis::FiveNumbers;
    use crate::learn::analysis::Histogram;

    fn spend() -> FeatureSummary {
        FeatureSummary {
            name: "total_spending".to_owned(),
            window_days: Some(30),
            mean: 0.0,
            standard_deviation: 1.0,
            numbers: FiveNumbers::default(),
            histogram: Histogram::default(),
        }
    }

    #[test]
    fn shares_are_of_all_rows_and_absent_where_a_segment_gave_back_more_than_it_spent() {
        let rows = Array2::from_shape_vec((3, 1), vec![10.0, 20.0, 30.0]).unwrap();
        let (all, each) = revenue(&[spend()], &rows, &[0, 1, 1], 2).unwrap();
        let expected = RevenueFacts {
            sum: 60.0,
            window_days: Some(30),
        };
        assert_eq!(all, expected);
        let of = |sum: f64| SegmentRevenue {
            sum,
            share: Some(sum / 60.0),
        };
        assert_eq!(each, [of(10.0), of(50.0)]);
        let rows = Array2::from_shape_vec((3, 1), vec![-1.0, 20.0, 30.0]).unwrap();
        let (all, each) = revenue(&[spend()], &rows, &[0, 1, 1], 2).unwrap();
        assert!((all.sum - 49.0).abs() < 1e-9);
        assert!(each.iter().all(|one| one.share.is_none()));
        let other = FeatureSummary {
            name: "Fresh".to_owned(),
            ..spend()
        };
        assert_eq!(revenue(&[other], &rows, &[0, 1, 1], 2), None);
    }
}
