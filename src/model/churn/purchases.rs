//! Expected purchases.

use crate::model::churn::ChurnModel;
use crate::model::churn::History;
use crate::model::churn::Parameters;

/// Terms of the sum in [`ChurnModel::expected_purchases`].
const TERMS_MAX: u32 = 100_000;
/// Share of the sum that the terms left out may have.
const TAIL_ENOUGH: f64 = 1e-17;
/// Weights beyond this are scaled back.
const WEIGHT_MAX: f64 = 1e200;

impl ChurnModel {
    /// Expected days with a purchase in the next `horizon` (at least 0 and at most about 1,000 times
    /// alpha + T, in the unit of the ages).
    ///
    /// The number of purchases of a customer who never drops out is negative binomial, and the one after
    /// j others is made if they did not end it, with probability E (1 - p)^j. So it is a sum of positive
    /// terms, with neither the pole at a = 1 nor the cancellation of the published expression, which it
    /// equals: Fader, Hardie and Lee (2005), equation 10.
    #[must_use]
    pub fn expected_purchases(&self, history: History, horizon: f64) -> f64 {
        let Parameters { alpha, a, b, .. } = self.parameters;
        let extra = f64::from(self.family.trials_extra());
        let shape = self.shape(history.repeat_days);
        let now = alpha + history.age.max(history.last_purchase_age);
        let reach = horizon.max(0.0);
        let share = reach / (now + reach);
        let trials_survived = b + extra + f64::from(history.repeat_days);
        // The weight of `number` purchases without drop-outs, up to a common factor.
        let mut weight = 1.0;
        let mut weights = 1.0;
        // Of so many, those expected before the drop-out, and the probability that one more is.
        let mut made = 0.0;
        let mut one_more = 1.0;
        let mut sum = 0.0;
        for number in (0..TERMS_MAX).map(f64::from) {
            let ratio = share * (shape + number) / (number + 1.0);
            let left = 1.0 - ratio;
            if left > 0.0 && weight * (made + 1.0) <= TAIL_ENOUGH * left * left * sum {
                break;
            }
            weight *= ratio;
            made += one_more;
            one_more *= (trials_survived + number) / (a + trials_survived + number);
            weights += weight;
            sum += weight * made;
            if weight > WEIGHT_MAX {
                weight /= WEIGHT_MAX;
                weights /= WEIGHT_MAX;
                sum /= WEIGHT_MAX;
            }
        }
        self.probability_alive(history) * sum / weights
    }
}
