//! What is done to a raw value after the cap.

use serde::Deserialize;
use serde::Serialize;

/// Monotone transform of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// x
    Identity,
    /// ln(1 + x), for x >= 0
    Log1p,
}

impl Transform {
    /// Applies the transform; `Log1p` takes negative values as 0.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::Identity => value,
            Self::Log1p => libm::log1p(value.max(0.0)),
        }
    }

    /// Takes the transform back.
    #[must_use]
    pub fn invert(self, value: f64) -> f64 {
        match self {
            Self::Identity => value,
            Self::Log1p => libm::expm1(value),
        }
    }
}
