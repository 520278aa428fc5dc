//! Fits the parameters under which histories are most likely, with or without a prior. Formulas: the
//! log-likelihoods of Fader, Hardie and Lee (2005), equation 6, and of Batislam, Denizel and Filiztekin
//! (2007), written as one, and their derivatives.

use libm::exp;

use crate::learn::churn::bfgs;
use crate::learn::churn::bfgs::Evaluation;
use crate::learn::churn::bfgs::Limits;
use crate::learn::churn::likelihood::sums;
use crate::learn::churn::observation::Group;
use crate::learn::churn::observation::Problem;
use crate::learn::churn::observation::grouped;
use crate::learn::churn::observation::problem;
use crate::learn::scaler::count;
use crate::model::churn::Family;
pub use crate::model::churn::History as Observation;
use crate::model::churn::Parameters;

/// A search that ends with a greater derivative has failed.
const GRADIENT_MAX: f64 = 1e-6;
const LIMITS: Limits = Limits {
    // e^12 is 160,000: no shop's data distinguishes it from infinity.
    coordinate_max: 12.0,
    // Where a and b are weakly identified, 1e-6 would leave 1e-4 of them open.
    gradient_enough: 1e-10,
    evaluations_max: 300,
};
/// Where searches begin: logarithms of (r, alpha, a, b) over the prior's centre, which makes them independent
/// of the unit of time. The first search that converges counts.
const STARTS: [[f64; 4]; 5] = [
    [0.0, 0.0, 0.0, 0.0],
    [1.0, 1.0, -1.0, 0.0],
    [-1.0, -1.0, 0.0, 1.0],
    [1.5, 1.5, -2.0, -2.0],
    [-0.5, 0.5, 2.0, 2.0],
];
/// Standard deviation of the prior of each parameter's logarithm.
const PRIOR_DEVIATION: f64 = 2.0;

/// What is known of the parameters before any customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prior {
    /// Nothing. With few customers the parameters may grow without bound, towards customers who are all alike.
    None,
    /// The logarithms are normal and independent, centred at those of [`prior_mean`], with a standard deviation
    /// of 2. Beside a few hundred customers its weight is negligible.
    Weak,
}

/// Parameters and how well they fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The most likely ones.
    pub parameters: Parameters,
    /// Natural logarithm of the likelihood of all customers, without the prior.
    pub log_likelihood: f64,
    /// How many customers there were.
    pub customers: usize,
    /// How often the likelihood was evaluated.
    pub evaluations: usize,
    /// Greatest derivative, in magnitude, of the mean over customers of the negative logarithm of
    /// likelihood and prior, by the logarithm of a parameter: below 1e-6.
    pub gradient_max: f64,
}

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// There are none.
    #[error("there is no customer to learn from")]
    NoCustomers,
    /// Not one of them bought on a second day, and there is no prior.
    #[error(
        "not one of {customers} customers bought on a second day, so there is nothing to learn from"
    )]
    NoRepeatPurchases {
        /// How many customers there are.
        customers: usize,
    },
    /// An observation is impossible.
    #[error("observation {place} {problem}")]
    Observation {
        /// Its place among the observations, from 0.
        place: usize,
        /// The problem.
        problem: Problem,
    },
    /// No search converged.
    #[error(
        "the fit did not converge: the best search ended with a derivative of {gradient_max:e}, not below 1e-6"
    )]
    NotConverged {
        /// The greatest derivative where the best search ended.
        gradient_max: f64,
    },
}

