//! Where a gap falls below zero: in closed form where it is linear, by branch and bound where logarithms
//! grow. docs/TIME_AND_CHURN.md, Crossings.

use std::cmp::Ordering;

/// What a sum may be off by, as a share of the sum of its terms' sizes: less is a tie.
const ROUNDING: f64 = 1e-13;
/// Two instants that rounding leaves closer than this, in days, are one: a tenth of a millisecond.
const INSTANT_DAYS_MAX: f64 = 1e-9;
/// Share of the time scale below which an interval is not split: a gap that falls below zero and returns
/// within it does so by less than its rounding.
const NARROW: f64 = 1e-6;
/// A step of Newton's so small, as a share of the time, is the last: the error is about its square.
const STEP_ENOUGH: f64 = 1e-10;
/// Most steps to a root. Halving alone takes fewer than that from four million days to the last bit.
const STEPS_MAX: usize = 200;

/// A number and what it may be off by.
#[derive(Clone, Copy)]
pub(super) struct Rounded {
    pub(super) value: f64,
    pub(super) rounding: f64,
}

impl Rounded {
    fn compare(self, other: Self) -> Ordering {
        let (apart, rounding) = (self.value - other.value, self.rounding + other.rounding);
        if apart < -rounding {
            Ordering::Less
        } else if apart > rounding {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    fn is_below_zero(self) -> bool {
        self.value < -self.rounding
    }
}

/// A gap that falls below zero.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    pub(super) segment: usize,
    /// From the start of the chunk.
    pub(super) days: Rounded,
    /// The gap then; below zero only where it is so from the start on.
    value: Rounded,
    /// Its growth then, per day.
    pace: Rounded,
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

/// weight x ln(1 + rate t)
#[derive(Clone, Copy)]
pub(super) struct Logarithm {
    pub(super) weight: f64,
    pub(super) rate: f64,
}

impl Logarithm {
    /// Rates that differ by no more, as a share, are one within rounding.
    const RATE_APART: f64 = 1e-14;

    pub(super) const NONE: Self = Self {
        weight: 0.0,
        rate: 0.0,
    };

    pub(super) fn has_rate_of(&self, other: &Self) -> bool {
        (self.rate - other.rate).abs() <= Self::RATE_APART * self.rate
    }

    fn value(&self, days: f64) -> f64 {
        self.weight * libm::log1p(self.rate * days)
    }

    fn rate_at(&self, days: f64) -> f64 {
        self.rate / (1.0 + self.rate * days)
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

/// A gap in a chunk: value + pace t + the logarithms, t in days from the start of the chunk.
#[derive(Clone, Copy)]
pub(super) struct Gap<'a> {
    pub(super) value: f64,
    /// The sum of the sizes of the value's terms, and of the pace's.
    pub(super) size: f64,
    pub(super) pace: f64,
    pub(super) pace_size: f64,
    pub(super) logarithms: &'a [Logarithm],
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

    /// The first root between two instants at the former of which the gap is not below zero: by branch and
    /// bound, leftmost first. Every term and each of its derivatives is monotone, so their bounds are their
    /// values at the ends. A curve that bends one way needs no split, in particular that of one logarithm.
    fn first_below(&self, from_days: f64, to_days: f64) -> Option<f64> {
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

    fn at(&self, days: f64) -> Rounded {
        let linear = self.pace * days;
        let (mut value, mut size) = (self.value + linear, self.size + linear.abs());
        for logarithm in self.logarithms {
            let term = logarithm.value(days);
            value += term;
            size += term.abs();
        }
        let rounding = ROUNDING * size;
        Rounded { value, rounding }
    }

    /// The growth at an instant, per day.
    fn pace_at(&self, days: f64) -> Rounded {
        let (mut value, mut size) = (self.pace, self.pace_size);
        for logarithm in self.logarithms {
            let pace = logarithm.weight * logarithm.rate_at(days);
            value += pace;
            size += pace.abs();
        }
        let rounding = ROUNDING * size;
        Rounded { value, rounding }
    }

    fn curvature_at(&self, days: f64) -> f64 {
        let logarithms = self.logarithms.iter();
        let curvatures = logarithms.map(|logarithm| {
            let rate = logarithm.rate_at(days);
            -logarithm.weight * rate * rate
        });
        curvatures.sum()
    }

    fn bounds(&self, from_days: f64, to_days: f64) -> Bounds {
        let mut bounds = Bounds {
            pace_min: self.pace,
            pace_max: self.pace,
            curvature_min: 0.0,
            curvature_max: 0.0,
        };
        for logarithm in self.logarithms {
            let (first, last) = (logarithm.rate_at(from_days), logarithm.rate_at(to_days));
            let (pace_first, pace_last) = (logarithm.weight * first, logarithm.weight * last);
            let (bend_first, bend_last) = (-pace_first * first, -pace_last * last);
            bounds.pace_min += pace_first.min(pace_last);
            bounds.pace_max += pace_first.max(pace_last);
            bounds.curvature_min += bend_first.min(bend_last);
            bounds.curvature_max += bend_first.max(bend_last);
        }
        bounds
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

    /// The shortest time in which a logarithm halves its growth, at the start of the chunk.
    fn time_scale_days(&self) -> f64 {
        let rates = self.logarithms.iter().map(|logarithm| logarithm.rate);
        1.0 / rates.fold(0.0, f64::max)
    }

    fn is_narrow(&self, from_days: f64, to_days: f64) -> bool {
        to_days - from_days <= NARROW * (self.time_scale_days() + from_days)
    }

    /// Halves an interval, a wide one on the scale of the logarithms.
    fn middle(&self, from_days: f64, to_days: f64) -> f64 {
        let scale_days = self.time_scale_days();
        let (first, last) = (scale_days + from_days, scale_days + to_days);
        if last > 4.0 * first {
            ((first * last).sqrt() - scale_days).clamp(from_days, to_days)
        } else {
            from_days + 0.5 * (to_days - from_days)
        }
    }
}

/// Bounds of a gap's growth and of the change of that, in an interval.
struct Bounds {
    pace_min: f64,
    pace_max: f64,
    curvature_min: f64,
    curvature_max: f64,
}
