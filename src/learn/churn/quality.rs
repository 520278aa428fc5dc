//! How well predicted probabilities agree with what happened.

use libm::log;
use serde::Serialize;

use crate::learn::scaler::count;

/// Customers with neighbouring predictions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// Mean of their predictions, 0 to 1.
    pub mean_predicted: f64,
    /// Share of them for whom it happened, 0 to 1.
    pub share_observed: f64,
    /// How many they are.
    pub customers: usize,
}

/// The probability that one for whom it happened has a greater score than one for whom it did not, equal
/// scores counting half: the area under the ROC curve, by the rank sum of Mann and Whitney (1947).
/// `None` unless it happened to some and not to others, each with a score that is a number.
#[must_use]
pub fn area_under_curve(scores: &[f64], outcomes: &[bool]) -> Option<f64> {
    let pairs = sorted(scores, outcomes)?;
    // Twice the pairs in the right order: whole numbers.
    let mut twice_right = 0_u64;
    let mut without = 0_u64;
    let mut with = 0_u64;
    for equal in pairs.chunk_by(|left, right| left.0 >= right.0) {
        let happened: u64 = equal.iter().map(|(_, outcome)| u64::from(*outcome)).sum();
        let not = equal
            .iter()
            .map(|(_, outcome)| u64::from(!*outcome))
            .sum::<u64>();
        twice_right += happened * (2 * without + not);
        without += not;
        with += happened;
    }
    let pairs = with * without;
    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond 2^53 the rounding is far below the error of a sample"
    )]
    (pairs > 0).then(|| twice_right as f64 / 2.0 / pairs as f64)
}

/// Mean squared difference between probability and outcome (1 if it happened, else 0): 0 is perfect. Brier
/// (1950). `None` without customers or where the lengths differ.
#[must_use]
pub fn brier(probabilities: &[f64], outcomes: &[bool]) -> Option<f64> {
    mean_of(probabilities, outcomes, |probability, happened| {
        let off = probability - f64::from(u8::from(happened));
        off * off
    })
}

/// Mean of -ln(probability that was given to what happened): 0 is perfect, ln 2 a coin; infinite if something
/// happened that was called impossible. `None` without customers or where the lengths differ.
#[must_use]
pub fn log_score(probabilities: &[f64], outcomes: &[bool]) -> Option<f64> {
    mean_of(probabilities, outcomes, |probability, happened| {
        -log(if happened {
            probability
        } else {
            1.0 - probability
        })
    })
}

fn mean_of(
    probabilities: &[f64],
    outcomes: &[bool],
    penalty: impl Fn(f64, bool) -> f64,
) -> Option<f64> {
    if probabilities.is_empty() || probabilities.len() != outcomes.len() {
        return None;
    }
    let pairs = probabilities.iter().zip(outcomes);
    let sum: f64 = pairs
        .map(|(probability, happened)| penalty(*probability, *happened))
        .sum();
    Some(sum / count(probabilities.len()))
}

/// Customers in order of their predictions, in bins of about equal size. Equal predictions stay together, so
/// there may be fewer bins. Empty without bins or customers, where the lengths differ or a prediction is not a
/// number.
#[must_use]
pub fn calibration(probabilities: &[f64], outcomes: &[bool], bins: usize) -> Vec<CalibrationBin> {
    let Some(pairs) = sorted(probabilities, outcomes) else {
        return Vec::new();
    };
    let mut all: Vec<CalibrationBin> = Vec::new();
    let mut bin: Vec<(f64, bool)> = Vec::new();
    let mut done = 0_usize;
    let mut full = 1;
    for equal in pairs.chunk_by(|left, right| left.0 >= right.0) {
        bin.extend(equal);
        done += equal.len();
        let reached = done.saturating_mul(bins) / pairs.len();
        if reached >= full {
            // Equal predictions that stayed together may have filled several bins.
            full = reached + 1;
            all.push(summary(&bin));
            bin.clear();
        }
    }
    all
}

fn summary(bin: &[(f64, bool)]) -> CalibrationBin {
    let customers = count(bin.len());
    let happened = bin.iter().filter(|(_, happened)| *happened).count();
    CalibrationBin {
        mean_predicted: bin.iter().map(|(predicted, _)| predicted).sum::<f64>() / customers,
        share_observed: count(happened) / customers,
        customers: bin.len(),
    }
}

