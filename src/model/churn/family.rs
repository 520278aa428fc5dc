//! The two models of dropping out.

use serde::Deserialize;
use serde::Serialize;

/// The two models; they differ in when a customer can first drop out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// MBG/NBD: after any purchase.
    MbgNbd,
    /// BG/NBD: after any purchase but the first, so that a customer with one purchase is alive for certain.
    BgNbd,
}

impl Family {
    /// The name in artifacts and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MbgNbd => "mbg_nbd",
            Self::BgNbd => "bg_nbd",
        }
    }

    /// Times a customer could have dropped out before the last purchase, beyond the repeated ones.
    #[must_use]
    pub fn trials_extra(self) -> u32 {
        match self {
            Self::MbgNbd => 1,
            Self::BgNbd => 0,
        }
    }

    /// b plus the times the customer did not drop out before the last purchase; `None` where there was no
    /// chance to drop out at all.
    #[must_use]
    pub fn survivals(self, b: f64, repeat_days: u32) -> Option<f64> {
        match self {
            Self::MbgNbd => Some(b + f64::from(repeat_days)),
            Self::BgNbd => repeat_days
                .checked_sub(1)
                .map(|before| b + f64::from(before)),
        }
    }
}
