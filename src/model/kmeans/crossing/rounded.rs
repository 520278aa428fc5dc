//! Numbers with a bound of their rounding error.

use std::cmp::Ordering;

/// Bound of a sum's rounding error, as a share of the sum of its terms' sizes: a smaller sum is a tie.
pub(super) const ROUNDING: f64 = 1e-13;

/// A number and the bound of its rounding error.
#[derive(Clone, Copy)]
pub(super) struct Rounded {
    pub(super) value: f64,
    pub(super) rounding: f64,
}

impl Rounded {
    pub(super) fn compare(self, other: Self) -> Ordering {
        let (apart, rounding) = (self.value - other.value, self.rounding + other.rounding);
        if apart < -rounding {
            Ordering::Less
        } else if apart > rounding {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    pub(super) fn is_below_zero(self) -> bool {
        self.value < -self.rounding
    }
}
