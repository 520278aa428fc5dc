//! The log-likelihood of histories and its derivatives. Fader, Hardie and Lee (2005), equation 6, and
//! Batislam, Denizel and Filiztekin (2007), written as one.

use libm::exp;
use libm::log;
use libm::log1p;

use crate::learn::churn::observation::Group;
use crate::learn::churn::rising::Rising;
use crate::model::churn::Family;
use crate::model::churn::Parameters;

/// The log-likelihood and its derivatives by r, alpha, a, b.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) log_likelihood: f64,
    pub(super) gradient: [f64; 4],
}

pub(super) fn sums(family: Family, parameters: Parameters, groups: &[Group]) -> Sums {
    let Parameters { r, alpha, a, b } = parameters;
    let mut rates = Rising::of(r);
    let mut survivals = Rising::of(b);
    let mut trials = Rising::of(a + b);
    let ln_alpha = log(alpha);
    let mut all = Sums::default();
    for group in groups {
        let extra = family.trials_extra();
        let tried = group.repeat_days.saturating_add(extra);
        let rates = rates.up_to(group.repeat_days);
        let survivals = survivals.up_to(tried);
        let trials = trials.up_to(tried);
        let shape = r + f64::from(group.repeat_days);
        let last = alpha + group.last_purchase_age;
        let now = alpha + group.age;
        let ln_last = log(last);
        let growth = log1p((group.age - group.last_purchase_age) / last);
        let before = family.survivals(b, group.repeat_days);
        let (dropped_out, either) = before.map_or((0.0, 0.0), |before| {
            probability_and_either(log(a / before) + shape * growth)
        });
        let ln_now = ln_last + growth;
        let rates_sum = rates.logarithms + r * ln_alpha;
        let trials_sum = survivals.logarithms - trials.logarithms;
        let log_likelihood = rates_sum + trials_sum - shape * ln_now + either;
        let alive = 1.0 - dropped_out;
        let gradient = [
            rates.reciprocals + ln_alpha - alive * ln_now - dropped_out * ln_last,
            r / alpha - shape * (alive / now + dropped_out / last),
            dropped_out / a - trials.reciprocals,
            survivals.reciprocals
                - trials.reciprocals
                - before.map_or(0.0, |before| dropped_out / before),
        ];
        all.log_likelihood += group.customers * log_likelihood;
        for (sum, derivative) in all.gradient.iter_mut().zip(gradient) {
            *sum += group.customers * derivative;
        }
    }
    all
}

/// Probability of what has these log odds, and ln(1 + odds).
fn probability_and_either(log_odds: f64) -> (f64, f64) {
    let lesser = exp(-log_odds.abs());
    let probability = if log_odds > 0.0 { 1.0 } else { lesser } / (1.0 + lesser);
    (probability, log_odds.max(0.0) + log1p(lesser))
}
