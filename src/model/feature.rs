//! A feature of a validated model: caps, transforms and scales raw values.

use std::sync::Arc;

use crate::domain::feature_source::FeatureSource;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::Transform;
use crate::model::path::Coordinate;

/// Greatest magnitude of a value in a feature's unit; above every amount of money and every number of a profile. A value
/// beyond it, which only damaged state could give, is as good as unknown: with it distances would not be finite.
pub const VALUE_MAX: f64 = 1e20;

/// A feature of a validated model.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Its name.
    pub name: Arc<str>,
    /// Where its raw value comes from.
    pub source: FeatureSource,
    /// Trailing days counted; `None`: since ever.
    pub window_days: Option<u32>,
    /// Median of the training rows, in the feature's unit.
    pub median: f64,
    transform: Transform,
    cap: f64,
    mean: f64,
    standard_deviation: f64,
}

impl Feature {
    pub(super) fn of(entry: &ArtifactFeature) -> Self {
        Self {
            name: entry.name.as_str().into(),
            source: FeatureSource::named(&entry.name),
            window_days: entry.window_days,
            median: entry.median,
            transform: entry.transform,
            cap: entry.cap.unwrap_or(f64::INFINITY),
            mean: entry.mean,
            standard_deviation: entry.standard_deviation,
        }
    }

    /// Caps, transforms and scales a raw value to standard deviations from the mean.
    #[must_use]
    pub fn scale(&self, raw: f64) -> f64 {
        (self.transform.apply(raw.min(self.cap)) - self.mean) / self.standard_deviation
    }

    /// A coordinate of a path that starts at a raw value and grows by so much a day.
    #[must_use]
    pub fn coordinate(&self, raw: f64, growth_per_day: f64) -> Coordinate {
        Coordinate {
            raw,
            growth_per_day,
            cap: self.cap,
            transform: self.transform,
            mean: self.mean,
            standard_deviation: self.standard_deviation,
        }
    }

    /// Greatest raw value that counts, in the feature's unit; infinite where there is none.
    #[must_use]
    pub fn cap(&self) -> f64 {
        self.cap
    }

    /// The raw value of a scaled one.
    #[must_use]
    pub fn unscale(&self, scaled: f64) -> f64 {
        self.transform
            .invert(scaled * self.standard_deviation + self.mean)
    }
}
