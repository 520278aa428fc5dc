//! Where a gap falls below zero, and which of several does so first. docs/TIME_AND_CHURN.md, Crossings.

use std::cmp::Ordering;

use crate::model::kmeans::crossing::gap::Gap;
use crate::model::kmeans::crossing::rounded::ROUNDING;
use crate::model::kmeans::crossing::rounded::Rounded;

/// Two instants that rounding leaves closer than this, in days, are one: a tenth of a millisecond.
const INSTANT_DAYS_MAX: f64 = 1e-9;

/// A gap that falls below zero.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    pub(super) segment: usize,
    /// From the start of the chunk.
    pub(super) days: Rounded,
    /// The gap then; below zero only where it is so from the start on.
    pub(super) value: Rounded,
    /// Its growth then, per day.
    pub(super) pace: Rounded,
}

impl Leaving {
    /// Whether it is the earlier one, or at the same instant the lower one just after: ties of
    /// docs/TIME_AND_CHURN.md, Crossings.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        let order = self.days.compare(other.days);
        let order = order.then(self.value.compare(other.value));
        order.then(self.pace.compare(other.pace)) == Ordering::Less
    }
}

/// How far to look, in days from the start of the chunk.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// To the end of the chunk; may be infinite.
    pub(super) length_days: f64,
    /// Where logarithms grow.
    pub(super) logarithms_days: f64,
}

impl Gap<'_> {
    /// Where it first falls below zero by more than rounding. If it is zero at the end of the chunk it has not
    /// fallen: the next chunk decides with its own pace.
    pub(super) fn leaving(&self, segment: usize, reach: Reach) -> Option<Leaving> {
        let rounding = ROUNDING * self.size;
        if self.value < -rounding {
            return Some(self.leaving_at(segment, 0.0, self.value));
        }
        let is_tie = self.value <= rounding;
        let value = if is_tie { 0.0 } else { self.value };
        let days = if self.logarithms.is_empty() {
            let fall_per_day = -self.pace;
            let is_falling = fall_per_day > ROUNDING * self.pace_size;
            let fall = fall_per_day * reach.length_days * (1.0 - ROUNDING);
            if !is_falling || self.value + rounding >= fall {
                return None;
            }
            value / fall_per_day
        } else {
            let pace = self.pace_at(0.0);
            let fall = -pace.value * reach.length_days;
            if is_tie && pace.is_below_zero() && fall > 2.0 * rounding {
                0.0
            } else if reach.logarithms_days > 0.0 {
                Gap { value, ..*self }.first_below(0.0, reach.logarithms_days)?
            } else {
                return None;
            }
        };
        Some(self.leaving_at(segment, days, 0.0))
    }

    fn leaving_at(&self, segment: usize, days: f64, value: f64) -> Leaving {
        let pace = self.pace_at(days);
        let rounding = self.at(days).rounding;
        let instant_days = rounding / pace.value.abs() + ROUNDING * days;
        Leaving {
            segment,
            days: Rounded {
                value: days,
                rounding: instant_days.min(INSTANT_DAYS_MAX),
            },
            value: Rounded { value, rounding },
            pace,
        }
    }
}
