//! Churn risk of one customer as of an instant, and when time alone moves it into the next band.
//! docs/TIME_AND_CHURN.md, Churn risk.

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::churn::ChurnDefinition;
use crate::domain::churn::ChurnPolicy;
use crate::domain::churn::ChurnRisk;
use crate::domain::churn::RiskBand;
use crate::domain::churn::RiskMethod;
use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;
use crate::engine::policy::Policy;
use crate::engine::snap;
use crate::model::churn::ChurnModel;
use crate::model::churn::Crossing;
use crate::model::churn::Family;
use crate::model::churn::History;
use crate::model::segment_model::SegmentModel;

/// The churn risk of one customer as a function of time, until the next event.
#[derive(Clone, Copy, Debug)]
pub struct RiskPath {
    policy: ChurnPolicy,
    course: Course,
}

#[derive(Clone, Copy, Debug)]
enum Course {
    /// By a model, from the day of the first purchase on.
    Model {
        model: ChurnModel,
        repeat_days: u32,
        last_purchase_age_days: f64,
        first_day_at: Timestamp,
        score: ModelScore,
    },
    /// By the days since the last purchase.
    Silence { last_at: Timestamp, days: f64 },
}

#[derive(Clone, Copy, Debug)]
enum ModelScore {
    NoPurchaseWithin { horizon_days: f64 },
    NotAlive,
}

impl RiskPath {
    /// `None` for a customer without a purchase, where churn is off, and where the model has no churn formulas.
    #[must_use]
    pub fn of(
        aggregate: &CustomerAggregate,
        model: &SegmentModel,
        policy: &Policy,
    ) -> Option<Self> {
        let purchases = aggregate.purchases?;
        let score = match policy.churn.definition {
            ChurnDefinition::Off => return None,
            ChurnDefinition::Silence { days } => {
                return Some(Self {
                    policy: policy.churn,
                    course: Course::Silence {
                        last_at: purchases.last_at,
                        days: f64::from(days),
                    },
                });
            }
            ChurnDefinition::NoPurchaseWithin { horizon_days } => {
                ModelScore::NoPurchaseWithin { horizon_days }
            }
            ChurnDefinition::NotAlive => ModelScore::NotAlive,
        };
        let first_day = policy.zone.day_of(purchases.first_at);
        let last_day = policy.zone.day_of(purchases.last_at);
        Some(Self {
            policy: policy.churn,
            course: Course::Model {
                model: model.churn()?.model,
                repeat_days: aggregate.ledger.purchase_days().saturating_sub(1),
                last_purchase_age_days: f64::from(last_day.days_after(first_day)),
                first_day_at: policy.zone.start_of(first_day),
                score,
            },
        })
    }

    /// Where the scores come from.
    #[must_use]
    pub fn method(&self) -> RiskMethod {
        match self.course {
            Course::Silence { .. } => RiskMethod::Silence,
            Course::Model { model, .. } => match model.family() {
                Family::MbgNbd => RiskMethod::MbgNbd,
                Family::BgNbd => RiskMethod::BgNbd,
            },
        }
    }

    /// The score, 0 to 1; it never falls while nothing happens.
    #[must_use]
    pub fn score(&self, as_of: Timestamp) -> f64 {
        match self.course {
            Course::Silence { last_at, days } => (as_of.days_since(last_at) / days).min(1.0),
            Course::Model {
                model,
                repeat_days,
                last_purchase_age_days,
                first_day_at,
                score,
            } => {
                // Days are counted by the calendar, which may be ahead of the clock because of daylight saving.
                let age = as_of.days_since(first_day_at).max(last_purchase_age_days);
                let history = History {
                    repeat_days,
                    last_purchase_age: last_purchase_age_days,
                    age,
                };
                let stays = match score {
                    ModelScore::NotAlive => model.probability_alive(history),
                    ModelScore::NoPurchaseWithin { horizon_days } => {
                        model.probability_of_purchase(history, horizon_days)
                    }
                };
                1.0 - stays
            }
        }
    }

    /// The risk as of an instant, with the band before.
    #[must_use]
    pub fn risk(&self, as_of: Timestamp, previous_band: Option<RiskBand>) -> ChurnRisk {
        let score = self.score(as_of);
        ChurnRisk {
            score,
            band: self.band_of(score),
            previous_band,
            method: self.method(),
        }
    }

    /// The band of a score.
    #[must_use]
    pub fn band_of(&self, score: f64) -> RiskBand {
        let reached = |band: &RiskBand| {
            let threshold = self.policy.threshold(*band);
            threshold.is_none_or(|threshold| score >= threshold)
        };
        let highest = RiskBand::ALL.into_iter().rev().find(reached);
        highest.unwrap_or(RiskBand::Low)
    }

    /// The first millisecond after `now` at which time alone has moved the customer out of a band;
    /// `Err` with the end where that comes later than `until`, `Ok(None)` if it never does.
    ///
    /// # Errors
    /// See above.
    pub fn leaves(
        &self,
        band: RiskBand,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, Beyond> {
        let next = match band {
            RiskBand::Low => RiskBand::Medium,
            RiskBand::Medium => RiskBand::High,
            RiskBand::High => return Ok(None),
        };
        let Some(threshold) = self.policy.threshold(next) else {
            return Ok(None);
        };
        let Some(near) = self.near(threshold) else {
            return Ok(None);
        };
        if near > until {
            return Err(Beyond);
        }
        let has_left = |at: Timestamp| self.band_of(self.score(at)) > band;
        Ok(Some(snap::first_after(near, (now, until), has_left)))
    }

    /// Where the solution of the formula lies.
    fn near(&self, threshold: f64) -> Option<Timestamp> {
        match self.course {
            Course::Silence { last_at, days } => Some(after(last_at, threshold * days)),
            Course::Model {
                model,
                repeat_days,
                last_purchase_age_days,
                first_day_at,
                score,
            } => {
                let stays = 1.0 - threshold;
                let crossing = match score {
                    ModelScore::NotAlive => {
                        model.age_when_alive_falls_to(repeat_days, last_purchase_age_days, stays)
                    }
                    ModelScore::NoPurchaseWithin { horizon_days } => model
                        .age_when_purchase_falls_to(
                            repeat_days,
                            last_purchase_age_days,
                            horizon_days,
                            stays,
                        ),
                };
                match crossing {
                    Crossing::At(age_days) => Some(after(first_day_at, age_days)),
                    Crossing::BelowAtLastPurchase => {
                        Some(after(first_day_at, last_purchase_age_days))
                    }
                    Crossing::Never => None,
                }
            }
        }
    }
}

/// The result is later than the end of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beyond;

/// The whole millisecond after so many days of 24 hours; the end of time where that is beyond it.
#[must_use]
pub fn after(from: Timestamp, days: f64) -> Timestamp {
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    let milliseconds = days * DAY_MS as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast from f64 saturates, and the instant is clamped"
    )]
    let whole = milliseconds.floor() as i64;
    from.plus_milliseconds(whole.saturating_add(1))
}
