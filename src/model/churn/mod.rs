//! Whether a customer will buy again, from the days on which they bought so far: the BG/NBD model of Fader,
//! Hardie and Lee (2005) and the MBG/NBD model of Batislam, Denizel and Filiztekin (2007), where a customer
//! may also drop out right after the first purchase.
//!
//! A customer buys at a rate of their own until they drop out, which may happen after any purchase. Rates
//! are Gamma(r, alpha) among customers, chances to drop out Beta(a, b). Each customer's clock starts at the
//! first purchase; several purchases on a day are one.

mod falling;
mod family;
mod purchases;

pub use crate::model::churn::family::Family;

use libm::exp;
use libm::expm1;
use libm::log1p;
use serde::Deserialize;
use serde::Serialize;

/// The parameters of a family.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Shape of the rates; above 0.
    pub r: f64,
    /// Inverse scale of the rates, in the time unit of the histories; above 0.
    pub alpha: f64,
    /// First shape of the chances to drop out; above 0.
    pub a: f64,
    /// Second shape of the chances to drop out; above 0.
    pub b: f64,
}

/// The purchase history of a customer, as a model needs it. Ages are counted from the first purchase, in any unit
/// that is the same for all customers and for the parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History {
    /// Days with a purchase after the first one.
    pub repeat_days: u32,
    /// Age at the last purchase; 0 with a single one.
    pub last_purchase_age: f64,
    /// Age now. One before the last purchase counts as that, as clocks may disagree.
    pub age: f64,
}

/// Where a probability that falls with the time since the last purchase reaches a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Crossing {
    /// It is at or below the level from the last purchase on.
    BelowAtLastPurchase,
    /// The customer's age then, after the last purchase.
    At(f64),
    /// It stays above the level, as far as floating point can represent.
    Never,
}

/// A family with parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChurnModel {
    family: Family,
    parameters: Parameters,
}

impl ChurnModel {
    /// `None` unless all four parameters are finite and above 0.
    #[must_use]
    pub fn new(family: Family, parameters: Parameters) -> Option<Self> {
        let Parameters { r, alpha, a, b } = parameters;
        let are_valid = [r, alpha, a, b]
            .iter()
            .all(|parameter| parameter.is_finite() && *parameter > 0.0);
        are_valid.then_some(Self { family, parameters })
    }

    /// The family.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// Its parameters.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// Probability, 0 to 1, that the customer has not dropped out yet. Fader, Hardie and Lee (2008),
    /// "Computing P(alive) using the BG/NBD model"; the MBG/NBD's is the same with b + 1 for b.
    #[must_use]
    pub fn probability_alive(&self, history: History) -> f64 {
        let odds = self.odds_at_purchase(history.repeat_days);
        if odds <= 0.0 {
            return 1.0;
        }
        let last = self.parameters.alpha + history.last_purchase_age;
        let silence = (history.age - history.last_purchase_age).max(0.0);
        1.0 / (1.0 + odds * exp(self.shape(history.repeat_days) * log1p(silence / last)))
    }

    /// [`Self::probability_alive`] right after the last purchase, whenever that was.
    #[must_use]
    pub fn probability_alive_at_purchase(&self, repeat_days: u32) -> f64 {
        1.0 / (1.0 + self.odds_at_purchase(repeat_days))
    }

    /// Probability, 0 to 1, of at least one purchase in the next `horizon` (at least 0, in the unit of the
    /// ages). The rate of a customer who is alive is Gamma(r + x, alpha + T), whatever the chance to drop out.
    #[must_use]
    pub fn probability_of_purchase(&self, history: History, horizon: f64) -> f64 {
        let now = self.parameters.alpha + history.age.max(history.last_purchase_age);
        let shape = self.shape(history.repeat_days);
        let buys_if_alive = -expm1(-shape * log1p(horizon.max(0.0) / now));
        self.probability_alive(history) * buys_if_alive
    }

    /// Shape of the customer's rate if alive.
    fn shape(&self, repeat_days: u32) -> f64 {
        self.parameters.r + f64::from(repeat_days)
    }

