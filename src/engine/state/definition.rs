//! What decides the state of a deployment. State that was made under one definition is not continued under another.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::churn::ChurnDefinition;
use crate::domain::churn::ChurnPolicy;
use crate::domain::ids::stable_hash;
use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::money::Exchange;
use crate::domain::partitioner::Partitioner;
use crate::domain::time::BusinessZone;
use crate::engine::policy::Policy;
use crate::model::segment_model::SegmentModel;

/// Field of the partitioner. Where the setting is empty, the state's value holds.
const PARTITIONER: &str = "input.partitioner";
/// Each rate as `GBP 13e-1`, in the order of the currencies.
const RATES: &str = "money.rates";
const RATES_SEPARATOR: &str = ", ";
const BASE_CURRENCY: &str = "money.base_currency";
const ZONE: &str = "time.business_zone";
const LEDGER_DAYS: &str = "state.ledger_days";
const REFUND_DAYS: &str = "state.refund_days";
const REMEMBERED_IDS: &str = "deduplication.ids";
const ASSIGN_PROSPECTS: &str = "assign_prospects";
const MODEL_VERSION: &str = "model.version";
const MODEL_FINGERPRINT: &str = "model.fingerprint";

/// Fields and their values as text; most have the name of their setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition(BTreeMap<String, String>);

/// The parts of a definition.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The deployment's choices.
    pub policy: &'a Policy,
    /// Base currency and rates.
    pub exchange: &'a Exchange,
    /// The model.
    pub model: &'a SegmentModel,
    /// The partitioner of the keys; `None`: that of the state, murmur2 where there is no state.
    pub partitioner: Option<Partitioner>,
    /// Partitions of the input.
    pub partitions: u32,
}

/// A field with two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// The value of the state.
    pub state: String,
    /// The value of the settings.
    pub settings: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            state,
            settings,
        } = self;
        write!(
            formatter,
            "{field} is {state} in the state and {settings} in the settings"
        )
    }
}

