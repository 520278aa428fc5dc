//! The gap to another segment in a chunk, its growth and the bounds of that.

use crate::model::kmeans::crossing::logarithm::Logarithm;
use crate::model::kmeans::crossing::rounded::ROUNDING;
use crate::model::kmeans::crossing::rounded::Rounded;

/// Share of the time scale below which an interval is not split: a gap that falls below zero and returns
/// within it does so by less than its rounding.
const NARROW: f64 = 1e-6;

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
    pub(super) fn at(&self, days: f64) -> Rounded {
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
    pub(super) fn pace_at(&self, days: f64) -> Rounded {
        let (mut value, mut size) = (self.pace, self.pace_size);
        for logarithm in self.logarithms {
            let pace = logarithm.weight * logarithm.rate_at(days);
            value += pace;
            size += pace.abs();
        }
        let rounding = ROUNDING * size;
        Rounded { value, rounding }
    }

    pub(super) fn curvature_at(&self, days: f64) -> f64 {
        let logarithms = self.logarithms.iter();
        let curvatures = logarithms.map(|logarithm| {
            let rate = logarithm.rate_at(days);
            -logarithm.weight * rate * rate
        });
        curvatures.sum()
    }

    pub(super) fn bounds(&self, from_days: f64, to_days: f64) -> Bounds {
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

    /// The shortest time in which a logarithm halves its growth, at the start of the chunk.
    fn time_scale_days(&self) -> f64 {
        let rates = self.logarithms.iter().map(|logarithm| logarithm.rate);
        1.0 / rates.fold(0.0, f64::max)
    }

    pub(super) fn is_narrow(&self, from_days: f64, to_days: f64) -> bool {
        to_days - from_days <= NARROW * (self.time_scale_days() + from_days)
    }

    /// Halves an interval, a wide one on the scale of the logarithms.
    pub(super) fn middle(&self, from_days: f64, to_days: f64) -> f64 {
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
pub(super) struct Bounds {
    pub(super) pace_min: f64,
    pub(super) pace_max: f64,
    pub(super) curvature_min: f64,
    pub(super) curvature_max: f64,
}
