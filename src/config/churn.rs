//! Settings of churn risk.

use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::domain::churn::ChurnDefinition;
use crate::domain::churn::ChurnPolicy;

/// Longest horizon and silence, in days: ten years.
const DAYS_MAX: u64 = 3_653;

pub(super) fn churn(reader: &mut Reader) -> Option<ChurnPolicy> {
    let methods = [
        ("model", Method::Model),
        ("silence", Method::Silence),
        ("off", Method::Off),
    ];
    let method = reader.one_of("churn.method", &methods);
    let is_purchase = reader.one_of("churn.score", &[("purchase", true), ("alive", false)]);
    let horizon_days = reader
        .integer("churn.horizon_days", 1, DAYS_MAX)
        .and_then(small::<u32>);
    let silence_days = reader
        .integer("churn.silence_days", 1, DAYS_MAX)
        .and_then(small::<u32>);
    let medium = threshold(reader, "churn.medium");
    let high = threshold(reader, "churn.high");
    let publishes_bands = reader.flag("churn.band_changes");
    // With silence, high is 1 whatever churn.high is.
    if let (Some(medium), Some(high), Some(Method::Model)) = (medium, high, &method)
        && medium >= high
    {
        reader.problem(
            "churn.medium",
            &format!("below churn.high, which is {high}"),
        );
        return None;
    }
    let horizon_days = f64::from(horizon_days?);
    let definition = match (method?, is_purchase?) {
        (Method::Off, _) => ChurnDefinition::Off,
        (Method::Silence, _) => ChurnDefinition::Silence {
            days: silence_days?,
        },
        (Method::Model, true) => ChurnDefinition::NoPurchaseWithin { horizon_days },
        (Method::Model, false) => ChurnDefinition::NotAlive,
    };
    silence_days?;
    Some(ChurnPolicy {
        definition,
        medium: medium?,
        high: high?,
        publishes_bands: publishes_bands?,
    })
}

#[derive(Clone)]
enum Method {
    Model,
    Silence,
    Off,
}

fn threshold(reader: &mut Reader, key: &str) -> Option<f64> {
    reader.parsed(key, "a number above 0 and below 1", |text| {
        let threshold: f64 = text.parse().ok()?;
        (threshold > 0.0 && threshold < 1.0).then_some(threshold)
    })
}
