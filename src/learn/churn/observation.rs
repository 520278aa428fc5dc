//! Observations: checks that a history is possible, and groups those that are the same.

use crate::learn::scaler::count;
use crate::model::churn::History as Observation;

/// Why an observation is impossible.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// An age that is negative, infinite or no number.
    #[error("has an age of {0}")]
    Age(f64),
    /// An age at the last purchase that is negative, infinite or no number.
    #[error("has an age of {0} at the last purchase")]
    LastPurchaseAge(f64),
    /// The last purchase comes after the end.
    #[error(
        "has an age of {last_purchase_age} at the last purchase, more than the {age} it has now"
    )]
    PurchaseAfterEnd {
        /// Age at the last purchase.
        last_purchase_age: f64,
        /// Age now.
        age: f64,
    },
    /// A last purchase later than the first one, but no second one.
    #[error("has an age of {0} at the last purchase, but no purchase after the first")]
    RepeatMissing(f64),
}

pub(super) fn problem(observation: &Observation) -> Option<Problem> {
    let Observation {
        repeat_days,
        last_purchase_age,
        age,
    } = *observation;
    let is_wrong = |age: f64| !age.is_finite() || age < 0.0;
    if is_wrong(age) {
        Some(Problem::Age(age))
    } else if is_wrong(last_purchase_age) {
        Some(Problem::LastPurchaseAge(last_purchase_age))
    } else if last_purchase_age > age {
        Some(Problem::PurchaseAfterEnd {
            last_purchase_age,
            age,
        })
    } else if repeat_days == 0 && last_purchase_age > 0.0 {
        Some(Problem::RepeatMissing(last_purchase_age))
    } else {
        None
    }
}

/// Customers with the same history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) repeat_days: u32,
    pub(super) last_purchase_age: f64,
    pub(super) age: f64,
    pub(super) customers: f64,
}

/// Ascending by repeat days, then by ages.
pub(super) fn grouped(observations: &[Observation]) -> Vec<Group> {
    let mut sorted = observations.to_vec();
    let by_history = |left: &Observation, right: &Observation| {
        let by_days = left.repeat_days.cmp(&right.repeat_days);
        by_days
            .then(left.last_purchase_age.total_cmp(&right.last_purchase_age))
            .then(left.age.total_cmp(&right.age))
    };
    sorted.sort_unstable_by(by_history);
    sorted
        .chunk_by(|left, right| by_history(left, right).is_eq())
        .filter_map(|equal| {
            equal.first().map(|first| Group {
                repeat_days: first.repeat_days,
                last_purchase_age: first.last_purchase_age,
                age: first.age,
                customers: count(equal.len()),
            })
        })
        .collect()
}
