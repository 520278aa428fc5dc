//! What is known of the person: birth year, income, joining date and free attributes.
//!
//! Each fact keeps the instant it was stated, and the later statement wins, whatever the order of
//! arrival; equal instants are decided by the hash of the event's id.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::fields::Field;
use crate::domain::event::fields::json_text;
use crate::domain::event::parse::instant_of_json;
use crate::domain::money::Exchange;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;

/// Attributes a record keeps; beyond it the first by name stay, whatever the order of arrival.
pub const ATTRIBUTES_MAX: usize = 32;
/// Longest name or text of an attribute, in characters.
pub const ATTRIBUTE_CHARACTERS_MAX: usize = 256;
/// Nobody alive was born before.
const BIRTH_YEAR_MIN: i32 = 1850;
/// The business zone is at most a day away from UTC, and so the year at most one.
const BIRTH_YEAR_MAX: i32 = 2200;

/// New facts of one event; what is `None` stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileUpdate {
    /// Calendar year of birth.
    pub birth_year: Option<i32>,
    /// Yearly income in minor units of the base currency.
    pub income: Option<Money>,
    /// When the customer joined.
    pub joined_at: Option<Timestamp>,
    /// Free attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
}

/// The value of a free attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Attribute {
    /// A finite number; may be a feature of a model.
    Number(f64),
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// When and by which event a fact was stated; the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Statement {
    /// The event's instant.
    pub occurred_at: Timestamp,
    /// The hash of the event's id, to decide between equal instants.
    pub event_hash: u64,
}

/// A fact and its statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// What holds.
    pub value: T,
    /// Since when it is said.
    pub stated: Statement,
}

/// The facts that hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Calendar year of birth.
    pub birth_year: Option<Fact<i32>>,
    /// Yearly income in minor units of the base currency.
    pub income: Option<Fact<Money>>,
    /// When the customer joined.
    pub joined_at: Option<Fact<Timestamp>>,
    /// Free attributes by name, at most [`ATTRIBUTES_MAX`].
    pub attributes: BTreeMap<String, Fact<Attribute>>,
}

impl Profile {
    /// Takes over what is stated later than what is known.
    pub fn fold(&mut self, update: &ProfileUpdate, stated: Statement) {
        let later = update.birth_year.map(|value| Fact { value, stated });
        replace_if_later(&mut self.birth_year, later);
        replace_if_later(
            &mut self.income,
            update.income.map(|value| Fact { value, stated }),
        );
        replace_if_later(
            &mut self.joined_at,
            update.joined_at.map(|value| Fact { value, stated }),
        );
        for (name, value) in &update.attributes {
            let mut known = self.attributes.remove(name);
            replace_if_later(
                &mut known,
                Some(Fact {
                    value: value.clone(),
                    stated,
                }),
            );
            if let Some(fact) = known {
                self.attributes.insert(name.clone(), fact);
            }
        }
        while self.attributes.len() > ATTRIBUTES_MAX {
            self.attributes.pop_last();
        }
    }

    /// Nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The number of an attribute; `None` where it is absent or no number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.attributes.get(name)?.value {
            Attribute::Number(number) => Some(number),
            Attribute::Text(_) | Attribute::Flag(_) => None,
        }
    }
}

fn replace_if_later<T>(known: &mut Option<Fact<T>>, update: Option<Fact<T>>) {
    let Some(update) = update else { return };
    if known
        .as_ref()
        .is_none_or(|fact| fact.stated < update.stated)
    {
        *known = Some(update);
    }
}

#[derive(Deserialize)]
struct RawProfile<'a> {
    #[serde(borrow, default)]
    birth_year: Option<&'a RawValue>,
    #[serde(borrow, default)]
    income: Option<&'a RawValue>,
    #[serde(borrow, default)]
    joined_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attributes: Option<&'a RawValue>,
}

