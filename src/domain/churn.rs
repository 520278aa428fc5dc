//! Churn risk: its definition in a deployment, and the risk of a customer: a score, its band and its
//! method.

use serde::Deserialize;
use serde::Serialize;

/// A band of churn risk. Ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskBand {
    /// Below both thresholds.
    Low,
    /// From the lower threshold on.
    Medium,
    /// From the higher threshold on.
    High,
}

impl RiskBand {
    /// All of them, ascending.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The method of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskMethod {
    /// The MBG/NBD model.
    MbgNbd,
    /// The BG/NBD model.
    BgNbd,
    /// Days without a purchase.
    Silence,
}

impl RiskMethod {
    /// Its name where it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MbgNbd => "mbg_nbd",
            Self::BgNbd => "bg_nbd",
            Self::Silence => "silence",
        }
    }
}

/// The risk of one customer as of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChurnRisk {
    /// 0 to 1.
    pub score: f64,
    /// The band of the score.
    pub band: RiskBand,
    /// The band before the step; absent for a customer who had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_band: Option<RiskBand>,
    /// The method of the score.
    pub method: RiskMethod,
}

/// How churn risk is defined and published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChurnPolicy {
    /// The definition of the score.
    pub definition: ChurnDefinition,
    /// The score from which on the risk is medium, above 0.
    pub medium: f64,
    /// The score from which on the risk is high, above `medium` and below 1.
    pub high: f64,
    /// A band that changes without the segment is a record of its own.
    pub publishes_bands: bool,
}

/// The definition of the score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ChurnDefinition {
    /// No score.
    Off,
    /// 1 - the probability of at least one purchase within so many days, by the model's churn section.
    NoPurchaseWithin {
        /// The days.
        horizon_days: f64,
    },
    /// 1 - the probability that the customer has not dropped out, by the model's churn section.
    NotAlive,
    /// Days since the last purchase / `days`, at most 1. The high band begins at 1.
    Silence {
        /// The days.
        days: u32,
    },
}

impl ChurnPolicy {
    /// The least score of a band; `None` for the lowest band, which has none.
    #[must_use]
    pub fn threshold(&self, band: RiskBand) -> Option<f64> {
        match (band, self.definition) {
            (RiskBand::Low, _) => None,
            (RiskBand::Medium, _) => Some(self.medium),
            (RiskBand::High, ChurnDefinition::Silence { .. }) => Some(1.0),
            (RiskBand::High, _) => Some(self.high),
        }
    }
}
