//! A logarithm that grows in a chunk.

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

    pub(super) fn value(&self, days: f64) -> f64 {
        self.weight * libm::log1p(self.rate * days)
    }

    pub(super) fn rate_at(&self, days: f64) -> f64 {
        self.rate / (1.0 + self.rate * days)
    }
}
