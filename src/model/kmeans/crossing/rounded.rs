//! Numbers that know what rounding may have done to them.

use std::cmp::Ordering;

/// What a sum may be off by, as a share of the sum of its terms' sizes: less is a tie.
pub(super) const ROUNDING: f64 = 1e-13;

/// A number and what it may be off by.
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