/// By score, ascending.
fn sorted(scores: &[f64], outcomes: &[bool]) -> Option<Vec<(f64, bool)>> {
    if scores.len() != outcomes.len() || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut pairs: Vec<(f64, bool)> = scores
        .iter()
        .copied()
        .zip(outcomes.iter().copied())
        .collect();
    pairs.sort_unstable_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_pairs_in_the_right_order_and_equal_scores_half() {
        // With: 0.8, 0.4; without: 0.4, 0.2, 0.9. Right: 0.8 over 0.4 and 0.2, 0.4 over 0.2; half: 0.4 and
        // 0.4. 3.5 of 6.
        let scores = [0.8, 0.4, 0.4, 0.2, 0.9];
        let outcomes = [true, true, false, false, false];
        let area = area_under_curve(&scores, &outcomes).unwrap();
        assert!((area - 3.5 / 6.0).abs() < 1e-15);
        // Turned round, the wrong ones are right.
        let turned = scores.map(|score| -score);
        let area = area_under_curve(&turned, &outcomes).unwrap();
        assert!((area - 2.5 / 6.0).abs() < 1e-15);
        // A constant ranks no pair: half of every pair.
        let area = area_under_curve(&[0.0, -0.0, 0.0], &[true, false, true]).unwrap();
        assert!((area - 0.5).abs() < 1e-15);
    }

    #[test]
    fn there_is_no_area_without_both_outcomes_or_numbers() {
        assert_eq!(area_under_curve(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(area_under_curve(&[0.1, 0.2], &[false, false]), None);
        assert_eq!(area_under_curve(&[0.1, f64::NAN], &[true, false]), None);
        assert_eq!(area_under_curve(&[0.1], &[true, false]), None);
        assert_eq!(area_under_curve(&[], &[]), None);
    }

    #[test]
    fn the_brier_and_the_log_score_are_those_found_by_hand() {
        // (0.2^2 + 0.3^2 + 1^2) / 3 = 1.13 / 3.
        let found = brier(&[0.8, 0.3, 0.0], &[true, false, true]).unwrap();
        assert!((found - 1.13 / 3.0).abs() < 1e-15);
        // A coin: (0.5)^2, and ln 2.
        assert!((brier(&[0.5], &[true]).unwrap() - 0.25).abs() < 1e-15);
        let coin = log_score(&[0.5, 0.5], &[true, false]).unwrap();
        assert!((coin - std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!(log_score(&[0.0], &[true]), Some(f64::INFINITY));
        assert_eq!(log_score(&[0.0], &[false]), Some(0.0));
        assert_eq!(brier(&[], &[]), None);
        assert_eq!(brier(&[0.5], &[]), None);
    }

    #[test]
    fn bins_are_of_equal_size_in_the_order_of_the_predictions() {
        let probabilities = [0.9, 0.1, 0.2, 0.7];
        let outcomes = [true, false, true, true];
        let bins = calibration(&probabilities, &outcomes, 2);
        assert_eq!(bins.len(), 2);
        // 0.1 and 0.2: one of two; 0.7 and 0.9: both.
        assert_eq!(bins[0].customers, 2);
        assert!((bins[0].mean_predicted - 0.15).abs() < 1e-15);
        assert!((bins[0].share_observed - 0.5).abs() < 1e-15);
        assert_eq!(bins[1].customers, 2);
        assert!((bins[1].mean_predicted - 0.8).abs() < 1e-15);
        assert!((bins[1].share_observed - 1.0).abs() < 1e-15);
        assert!(calibration(&probabilities, &outcomes, 0).is_empty());
        assert!(calibration(&probabilities, &outcomes[..3], 2).is_empty());
        assert!(calibration(&[], &[], 2).is_empty());
        assert_eq!(calibration(&probabilities, &outcomes, 100).len(), 4);
    }

    #[test]
    fn equal_predictions_stay_in_one_bin_and_the_next_ends_where_it_would_have() {
        // Five bins of two: the six of 0.1 fill three of them, then two and two remain.
        let probabilities = [0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1, 0.3, 0.2, 0.5];
        let bins = calibration(&probabilities, &[false; 10], 5);
        let sizes: Vec<usize> = bins.iter().map(|bin| bin.customers).collect();
        assert_eq!(sizes, [6, 2, 2]);
        assert!((bins[1].mean_predicted - 0.25).abs() < 1e-15);
    }
}