/// Reads the `profile` object of `customer.updated`.
///
/// # Errors
/// Rejects the first field that is wrong, with what is allowed.
pub fn parse_update(
    field: &Field<'_>,
    occurred_at: Timestamp,
    exchange: &Exchange,
) -> Result<ProfileUpdate, InvalidEvent> {
    let raw: RawProfile<'_> = field
        .raw()
        .and_then(|json| serde_json::from_str(json).ok())
        .ok_or_else(|| field.invalid("an object {birth_year, income, joined_at, attributes}"))?;
    Ok(ProfileUpdate {
        birth_year: birth_year(&raw)?,
        income: income(&raw, exchange)?,
        joined_at: joined_at(&raw, occurred_at)?,
        attributes: attributes(&raw)?,
    })
}

fn named<'a>(name: &'static str, raw: Option<&'a RawValue>) -> Field<'a> {
    Field::new(name, raw, RejectReason::Profile)
}

fn birth_year(raw: &RawProfile<'_>) -> Result<Option<i32>, InvalidEvent> {
    let field = named("profile.birth_year", raw.birth_year);
    let Some(json) = field.raw() else {
        return Ok(None);
    };
    match json.parse::<i32>() {
        Ok(year) if (BIRTH_YEAR_MIN..=BIRTH_YEAR_MAX).contains(&year) => Ok(Some(year)),
        Ok(_) | Err(_) => Err(field.invalid(&format!(
            "a calendar year from {BIRTH_YEAR_MIN} to {BIRTH_YEAR_MAX}"
        ))),
    }
}

fn income(raw: &RawProfile<'_>, exchange: &Exchange) -> Result<Option<Money>, InvalidEvent> {
    let field = named("profile.income", raw.income);
    let Some(amount) = field.amount()? else {
        return Ok(None);
    };
    match amount.to_minor(&exchange.base) {
        Some(income) if income <= exchange.amount_max => Ok(Some(income)),
        Some(_) | None => Err(field.invalid("at most the cap of an amount")),
    }
}

fn joined_at(
    raw: &RawProfile<'_>,
    occurred_at: Timestamp,
) -> Result<Option<Timestamp>, InvalidEvent> {
    let field = named("profile.joined_at", raw.joined_at);
    let Some(json) = field.raw() else {
        return Ok(None);
    };
    let joined_at = instant_of_json(json).ok_or_else(|| {
        field.invalid("an RFC 3339 instant with an offset, or milliseconds since 1970")
    })?;
    // A joining date ahead of the statement itself would make the tenure negative.
    Ok(Some(joined_at.min(occurred_at)))
}

fn attributes(raw: &RawProfile<'_>) -> Result<BTreeMap<String, Attribute>, InvalidEvent> {
    let field = named("profile.attributes", raw.attributes);
    let Some(json) = field.raw() else {
        return Ok(BTreeMap::new());
    };
    let allowed = "an object of numbers, texts of at most 256 characters, and true or false";
    let values: BTreeMap<Cow<'_, str>, Option<&RawValue>> =
        serde_json::from_str(json).map_err(|_| field.invalid(allowed))?;
    let mut attributes = BTreeMap::new();
    for (name, value) in values {
        let Some(value) = value else { continue };
        let is_short = name.chars().count() <= ATTRIBUTE_CHARACTERS_MAX;
        let attribute = attribute(value.get()).filter(|_| is_short && !name.is_empty());
        let attribute = attribute.ok_or_else(|| field.invalid(allowed))?;
        attributes.insert(name.into_owned(), attribute);
        if attributes.len() > ATTRIBUTES_MAX {
            attributes.pop_last();
        }
    }
    Ok(attributes)
}

fn attribute(raw: &str) -> Option<Attribute> {
    if let Some(text) = json_text(raw) {
        let is_short = text.chars().count() <= ATTRIBUTE_CHARACTERS_MAX;
        return is_short.then(|| Attribute::Text(text.into_owned()));
    }
    match raw {
        "true" => Some(Attribute::Flag(true)),
        "false" => Some(Attribute::Flag(false)),
        _ => raw
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Attribute::Number),
    }
}
