//! Sums over rising numbers: ratios of Gamma functions and their derivatives.

use libm::log;

/// Terms of a sum of logarithms that are added one by one; beyond, Stirling's series is as exact.
const TERMS_SUMMED: u32 = 10_000;

/// Sums over so many numbers start, start + 1, ...
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RisingSums {
    /// ln Gamma(start + number) - ln Gamma(start).
    pub(super) logarithms: f64,
    /// The derivative of that by start: psi(start + number) - psi(start).
    pub(super) reciprocals: f64,
}

/// [`RisingSums`] for numbers that do not fall from one call to the next, so that each term is added once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rising {
    pub(super) start: f64,
    added: u32,
    sums: RisingSums,
}

impl Rising {
    pub(super) fn of(start: f64) -> Self {
        Self {
            start,
            added: 0,
            sums: RisingSums::default(),
        }
    }

    pub(super) fn up_to(&mut self, number: u32) -> RisingSums {
        while self.added < number.min(TERMS_SUMMED) {
            let term = self.start + f64::from(self.added);
            self.sums.logarithms += log(term);
            self.sums.reciprocals += 1.0 / term;
            self.added += 1;
        }
        if number <= TERMS_SUMMED {
            return self.sums;
        }
        let from = stirling(self.start + f64::from(TERMS_SUMMED));
        let to = stirling(self.start + f64::from(number));
        RisingSums {
            logarithms: self.sums.logarithms + (to.logarithms - from.logarithms),
            reciprocals: self.sums.reciprocals + (to.reciprocals - from.reciprocals),
        }
    }
}

/// ln Gamma(x) less a constant, and psi(x), for x of at least 10,000: Abramowitz and Stegun 6.1.41 and 6.3.18,
/// whose next terms are below 1e-18.
fn stirling(x: f64) -> RisingSums {
    let ln = log(x);
    let squared = x * x;
    RisingSums {
        logarithms: (x - 0.5) * ln - x + (1.0 - 1.0 / (30.0 * squared)) / (12.0 * x),
        reciprocals: ln - 1.0 / (2.0 * x) - 1.0 / (12.0 * squared),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rising_sums_are_those_of_the_terms_and_go_on_beyond_them() {
        let mut rising = Rising::of(1.0);
        // ln 5! and the fifth harmonic number.
        let five = rising.up_to(5);
        assert!((five.logarithms - log(120.0)).abs() < 1e-14);
        assert!((five.reciprocals - 137.0 / 60.0).abs() < 1e-15);
        let mut direct = RisingSums::default();
        for term in 0..30_000 {
            direct.logarithms += log(1.0 + f64::from(term));
            direct.reciprocals += 1.0 / (1.0 + f64::from(term));
        }
        let many = rising.up_to(30_000);
        assert!((many.logarithms / direct.logarithms - 1.0).abs() < 1e-13);
        assert!((many.reciprocals / direct.reciprocals - 1.0).abs() < 1e-13);
        // The harmonic number of 2^32 - 1 is that of 10,000 and ln(2^32 / 10,000) but for 5e-5.
        let most = rising.up_to(u32::MAX).reciprocals - rising.up_to(10_000).reciprocals;
        assert!((most - log(4_294_967_296.0 / 10_000.0)).abs() < 1e-4);
    }
}
