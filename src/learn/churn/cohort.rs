//! The data of the churn models: the purchase days of each customer as of the end of a day, and the customers who
//! bought again afterwards.

use serde::Serialize;

use crate::domain::time::Day;
use crate::learn::churn::fit::Observation;
use crate::learn::churn::quality::CalibrationBin;
use crate::learn::churn::quality::area_under_curve;
use crate::learn::churn::quality::brier;
use crate::learn::churn::quality::calibration;
use crate::learn::scaler::count;
use crate::model::churn::ChurnModel;
use crate::model::churn::History;

/// Groups of customers in a calibration, from the lowest prediction to the highest.
const CALIBRATION_BINS: usize = 10;

/// The purchase days of one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseDays {
    /// The first.
    pub first: Day,
    /// The last.
    pub last: Day,
    /// Purchase days before those in `days`, which are known only by their number.
    pub folded: u32,
    /// Ascending, each once.
    pub days: Vec<Day>,
}

/// The ledger does not hold every purchase day of a customer up to a day any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("purchases before {until} are not kept day by day any more for every customer")]
pub struct NotCovered {
    /// The day asked for.
    pub until: Day,
}

impl PurchaseDays {
    /// The history as of the end of a day, in days; `None` for a customer whose first purchase is later.
    ///
    /// # Errors
    /// If the ledger does not reach back as far.
    pub fn observed(&self, until: Day) -> Result<Option<Observation>, NotCovered> {
        if self.first > until {
            return Ok(None);
        }
        let kept = self.days.partition_point(|day| *day <= until);
        let last = match self.days.get(..kept).and_then(<[Day]>::last) {
            Some(last) => *last,
            None if self.days.is_empty() && self.last <= until => self.last,
            None => return Err(NotCovered { until }),
        };
        let purchase_days = self
            .folded
            .saturating_add(u32::try_from(kept).unwrap_or(u32::MAX));
        Ok(Some(Observation {
            repeat_days: purchase_days.saturating_sub(1),
            last_purchase_age: f64::from(last.days_after(self.first)),
            age: f64::from(until.days_after(self.first)),
        }))
    }

    fn returns_within(&self, until: Day, days: u32) -> bool {
        let after = self.days.partition_point(|day| *day <= until);
        let next = self.days.get(after);
        next.is_some_and(|day| *day <= until.plus_days(days))
    }
}

/// The predictions "buys again within so many days" as of a day, compared with what happened. An area under the
/// curve is the probability that a customer who bought again was ranked above one who did not; 0.5 is chance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Holdout {
    /// Length of the holdout: days after the last day that was used.
    pub days: u32,
    /// Customers, all of them.
    pub customers: usize,
    /// Share of them that bought again.
    pub share_returned: f64,
    /// Of the predictions.
    pub area_under_curve: f64,
    /// Mean squared error of the predictions.
    pub brier: f64,
    /// The same where the prediction for every customer is the share that returned.
    pub brier_of_share: f64,
    /// Of P(alive), for comparison.
    pub area_under_curve_alive: f64,
    /// Of the days since the last purchase, fewer first.
    pub area_under_curve_recency: f64,
    /// Of the number of purchase days.
    pub area_under_curve_frequency: f64,
    /// Customers in ten groups by prediction.
    pub calibration: Vec<CalibrationBin>,
}

/// Compares the predictions as of `until` with the customers who bought again within `days` after it; `None` if
/// none of them did, or all did.
///
/// # Errors
/// If the ledger does not reach back as far.
pub fn holdout(
    cohort: &[PurchaseDays],
    model: &ChurnModel,
    until: Day,
    days: u32,
) -> Result<Option<Holdout>, NotCovered> {
    let mut histories = Vec::with_capacity(cohort.len());
    let mut returned = Vec::with_capacity(cohort.len());
    for customer in cohort {
        let Some(observed) = customer.observed(until)? else {
            continue;
        };
        histories.push(History {
            repeat_days: observed.repeat_days,
            last_purchase_age: observed.last_purchase_age,
            age: observed.age,
        });
        returned.push(customer.returns_within(until, days));
    }
    let scored = |score: &dyn Fn(History) -> f64| -> Vec<f64> {
        histories.iter().map(|history| score(*history)).collect()
    };
    let forecasts = scored(&|history| model.probability_of_purchase(history, f64::from(days)));
    let alive = scored(&|history| model.probability_alive(history));
    let recency = scored(&|history| history.last_purchase_age - history.age);
    let frequency = scored(&|history| f64::from(history.repeat_days));
    let found = || {
        let customers = histories.len();
        let ones: Vec<f64> = returned
            .iter()
            .map(|back| f64::from(u8::from(*back)))
            .collect();
        let share = ones.iter().sum::<f64>() / count(customers);
        Some(Holdout {
            days,
            customers,
            share_returned: share,
            area_under_curve: area_under_curve(&forecasts, &returned)?,
            brier: brier(&forecasts, &returned)?,
            brier_of_share: brier(&vec![share; customers], &returned)?,
            area_under_curve_alive: area_under_curve(&alive, &returned)?,
            area_under_curve_recency: area_under_curve(&recency, &returned)?,
            area_under_curve_frequency: area_under_curve(&frequency, &returned)?,
            calibration: calibration(&forecasts, &returned, CALIBRATION_BINS),
        })
    };
    Ok(found())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(folded: u32, days: &[i32]) -> PurchaseDays {
        PurchaseDays {
            first: Day(if folded > 0 { 0 } else { days[0] }),
            last: Day(*days.last().unwrap()),
            folded,
            days: days.iter().map(|day| Day(*day)).collect(),
        }
    }

    /// By hand: of days 10, 15 and 40, two are known at the end of day 20: one repeat, 5 days after the first,
    /// 10 days ago.
    #[test]
    fn a_customer_is_observed_as_of_the_end_of_a_day() {
        let observed = customer(0, &[10, 15, 40])
            .observed(Day(20))
            .unwrap()
            .unwrap();
        let found = (
            observed.repeat_days,
            observed.last_purchase_age,
            observed.age,
        );
        assert_eq!(found, (1, 5.0, 10.0));
        assert_eq!(customer(0, &[10]).observed(Day(9)), Ok(None));
        assert!(customer(0, &[10, 15, 40]).returns_within(Day(20), 20));
        assert!(!customer(0, &[10, 15, 40]).returns_within(Day(20), 19));
    }

    #[test]
    fn folded_days_count_but_cannot_be_split() {
        let observed = customer(3, &[100, 200])
            .observed(Day(150))
            .unwrap()
            .unwrap();
        assert_eq!(
            (observed.repeat_days, observed.last_purchase_age),
            (3, 100.0)
        );
        let refused = customer(3, &[100, 200]).observed(Day(50));
        assert_eq!(refused, Err(NotCovered { until: Day(50) }));
    }
}