    /// Odds that the customer dropped out at the last purchase, as of right after it.
    fn odds_at_purchase(&self, repeat_days: u32) -> f64 {
        let survivals = self.family.survivals(self.parameters.b, repeat_days);
        survivals.map_or(0.0, |survivals| self.parameters.a / survivals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(family: Family, r: f64, alpha: f64, a: f64, b: f64) -> ChurnModel {
        ChurnModel::new(family, Parameters { r, alpha, a, b }).unwrap()
    }

    fn once(age: f64) -> History {
        History {
            repeat_days: 0,
            last_purchase_age: 0.0,
            age,
        }
    }

    const TWICE: History = History {
        repeat_days: 1,
        last_purchase_age: 1.0,
        age: 3.0,
    };

    fn assert_close(found: f64, expected: f64) {
        let off = (found - expected).abs();
        assert!(
            off <= 1e-14 * expected.abs(),
            "{found} is not {expected}: off by {off:e}"
        );
    }

    fn assert_at(found: Crossing, expected: f64) {
        let Crossing::At(age) = found else {
            panic!("{found:?} is not at {expected}");
        };
        assert_close(age, expected);
    }

    #[test]
    fn a_family_is_written_by_its_name() {
        for family in [Family::MbgNbd, Family::BgNbd] {
            let json = serde_json::to_string(&family).unwrap();
            assert_eq!(json, format!("\"{}\"", family.as_str()));
        }
    }

    #[test]
    fn parameters_that_are_not_positive_numbers_make_no_model() {
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            for place in 0..4 {
                let mut all = [0.5, 6.0, 0.9, 1.6];
                all[place] = wrong;
                let [r, alpha, a, b] = all;
                let parameters = Parameters { r, alpha, a, b };
                assert_eq!(ChurnModel::new(Family::MbgNbd, parameters), None);
            }
        }
    }

    #[test]
    fn probabilities_are_those_found_by_hand() {
        // All parameters 1, bought at 0 and 1, now 3: n = 2, ((1 + 3) / (1 + 1))^2 = 4.
        // MBG/NBD: odds of a drop-out 1 / 2 at the purchase, 2 now. BG/NBD: 1 and 4.
        let mbg = model(Family::MbgNbd, 1.0, 1.0, 1.0, 1.0);
        let bg = model(Family::BgNbd, 1.0, 1.0, 1.0, 1.0);
        assert_close(mbg.probability_alive_at_purchase(1), 2.0 / 3.0);
        assert_close(bg.probability_alive_at_purchase(1), 1.0 / 2.0);
        assert_close(mbg.probability_alive(TWICE), 1.0 / 3.0);
        assert_close(bg.probability_alive(TWICE), 1.0 / 5.0);
        // In the next 4, if alive: 1 - ((1 + 3) / (1 + 3 + 4))^2 = 3 / 4.
        assert_close(mbg.probability_of_purchase(TWICE, 4.0), 1.0 / 4.0);
        assert_close(bg.probability_of_purchase(TWICE, 4.0), 3.0 / 20.0);
        assert_close(mbg.probability_of_purchase(TWICE, f64::INFINITY), 1.0 / 3.0);
        assert!(mbg.probability_of_purchase(TWICE, 0.0).abs() < 1e-300);
    }

    #[test]
    fn levels_are_crossed_at_the_ages_found_by_hand() {
        let mbg = model(Family::MbgNbd, 1.0, 1.0, 1.0, 1.0);
        let bg = model(Family::BgNbd, 1.0, 1.0, 1.0, 1.0);
        // The probabilities above, the other way round.
        assert_at(mbg.age_when_alive_falls_to(1, 1.0, 1.0 / 3.0), 3.0);
        assert_at(bg.age_when_alive_falls_to(1, 1.0, 1.0 / 5.0), 3.0);
        assert_at(mbg.age_when_purchase_falls_to(1, 1.0, 4.0, 1.0 / 4.0), 3.0);
        assert_at(bg.age_when_purchase_falls_to(1, 1.0, 4.0, 3.0 / 20.0), 3.0);
        // A horizon without end leaves the probability to be alive.
        let endless = mbg.age_when_purchase_falls_to(1, 1.0, f64::INFINITY, 1.0 / 3.0);
        assert_at(endless, 3.0);
        // At the purchase: alive 2/3, and 2/3 (1 - (2 / 6)^2) = 16/27.
        let below = Crossing::BelowAtLastPurchase;
        for level in [0.67, 1.0, 2.0] {
            assert_eq!(mbg.age_when_alive_falls_to(1, 1.0, level), below);
        }
        for level in [0.6, 1.0, 2.0] {
            assert_eq!(mbg.age_when_purchase_falls_to(1, 1.0, 4.0, level), below);
        }
        assert_eq!(mbg.age_when_purchase_falls_to(1, 1.0, 0.0, 0.1), below);
    }

    #[test]
    fn after_one_purchase_bg_nbd_is_sure_of_a_customer_who_still_buys_ever_less() {
        let bg = model(Family::BgNbd, 1.0, 1.0, 1.0, 1.0);
        assert_close(bg.probability_alive(once(1e9)), 1.0);
        assert_close(bg.probability_alive_at_purchase(0), 1.0);
        assert_eq!(bg.age_when_alive_falls_to(0, 0.0, 0.999), Crossing::Never);
        // 1 - (1 + T) / (1 + T + 4) = 1/4 at T = 11.
        assert_close(bg.probability_of_purchase(once(11.0), 4.0), 1.0 / 4.0);
        assert_at(bg.age_when_purchase_falls_to(0, 0.0, 4.0, 1.0 / 4.0), 11.0);
        let endless = bg.age_when_purchase_falls_to(0, 0.0, f64::INFINITY, 0.5);
        assert_eq!(endless, Crossing::Never);
    }

    #[test]
    fn a_level_that_is_out_of_reach_is_never_crossed() {
        let mbg = model(Family::MbgNbd, 1.0, 1.0, 1.0, 1.0);
        for level in [0.0, -1.0, f64::NAN] {
            assert_eq!(mbg.age_when_alive_falls_to(1, 1.0, level), Crossing::Never);
            let crossing = mbg.age_when_purchase_falls_to(1, 1.0, 4.0, level);
            assert_eq!(crossing, Crossing::Never);
        }
        // ln 9 / 0.0001 = 22,000: e to that is no number.
        let slow = model(Family::MbgNbd, 1e-4, 1.0, 1.0, 1.0);
        assert_eq!(slow.age_when_alive_falls_to(0, 0.0, 0.1), Crossing::Never);
    }

    #[test]
    fn an_age_before_the_last_purchase_counts_as_that() {
        let mbg = model(Family::MbgNbd, 1.0, 1.0, 1.0, 1.0);
        let early = History { age: 0.5, ..TWICE };
        let then = History { age: 1.0, ..TWICE };
        assert_close(mbg.probability_alive(early), mbg.probability_alive(then));
        assert_close(
            mbg.probability_of_purchase(early, 4.0),
            mbg.probability_of_purchase(then, 4.0),
        );
        assert_close(
            mbg.expected_purchases(early, 4.0),
            mbg.expected_purchases(then, 4.0),
        );
    }

    #[test]
    fn expected_purchases_have_the_closed_forms_there_are() {
        // r = 1: the number of purchases without drop-out is geometric, more than j with probability
        // z^(j+1), here z = 1/2.
        // a = 1, where the published expression has a pole, b + 1 = 2: E (1 - p)^j = 2 / (2 + j), and the sum
        // is 2 / z (-ln(1 - z) - z); alive with probability 1/2.
        let mbg = model(Family::MbgNbd, 1.0, 1.0, 1.0, 1.0);
        let expected = 4.0 * (std::f64::consts::LN_2 - 0.5) / 2.0;
        assert_close(mbg.expected_purchases(once(0.0), 1.0), expected);
        // a + b = 1, where the published expression has another: E (1 - p)^j = (2j over j) / 4^j, and the sum is
        // z / sqrt(1 - z).
        let bg = model(Family::BgNbd, 1.0, 1.0, 0.5, 0.5);
        let expected = std::f64::consts::FRAC_1_SQRT_2;
        assert_close(bg.expected_purchases(once(0.0), 1.0), expected);
        assert!(bg.expected_purchases(once(0.0), 0.0).abs() < 1e-300);
    }

    #[test]
    fn who_never_drops_out_is_expected_to_go_on_as_before() {
        // (r + x) / (alpha + T) times the horizon; 2^5000 is no number, but the sum is.
        let loyal = model(Family::BgNbd, 0.5, 1.0, 1e-18, 1.0);
        for (repeat_days, age) in [(3, 10.0), (5000, 4999.0)] {
            let history = History {
                repeat_days,
                last_purchase_age: age,
                age,
            };
            let expected = (0.5 + f64::from(repeat_days)) / (1.0 + age) * 5000.0;
            let found = loyal.expected_purchases(history, 5000.0);
            assert!((found / expected - 1.0).abs() < 1e-11, "{found} {expected}");
        }
    }
}
