//! The churn model of an artifact.

use serde::Deserialize;
use serde::Serialize;

use crate::model::churn::Family;

/// A fitted model of repeat purchases, with time in days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactChurn {
    /// Which model.
    pub method: Family,
    /// Shape of the purchase rates, above 0.
    pub r: f64,
    /// Scale of the purchase rates in days, above 0.
    pub alpha_days: f64,
    /// First shape of the drop-out probabilities, above 0.
    pub a: f64,
    /// Second shape of the drop-out probabilities, above 0.
    pub b: f64,
    /// The basis of the parameters.
    pub basis: ChurnBasis,
    /// What was read: the input's file name and format.
    pub source: String,
    /// RFC 3339 instant of the fit.
    pub fitted_at: String,
    /// Last day of the purchases that were used.
    pub until: String,
    /// Customers with a purchase up to then.
    pub customers: u64,
    /// `weak` or `none`.
    pub prior: String,
    /// Log-likelihood of the customers, without the prior.
    pub log_likelihood: f64,
    /// How well it predicts who buys again after `until`; absent where that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<ArtifactHoldout>,
}

/// The basis of the parameters of a churn model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChurnBasis {
    /// The shop's own customers.
    Fitted,
    /// Another shop's customers, until there is a fit to the shop's own.
    Example,
    /// The centre of the prior, as there are too few customers for a fit.
    Prior,
}

impl ChurnBasis {
    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::Example => "example",
            Self::Prior => "prior",
        }
    }
}

/// The predictions "buys again within so many days", compared with what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactHoldout {
    /// Days after the last day that was used.
    pub days: u32,
    /// Customers, all of them.
    pub customers: u64,
    /// Share of them that bought again.
    pub share_returned: f64,
    /// Probability that a customer who returned had a higher prediction than one who did not.
    pub area_under_curve: f64,
    /// Mean squared error of the predictions.
    pub brier: f64,
}