/// Finds the most likely parameters. The order of the observations does not matter, to the bit.
///
/// # Errors
/// If there is no customer, none with a repeat purchase (without a prior), or one with an impossible history,
/// or if no search converges, which may happen with few customers and no prior.
pub fn fit(family: Family, observations: &[Observation], prior: Prior) -> Result<Fit, FitError> {
    check(observations, prior)?;
    let groups = grouped(observations);
    let centre = prior_mean_of(&groups);
    let parameters_at = |[r, alpha, a, b]: [f64; 4]| Parameters {
        r: centre.r * exp(r),
        alpha: centre.alpha * exp(alpha),
        a: centre.a * exp(a),
        b: centre.b * exp(b),
    };
    let customers = count(observations.len());
    let precision = match prior {
        Prior::None => 0.0,
        Prior::Weak => 1.0 / (PRIOR_DEVIATION * PRIOR_DEVIATION),
    };
    let objective = |point: &[f64; 4]| {
        let parameters = parameters_at(*point);
        let sums = sums(family, parameters, &groups);
        let Parameters { r, alpha, a, b } = parameters;
        let mut value = -sums.log_likelihood;
        // By a logarithm: the parameter times the derivative by itself.
        let mut gradient = [r, alpha, a, b];
        for ((slot, derivative), off) in gradient.iter_mut().zip(sums.gradient).zip(point) {
            value += precision * off * off / 2.0;
            *slot = (precision * off - *slot * derivative) / customers;
        }
        Evaluation {
            value: value / customers,
            gradient,
        }
    };
    let mut evaluations = 0;
    let mut least = f64::INFINITY;
    for start in STARTS {
        let found = bfgs::minimise(objective, start, LIMITS);
        evaluations += found.evaluations;
        least = least.min(found.gradient_max);
        if found.gradient_max < GRADIENT_MAX {
            let parameters = parameters_at(found.point);
            return Ok(Fit {
                parameters,
                log_likelihood: sums(family, parameters, &groups).log_likelihood,
                customers: observations.len(),
                evaluations,
                gradient_max: found.gradient_max,
            });
        }
    }
    Err(FitError::NotConverged {
        gradient_max: least,
    })
}

/// The centre of the weak prior: r 0.5, a 1, b 2, and alpha a quarter of the mean age; 1 where that is 0 or
/// there are no observations.
#[must_use]
pub fn prior_mean(observations: &[Observation]) -> Parameters {
    prior_mean_of(&grouped(observations))
}

/// Natural logarithm of the likelihood of all observations; each must be one that [`fit`] accepts, and the
/// parameters above 0. Its order does not matter, to the bit.
#[must_use]
pub fn log_likelihood(family: Family, parameters: Parameters, observations: &[Observation]) -> f64 {
    sums(family, parameters, &grouped(observations)).log_likelihood
}

fn prior_mean_of(groups: &[Group]) -> Parameters {
    let customers: f64 = groups.iter().map(|group| group.customers).sum();
    let ages: f64 = groups.iter().map(|group| group.customers * group.age).sum();
    let alpha = ages / customers / 4.0;
    Parameters {
        r: 0.5,
        alpha: if alpha > 0.0 { alpha } else { 1.0 },
        a: 1.0,
        b: 2.0,
    }
}

