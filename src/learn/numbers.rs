//! Five numbers and a histogram of a column.

use crate::learn::analysis::FiveNumbers;
use crate::learn::analysis::Histogram;
use crate::learn::scaler::count;
use crate::learn::scaler::quantile;

/// Bins of a histogram.
const BINS: usize = 30;

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

/// Counts in bins of equal width from the least to the greatest value. For whole numbers each bin covers equally
/// many of them, so that no bin is empty only because of its borders.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