impl Definition {
    /// The definition of a run.
    #[must_use]
    pub fn of(parts: Parts<'_>) -> Self {
        let policy = parts.policy;
        let rates = parts.exchange.rates.iter();
        let mut rates: Vec<String> = rates
            .map(|(currency, rate)| format!("{currency} {}", rate.canonical()))
            .collect();
        rates.sort();
        let zone = &policy.zone;
        let mut fields = vec![
            (BASE_CURRENCY, parts.exchange.base.to_string()),
            (RATES, rates.join(RATES_SEPARATOR)),
            (ZONE, zone.name().to_owned()),
            (
                "rules of time.business_zone",
                format!("{:016x}", zone.rules_fingerprint()),
            ),
            (LEDGER_DAYS, policy.ledger_days.to_string()),
            (REFUND_DAYS, policy.refund_days.to_string()),
            (REMEMBERED_IDS, policy.remembered_ids.to_string()),
            (ASSIGN_PROSPECTS, policy.assign_prospects.to_string()),
            ("partitions of the input", parts.partitions.to_string()),
            (MODEL_VERSION, parts.model.facts().version.to_string()),
            (MODEL_FINGERPRINT, parts.model.fingerprint().to_owned()),
            ("churn", churn(&policy.churn)),
        ];
        if let Some(partitioner) = parts.partitioner {
            fields.push((PARTITIONER, partitioner.as_str().to_owned()));
        }
        let named = fields.into_iter();
        Self(
            named
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The definition of state of format 3, which holds its model alone. The partitioner is unchecked, as that version
    /// did not compare keys with partitions. Every other field takes the value of the run that continues it.
    #[must_use]
    pub fn of_format_3(model_version: &str, model_fingerprint: &str) -> Self {
        let fields = [
            (MODEL_VERSION, model_version),
            (MODEL_FINGERPRINT, model_fingerprint),
            (PARTITIONER, Partitioner::Unchecked.as_str()),
        ];
        let named = fields.into_iter();
        let owned = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(owned.collect())
    }

    /// A field's value, if it has one.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The policy of a run, with the fields that decide state as the state has them; `None` if a field cannot be read.
    #[must_use]
    pub fn policy(&self, settings: &Policy) -> Option<Policy> {
        let mut policy = settings.clone();
        if let Some(name) = self.field(ZONE) {
            policy.zone = BusinessZone::named(name).ok()?;
        }
        if let Some(code) = self.field(BASE_CURRENCY) {
            policy.base_currency = Currency::parse(code)?;
        }
        if let Some(days) = self.field(LEDGER_DAYS) {
            policy.ledger_days = days.parse().ok()?;
        }
        if let Some(days) = self.field(REFUND_DAYS) {
            policy.refund_days = days.parse().ok()?;
        }
        if let Some(ids) = self.field(REMEMBERED_IDS) {
            policy.remembered_ids = ids.parse().ok()?;
        }
        if let Some(assigns) = self.field(ASSIGN_PROSPECTS) {
            policy.assign_prospects = assigns.parse().ok()?;
        }
        Some(policy)
    }

    /// Version and fingerprint of the model, if there is one.
    #[must_use]
    pub fn model(&self) -> Option<(&str, &str)> {
        Some((self.field(MODEL_VERSION)?, self.field(MODEL_FINGERPRINT)?))
    }

    /// The partitioner of the keys.
    #[must_use]
    pub fn partitioner(&self) -> Partitioner {
        let stated = self.0.get(PARTITIONER);
        let known = stated.and_then(|text| Partitioner::parse(text));
        known.unwrap_or_default()
    }

    /// A number that differs where two definitions do.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let parts: Vec<&str> = self
            .0
            .iter()
            .flat_map(|(name, value)| [name.as_str(), value.as_str()])
            .collect();
        stable_hash(&parts)
    }

    /// The definition under which a run of these settings continues state. Fields that the state lacks are taken from
    /// the run, and fields that the settings leave empty from the state. A rate for a currency without one is no other
    /// definition: its events were all rejected, so no amount of the state is made with another rate.
    ///
    /// # Errors
    /// Every field in which the two differ.
    pub fn continued(&self, state: &Self) -> Result<Self, Vec<Difference>> {
        let mut continued = self.clone();
        let mut differences = Vec::new();
        for (field, value) in &state.0 {
            match self.0.get(field) {
                Some(ours) if ours == value => {}
                Some(ours) if field == RATES => {
                    let base = self.field(BASE_CURRENCY);
                    // A rate of the base currency was never used.
                    let others = other_rates(value, ours).into_iter();
                    let of_base = base.map(|base| format!("{RATES}.{base}"));
                    differences.extend(others.filter(|one| Some(&one.field) != of_base.as_ref()));
                }
                Some(ours) => differences.push(Difference {
                    field: field.clone(),
                    state: value.clone(),
                    settings: ours.clone(),
                }),
                None => {
                    continued.0.insert(field.clone(), value.clone());
                }
            }
        }
        // A model of another version is another one, whatever its content is.
        if differences.iter().any(|one| one.field == MODEL_VERSION) {
            differences.retain(|one| one.field != MODEL_FINGERPRINT);
        }
        if differences.is_empty() {
            Ok(continued)
        } else {
            Err(differences)
        }
    }

    /// Whether exactly the same currencies have a rate, and the same one.
    #[must_use]
    pub fn has_rates_of(&self, other: &Self) -> bool {
        self.field(RATES) == other.field(RATES)
    }

    /// The definition under which a run of these settings begins.
    #[must_use]
    pub fn begun(&self) -> Self {
        let mut begun = self.clone();
        let partitioner = begun.partitioner().as_str().to_owned();
        begun.0.insert(PARTITIONER.to_owned(), partitioner);
        begun
    }
}

/// The rates of the state that the settings lack or state otherwise.
fn other_rates(state: &str, settings: &str) -> Vec<Difference> {
    let settings: BTreeMap<&str, &str> = rates(settings).collect();
    let changed = rates(state).filter(|(currency, rate)| settings.get(currency) != Some(rate));
    let named = changed.map(|(currency, rate)| Difference {
        field: format!("{RATES}.{currency}"),
        state: plain(rate),
        settings: settings
            .get(currency)
            .map_or_else(|| "none".to_owned(), |rate| plain(rate)),
    });
    named.collect()
}

fn rates(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let each = text.split(RATES_SEPARATOR);
    each.filter_map(|rate| rate.split_once(' '))
}

fn plain(rate: &str) -> String {
    Decimal::parse(rate).map_or_else(|| rate.to_owned(), Decimal::plain)
}

fn churn(policy: &ChurnPolicy) -> String {
    let ChurnPolicy {
        definition,
        medium,
        high,
        publishes_bands,
    } = policy;
    let definition = match definition {
        ChurnDefinition::Off => return "off".to_owned(),
        ChurnDefinition::NoPurchaseWithin { horizon_days } => {
            format!("no purchase within {horizon_days} days")
        }
        ChurnDefinition::NotAlive => "not alive".to_owned(),
        ChurnDefinition::Silence { days } => format!("{days} days of silence"),
    };
    let bands = if *publishes_bands {
        "published"
    } else {
        "not published"
    };
    format!("{definition}, medium from {medium}, high from {high}, changes of bands {bands}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, &str)]) -> Definition {
        let fields = fields.iter();
        Definition(
            fields
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn every_field_that_differs_is_named_with_both_values() {
        let settings = of(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let state = of(&[("a", "1"), ("b", "5"), ("c", "6")]);
        let differences = settings.continued(&state).unwrap_err();
        let sentences: Vec<String> = differences.iter().map(Difference::to_string).collect();
        assert_eq!(
            sentences,
            [
                "b is 5 in the state and 2 in the settings",
                "c is 6 in the state and 3 in the settings"
            ]
        );
    }

    #[test]
    fn a_field_that_the_state_lacks_is_adopted_and_an_open_one_is_the_states() {
        let settings = of(&[("new", "1"), ("same", "2")]);
        let state = of(&[("same", "2"), (PARTITIONER, "unchecked")]);
        let continued = settings.continued(&state).unwrap();
        assert_eq!(continued.field("new"), Some("1"));
        assert_eq!(continued.partitioner(), Partitioner::Unchecked);
        assert_eq!(settings.begun().partitioner(), Partitioner::Murmur2Random);
    }

    /// Which rates may be continued with which, and what is said of the others.
    #[test]
    fn a_rate_may_be_added_and_none_may_change_or_go() {
        let cases: [(&str, &str, &[&str]); 6] = [
            ("", "GBP 13e-1", &[]),
            ("EUR 108e-2", "CHF 11e-1, EUR 108e-2, GBP 13e-1", &[]),
            (
                "GBP 13e-1",
                "",
                &["money.rates.GBP is 1.3 in the state and none in the settings"],
            ),
            (
                "EUR 108e-2, GBP 13e-1",
                "EUR 109e-2, GBP 13e-1",
                &["money.rates.EUR is 1.08 in the state and 1.09 in the settings"],
            ),
            (
                "EUR 108e-2, JPY 7e-3",
                "GBP 13e-1, JPY 6e-3",
                &[
                    "money.rates.EUR is 1.08 in the state and none in the settings",
                    "money.rates.JPY is 0.007 in the state and 0.006 in the settings",
                ],
            ),
            // Longer than a currency that it begins with.
            ("GBP 13e-1", "GBP 13e-1, GBX 13e-3", &[]),
        ];
        for (state, settings, expected) in cases {
            let (state, ours) = (of(&[(RATES, state)]), of(&[(RATES, settings)]));
            match ours.continued(&state) {
                Ok(continued) => {
                    assert!(expected.is_empty(), "{settings}");
                    assert_eq!(continued.field(RATES), Some(settings));
                }
                Err(differences) => {
                    let said = differences.iter().map(Difference::to_string);
                    assert_eq!(said.collect::<Vec<_>>(), expected);
                }
            }
        }
    }

    #[test]
    fn a_rate_of_the_base_currency_in_the_state_is_none() {
        let state = of(&[(BASE_CURRENCY, "USD"), (RATES, "EUR 108e-2, USD 9e-1")]);
        let settings = of(&[(BASE_CURRENCY, "USD"), (RATES, "EUR 108e-2")]);
        let continued = settings.continued(&state).unwrap();
        assert_eq!(continued.field(RATES), Some("EUR 108e-2"));
    }

    #[test]
    fn of_another_model_the_version_is_said_and_of_another_content_the_fingerprint() {
        let state = of(&[(MODEL_VERSION, "a"), (MODEL_FINGERPRINT, "1")]);
        for (version, field) in [("a", MODEL_FINGERPRINT), ("b", MODEL_VERSION)] {
            let settings = of(&[(MODEL_VERSION, version), (MODEL_FINGERPRINT, "2")]);
            let differences = settings.continued(&state).unwrap_err();
            let fields: Vec<_> = differences.iter().map(|one| one.field.as_str()).collect();
            assert_eq!(fields, [field]);
        }
    }

    #[test]
    fn the_fingerprint_differs_where_a_field_does() {
        let one = of(&[("a", "1")]);
        assert_ne!(one.fingerprint(), of(&[("a", "2")]).fingerprint());
        assert_ne!(one.fingerprint(), of(&[("b", "1")]).fingerprint());
        assert_eq!(one.fingerprint(), of(&[("a", "1")]).fingerprint());
    }
}
