//! When a probability falls to a level while there is no purchase.

use libm::exp;
use libm::expm1;
use libm::log;
use libm::log1p;

use crate::model::churn::ChurnModel;
use crate::model::churn::Crossing;

/// Steps of Newton's method; it took at most 6 on 300,000 random cases.
const STEPS_MAX: usize = 50;
/// Newton's method ends with a step so small, in units of the customer's own scale: the error is its square.
const STEP_ENOUGH: f64 = 1e-7;

impl ChurnModel {
    /// The age at which [`Self::probability_alive`] falls to a probability without another purchase.
    #[must_use]
    pub fn age_when_alive_falls_to(
        &self,
        repeat_days: u32,
        last_purchase_age: f64,
        probability: f64,
    ) -> Crossing {
        if self.probability_alive_at_purchase(repeat_days) <= probability {
            return Crossing::BelowAtLastPurchase;
        }
        if probability <= 0.0 || probability.is_nan() {
            return Crossing::Never;
        }
        let odds = self.odds_at_purchase(repeat_days);
        let stretch = log((1.0 - probability) / (probability * odds)) / self.shape(repeat_days);
        self.after(last_purchase_age, stretch)
    }

    /// The age at which [`Self::probability_of_purchase`] within a horizon falls to a probability without
    /// another purchase.
    ///
    /// The logarithm of that probability is concave in ln(alpha + age), as each of its two factors is: of the
    /// one, -ln(1 + e^y) is, and of the other, the slope -n (1 - e^-w) / (e^(nw) - 1) falls with the age, w being
    /// ln(1 + horizon / (alpha + age)). So Newton's method stays above the root from its first step on and
    /// needs no bracket.
    #[must_use]
    pub fn age_when_purchase_falls_to(
        &self,
        repeat_days: u32,
        last_purchase_age: f64,
        horizon: f64,
        probability: f64,
    ) -> Crossing {
        let last = self.parameters.alpha + last_purchase_age;
        let silence = Silence {
            shape: self.shape(repeat_days),
            log_odds: log(self.odds_at_purchase(repeat_days)),
            horizons: last / horizon.max(0.0),
        };
        let at_purchase = silence.at(0.0);
        if at_purchase.probability <= probability {
            return Crossing::BelowAtLastPurchase;
        }
        if probability <= 0.0 || probability.is_nan() {
            return Crossing::Never;
        }
        let mut stretch = silence.bound(&at_purchase, probability);
        for _ in 0..STEPS_MAX {
            let step = silence.at(stretch).step_back(probability);
            // Left of the root only by rounding.
            if step.is_nan() || step <= 0.0 {
                break;
            }
            stretch = (stretch - step).max(0.0);
            if step * (1.0 + silence.shape) <= STEP_ENOUGH {
                break;
            }
        }
        self.after(last_purchase_age, stretch)
    }

    /// The age at which alpha + age is e^stretch times what it was at the last purchase.
    fn after(&self, last_purchase_age: f64, stretch: f64) -> Crossing {
        let silence = (self.parameters.alpha + last_purchase_age) * expm1(stretch);
        let age = last_purchase_age + silence.clamp(0.0, f64::INFINITY);
        if age.is_finite() {
            Crossing::At(age)
        } else {
            Crossing::Never
        }
    }
}

/// A customer who buys nothing more, by the stretch of alpha + age since the last purchase: the logarithm
/// of its ratio to what it was then.
struct Silence {
    /// r + x.
    shape: f64,
    /// Log odds that the customer dropped out at the last purchase; minus infinity where they cannot have.
    log_odds: f64,
    /// alpha + age at the last purchase, in horizons.
    horizons: f64,
}

/// A probability of a purchase, its factors, and the slope of its logarithm by the stretch.
struct Falling {
    probability: f64,
    alive: f64,
    buys: f64,
    slope: f64,
}

impl Silence {
    /// The probability of a purchase within the horizon.
    fn at(&self, stretch: f64) -> Falling {
        let shrunk = exp(-stretch);
        let buys = -expm1(-self.shape * log1p(shrunk / self.horizons));
        let alive = 1.0 / (1.0 + exp(self.log_odds + self.shape * stretch));
        let slope_buys = shrunk / (self.horizons + shrunk) * (1.0 - buys) / buys;
        Falling {
            probability: alive * buys,
            alive,
            buys,
            slope: -self.shape * (1.0 - alive + slope_buys),
        }
    }

    /// A stretch at or beyond that where the probability is reached: the least of those after which either
    /// factor has fallen so far while the other stayed as it was, and of the tangent's.
    fn bound(&self, at_purchase: &Falling, probability: f64) -> f64 {
        let alive = probability / at_purchase.buys;
        let alive = (log((1.0 - alive) / alive) - self.log_odds) / self.shape;
        let buys = probability / at_purchase.alive;
        let buys = -log(self.horizons * expm1(-log1p(-buys) / self.shape));
        let tangent = -at_purchase.step_back(probability);
        alive.min(buys).min(tangent).max(0.0)
    }
}

impl Falling {
    /// How much less stretch has the probability by the tangent of the logarithm.
    fn step_back(&self, probability: f64) -> f64 {
        log(self.probability / probability) / self.slope
    }
}