fn check(observations: &[Observation], prior: Prior) -> Result<(), FitError> {
    for (place, observation) in observations.iter().enumerate() {
        if let Some(problem) = problem(observation) {
            return Err(FitError::Observation { place, problem });
        }
    }
    let customers = observations.len();
    if customers == 0 {
        return Err(FitError::NoCustomers);
    }
    let has_repeat = observations.iter().any(|one| one.repeat_days > 0);
    if prior == Prior::None && !has_repeat {
        return Err(FitError::NoRepeatPurchases { customers });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use libm::log;

    use super::*;

    fn observation(repeat_days: u32, last_purchase_age: f64, age: f64) -> Observation {
        Observation {
            repeat_days,
            last_purchase_age,
            age,
        }
    }

    const ONES: Parameters = Parameters {
        r: 1.0,
        alpha: 1.0,
        a: 1.0,
        b: 1.0,
    };

    /// Numbers between 0 and 1, by splitmix64.
    fn chance(state: &mut u64) -> f64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap();
        (f64::from(high) + 0.5) / 4_294_967_296.0
    }

    /// Customers as MBG/NBD has them, drawn with r = 1, alpha = 5, a = 1, b = 1: rates are exponential and
    /// chances to drop out even.
    fn shop(week: f64) -> Vec<Observation> {
        let mut state = 7;
        let mut customer = |_| {
            let age = 20.0 + 20.0 * chance(&mut state);
            let rate = -log(chance(&mut state)) / 5.0;
            let dropping_out = chance(&mut state);
            let mut found = observation(0, 0.0, age * week);
            let mut now = 0.0;
            while chance(&mut state) > dropping_out {
                now -= log(chance(&mut state)) / rate;
                if now >= age {
                    break;
                }
                found.repeat_days += 1;
                found.last_purchase_age = now * week;
            }
            found
        };
        (0..2000).map(&mut customer).collect()
    }

    fn as_array(parameters: Parameters) -> [f64; 4] {
        let Parameters { r, alpha, a, b } = parameters;
        [r, alpha, a, b]
    }

    #[test]
    fn the_likelihood_of_a_customer_is_that_found_by_hand() {
        let likelihood = |family, observation| exp(log_likelihood(family, ONES, &[observation]));
        // BG/NBD, one purchase, now 3: alpha / (alpha + T) to the power of r.
        let found = likelihood(Family::BgNbd, observation(0, 0.0, 3.0));
        assert!((found - 1.0 / 4.0).abs() < 1e-15);
        // MBG/NBD, the same: alive b / (a + b) times that, or dropped out at once: 1/8 + 1/2.
        let found = likelihood(Family::MbgNbd, observation(0, 0.0, 3.0));
        assert!((found - 5.0 / 8.0).abs() < 1e-15);
        // Bought at 0 and 1, now 3. MBG/NBD: b (b + 1) / ((a + b) (a + b + 1)) = 1/3, times 1 / 4^2 + 1/2 / 2^2.
        let found = likelihood(Family::MbgNbd, observation(1, 1.0, 3.0));
        assert!((found - 1.0 / 16.0).abs() < 1e-15);
        // BG/NBD: b / (a + b) = 1/2, times 1 / 4^2 + 1 / 2^2.
        let found = likelihood(Family::BgNbd, observation(1, 1.0, 3.0));
        assert!((found - 5.0 / 32.0).abs() < 1e-15);
    }

    #[test]
    fn the_derivatives_are_those_of_differences() {
        let groups = grouped(&shop(1.0));
        let at = [0.4, 5.0, 0.8, 2.5];
        let of = |[r, alpha, a, b]: [f64; 4]| Parameters { r, alpha, a, b };
        for family in [Family::MbgNbd, Family::BgNbd] {
            let found = sums(family, of(at), &groups).gradient;
            for (place, derivative) in found.into_iter().enumerate() {
                let width = 1e-5 * at[place];
                let shifted = |by: f64| {
                    let mut shifted = at;
                    shifted[place] += by;
                    sums(family, of(shifted), &groups).log_likelihood
                };
                let slope = (shifted(width) - shifted(-width)) / (2.0 * width);
                let off = (derivative - slope).abs();
                assert!(
                    off < 1e-6 * slope.abs().max(1.0),
                    "{place}: {derivative} {slope}"
                );
            }
        }
    }

    #[test]
    fn a_fit_is_where_no_neighbour_is_more_likely() {
        let shop = shop(1.0);
        for family in [Family::MbgNbd, Family::BgNbd] {
            let found = fit(family, &shop, Prior::None).unwrap();
            assert!(found.gradient_max < GRADIENT_MAX, "{found:?}");
            assert_eq!(found.customers, 2000);
            let best = as_array(found.parameters);
            for place in 0..4 {
                for factor in [0.99, 1.01] {
                    let mut other = best;
                    other[place] *= factor;
                    let [r, alpha, a, b] = other;
                    let parameters = Parameters { r, alpha, a, b };
                    let likelihood = log_likelihood(family, parameters, &shop);
                    assert!(likelihood < found.log_likelihood, "{found:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn the_parameters_that_customers_were_drawn_with_are_found_again() {
        let found = fit(Family::MbgNbd, &shop(1.0), Prior::None).unwrap();
        for (found, drawn) in as_array(found.parameters)
            .into_iter()
            .zip([1.0, 5.0, 1.0, 1.0])
        {
            // Standard errors are some percent at this size.
            assert!(log(found / drawn).abs() < 0.2, "{found} {drawn}");
        }
    }

    #[test]
    fn the_order_of_the_customers_changes_no_bit() {
        let shop = shop(1.0);
        let mut reversed = shop.clone();
        reversed.reverse();
        let found = fit(Family::MbgNbd, &shop, Prior::Weak).unwrap();
        let again = fit(Family::MbgNbd, &reversed, Prior::Weak).unwrap();
        let bits = |fit: Fit| as_array(fit.parameters).map(f64::to_bits);
        assert_eq!(bits(found), bits(again));
    }

    #[test]
    fn another_unit_of_time_changes_alpha_alone() {
        for prior in [Prior::None, Prior::Weak] {
            let weeks = fit(Family::MbgNbd, &shop(1.0), prior).unwrap();
            // In days, and in milliseconds.
            for unit in [7.0, 604_800_000.0] {
                let found = fit(Family::MbgNbd, &shop(unit), prior).unwrap();
                let expected = Parameters {
                    alpha: weeks.parameters.alpha * unit,
                    ..weeks.parameters
                };
                let pairs = as_array(found.parameters)
                    .into_iter()
                    .zip(as_array(expected));
                for (found, expected) in pairs {
                    assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let good = observation(1, 1.0, 3.0);
        let error = |wrong| fit(Family::MbgNbd, &[good, wrong], Prior::Weak).unwrap_err();
        for (wrong, message) in [
            (
                observation(1, 1.0, f64::NAN),
                "observation 1 has an age of NaN",
            ),
            (
                observation(1, 1.0, f64::INFINITY),
                "observation 1 has an age of inf",
            ),
            (
                observation(1, -1.0, 3.0),
                "observation 1 has an age of -1 at the last purchase",
            ),
            (
                observation(1, 4.0, 3.0),
                "observation 1 has an age of 4 at the last purchase, more than the 3 it has now",
            ),
            (
                observation(0, 2.0, 3.0),
                "observation 1 has an age of 2 at the last purchase, but no purchase after the first",
            ),
        ] {
            assert_eq!(error(wrong).to_string(), message);
        }
        let none = fit(Family::MbgNbd, &[], Prior::Weak).unwrap_err();
        assert_eq!(none, FitError::NoCustomers);
    }

    #[test]
    fn without_a_repeat_purchase_only_a_prior_gives_parameters() {
        let newcomers = [observation(0, 0.0, 30.0), observation(0, 0.0, 20.0)];
        for family in [Family::MbgNbd, Family::BgNbd] {
            let error = fit(family, &newcomers, Prior::None).unwrap_err();
            assert_eq!(error, FitError::NoRepeatPurchases { customers: 2 });
            let found = fit(family, &newcomers, Prior::Weak).unwrap();
            // Within the prior's three deviations, e^6.
            let mean = as_array(prior_mean(&newcomers));
            for (found, mean) in as_array(found.parameters).into_iter().zip(mean) {
                assert!(log(found / mean).abs() < 6.0);
            }
        }
    }

    #[test]
    fn the_priors_centre_is_a_quarter_of_the_mean_age() {
        let customers = [observation(0, 0.0, 30.0), observation(1, 5.0, 10.0)];
        let expected = Parameters {
            r: 0.5,
            alpha: 5.0,
            a: 1.0,
            b: 2.0,
        };
        assert_eq!(prior_mean(&customers), expected);
        let at_once = Parameters {
            alpha: 1.0,
            ..expected
        };
        assert_eq!(prior_mean(&[observation(0, 0.0, 0.0)]), at_once);
        assert_eq!(prior_mean(&[]), at_once);
    }
}
