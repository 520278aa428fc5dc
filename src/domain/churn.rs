//! Churn risk: what a deployment means by it, and what is published of a customer's: a score, the band it
//! falls into, and the method behind it.

use serde::Deserialize;
use serde::Serialize;

/// How likely a customer is lost. Ascending.
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

/// Where a score comes from.
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

/// The risk of one customer as of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChurnRisk {
    /// 0 to 1.
    pub score: f64,
    /// Where it falls.
    pub band: RiskBand,
    /// Where it fell before the step; absent for a customer who had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_band: Option<RiskBand>,
    /// Where it comes from.
    pub method: RiskMethod,
}

/// What counts as churn, and what is said of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChurnPolicy {
    /// What the score is.
    pub definition: ChurnDefinition,
    /// The score from which on the risk is medium, above 0.
    pub medium: f64,
    /// The score from which on the risk is high, above `medium` and below 1.
    pub high: f64,
    /// A band that changes without the segment is a record of its own.
    pub publishes_bands: bool,
}

/// What the score is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ChurnDefinition {
    /// Nothing is said.
    Off,
    /// 1 - the probability of at least one purchase within so many days, by the model's churn section.
    NoPurchaseWithin {
        /// The days.
        horizon_days: f64,
    },
    /// 1 - the probability that the customer is still one, by the model's churn section.
    NotAlive,
    /// Days since the last purchase as a share of these; 1 from then on. High is 1.
    Silence {
        /// The days.
        days: u32,
    },
}

impl ChurnPolicy {
    /// The score from which on a band holds; `None` for the lowest, which always does.
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
