//! Standard scaling: mean 0 and population standard deviation 1, as scikit-learn's
//! `StandardScaler` does it (ddof 0).

use crate::model::validation::STANDARD_DEVIATION_MIN;

/// Mean and spread of one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnScale {
    /// Arithmetic mean.
    pub mean: f64,
    /// Population standard deviation.
    pub standard_deviation: f64,
}

/// Fits one column; `None` without values, where all are equal but for rounding, and where the standard deviation is not
/// a finite number that a model may have.
#[must_use]
pub fn fit(values: &[f64]) -> Option<ColumnScale> {
    let count = count(values.len());
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // The mean of equal values is rounded, so that their standard deviation need not be 0. The error of a sum is at
    // most this share of its terms for each of them: Higham, Accuracy and Stability of Numerical Algorithms, 4.2.
    let rounding = count * f64::EPSILON * greatest.abs().max(least.abs());
    if values.is_empty() || greatest - least <= rounding {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum();
    let standard_deviation = (squares / count).sqrt();
    let is_usable = standard_deviation >= STANDARD_DEVIATION_MIN && standard_deviation.is_finite();
    is_usable.then_some(ColumnScale {
        mean,
        standard_deviation,
    })
}

/// A count as a float.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
pub fn count(rows: usize) -> f64 {
    rows as f64
}

/// The value below which a share of the sorted values lies, interpolated linearly as numpy does;
/// `None` without values.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * count(last);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place between 0 and the last index"
    )]
    let below = place.floor() as usize;
    let low = sorted.get(below)?;
    let high = sorted.get(below + 1).unwrap_or(low);
    Some(low + (high - low) * (place - place.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        // By hand: numpy.quantile([1, 2, 3, 4], 0.75) = 3.25.
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.75), Some(3.25));
        assert_eq!(quantile(&[5.0], 0.5), Some(5.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_constant_column_cannot_be_scaled() {
        assert_eq!(fit(&[2.0, 2.0]), None);
        // Six times 0.1 is 0.6 but for rounding, which makes a standard deviation of 1.39e-17.
        assert_eq!(fit(&[0.1; 6]), None);
        // 0.1 + 0.2 is 0.30000000000000004.
        assert_eq!(fit(&[0.3, 0.1 + 0.2, 0.3]), None);
        // The next number after 1e9.
        assert_eq!(fit(&[1e9_f64.next_up(), 1e9]), None);
        assert_eq!(fit(&[0.0, 0.0, 0.0]), None);
        assert_eq!(fit(&[-0.1; 3]), None);
        // Instants in milliseconds.
        assert!(fit(&[1.7e12, 1.7e12 + 1.0]).is_some());
        for wrong in [f64::NAN, f64::INFINITY, -1e308] {
            assert_eq!(fit(&[1e308, wrong, 1.0]), None, "{wrong}");
        }
        // By hand: mean 2, squares 1 + 1 over 2.
        assert_eq!(
            fit(&[1.0, 3.0]),
            Some(ColumnScale {
                mean: 2.0,
                standard_deviation: 1.0
            })
        );
    }
}
