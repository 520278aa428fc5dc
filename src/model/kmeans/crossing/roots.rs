//! The first root of a gap: by branch and bound, leftmost first. docs/TIME_AND_CHURN.md, Crossings.

use crate::model::kmeans::crossing::gap::Bounds;
use crate::model::kmeans::crossing::gap::Gap;

/// A step of Newton's so small, as a share of the time, is the last: the error is about its square.
const STEP_ENOUGH: f64 = 1e-10;
/// Most steps to a root. Halving alone takes fewer than that from four million days to the last bit.
const STEPS_MAX: usize = 200;

impl Gap<'_> {
    /// The first root between two instants at the former of which the gap is not below zero: by branch and
    /// bound, leftmost first. Every term and each of its derivatives is monotone, so their bounds are their
    /// values at the ends. A curve that bends one way needs no split, in particular that of one logarithm.
    pub(super) fn first_below(&self, from_days: f64, to_days: f64) -> Option<f64> {
        let bounds = self.bounds(from_days, to_days);
        let is_falling = bounds.pace_max <= 0.0;
        if is_falling || bounds.curvature_max <= 0.0 || self.is_narrow(from_days, to_days) {
            return self
                .at(to_days)
                .is_below_zero()
                .then(|| self.root(from_days, to_days, to_days));
        }
        if bounds.pace_min >= 0.0 {
            return None;
        }
        if bounds.curvature_min >= 0.0 {
            let lowest_days = self.lowest_of_convex(from_days, to_days);
            return self
                .at(lowest_days)
                .is_below_zero()
                .then(|| self.root(from_days, lowest_days, from_days));
        }
        if self.is_above_between(from_days, to_days, &bounds) {
            return None;
        }
        let middle_days = self.middle(from_days, to_days);
        self.first_below(from_days, middle_days)
            .or_else(|| self.first_below(middle_days, to_days))
    }

    /// Whether the sum of the terms' minima, or the lowest parabola from the first instant, is not below zero.
    fn is_above_between(&self, from_days: f64, to_days: f64, bounds: &Bounds) -> bool {
        let first = self.at(from_days);
        let pace = self.pace_at(from_days).value;
        let length_days = to_days - from_days;
        // Where the bound of the curvature is below zero, this is lowest at an end.
        let parabola = (pace + 0.5 * bounds.curvature_min * length_days) * length_days;
        let gains = self.logarithms.iter().map(|logarithm| {
            let gain = logarithm.value(to_days) - logarithm.value(from_days);
            gain.min(0.0)
        });
        let terms = gains.sum::<f64>() + (self.pace * length_days).min(0.0);
        first.value + terms.max(parabola.min(0.0)) >= -first.rounding
    }

    /// Where a convex curve is lowest. With one logarithm the only stationary point is -w/b - 1/u.
    fn lowest_of_convex(&self, from_days: f64, to_days: f64) -> f64 {
        if self.pace_at(from_days).value >= 0.0 {
            return from_days;
        }
        if self.pace_at(to_days).value <= 0.0 {
            return to_days;
        }
        if let [only] = self.logarithms {
            let stationary = -only.weight / self.pace - 1.0 / only.rate;
            return stationary.clamp(from_days, to_days);
        }
        self.first_negative(from_days, to_days, from_days, |days| {
            (-self.pace_at(days).value, -self.curvature_at(days))
        })
    }

    /// The root between an instant at which the gap is not below zero and one at which it is.
    fn root(&self, from_days: f64, to_days: f64, guess_days: f64) -> f64 {
        if let [only] = self.logarithms
            && self.pace_size <= 0.0
        {
            let days = libm::expm1(-self.value / only.weight) / only.rate;
            return days.clamp(from_days, to_days);
        }
        self.first_negative(from_days, to_days, guess_days, |days| {
            let (mut value, mut pace) = (self.value + self.pace * days, self.pace);
            for logarithm in self.logarithms {
                value += logarithm.value(days);
                pace += logarithm.weight * logarithm.rate_at(days);
            }
            (value, pace)
        })
    }

    /// Where a function, given with its derivative, falls below zero: by Newton's steps where they close in
    /// fast enough, else by halving.
    fn first_negative(
        &self,
        from_days: f64,
        to_days: f64,
        guess_days: f64,
        function: impl Fn(f64) -> (f64, f64),
    ) -> f64 {
        let (mut low, mut high) = (from_days, to_days);
        let mut days = guess_days;
        let (mut step_before, mut step) = (high - low, high - low);
        for _ in 0..STEPS_MAX {
            let (value, derivative) = function(days);
            if value < 0.0 {
                high = days;
            } else {
                low = days;
            }
            let newton = days - value / derivative;
            let newton_step = (newton - days).abs();
            let is_inside = low <= newton && newton <= high;
            if is_inside && newton_step <= STEP_ENOUGH * days {
                return newton;
            }
            let is_closing_in = newton_step <= 0.5 * step_before;
            let next = if is_inside && is_closing_in {
                newton
            } else {
                self.middle(low, high)
            };
            (step_before, step) = (step, (next - days).abs());
            days = next;
            if high - low <= f64::EPSILON * high {
                break;
            }
        }
        days
    }
}
