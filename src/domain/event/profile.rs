//! The `profile` object of `customer.updated`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::domain::event::fields::Field;
use crate::domain::event::fields::json_text;
use crate::domain::event::instant::instant_of_json;
use crate::domain::event::raw::RawProfile;
use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;
use crate::domain::event::unknown_fields::Level;
use crate::domain::event::unknown_fields::UnknownFields;
use crate::domain::event::unknown_names::is_of_feature;
use crate::domain::money::Exchange;
use crate::domain::money::Money;
use crate::domain::profile::ATTRIBUTE_CHARACTERS_MAX;
use crate::domain::profile::ATTRIBUTES_MAX;
use crate::domain::profile::Attribute;
use crate::domain::profile::NUMBER_MAX;
use crate::domain::profile::ProfileUpdate;
use crate::domain::time::Timestamp;

/// Earliest year of birth that is accepted: no living customer was born before it.
const BIRTH_YEAR_MIN: i32 = 1850;
/// The business zone is less than a day away from UTC, so its calendar year differs by at most one.
const BIRTH_YEAR_MAX: i32 = 2200;

/// Reads the `profile` object of `customer.updated`.
///
/// # Errors
/// Rejects the first field that is wrong, with what is allowed.
pub(super) fn parse_update(
    field: &Field<'_>,
    occurred_at: Timestamp,
    exchange: &Exchange,
    unknown: &mut UnknownFields,
) -> Result<ProfileUpdate, InvalidEvent> {
    let raw: RawProfile<'_> = field
        .raw()
        .and_then(|json| serde_json::from_str(json).ok())
        .ok_or_else(|| field.invalid("an object {birth_year, income, joined_at, attributes}"))?;
    unknown.add_all(raw.unknown);
    Ok(ProfileUpdate {
        birth_year: birth_year(&raw)?,
        income: income(&raw, exchange)?,
        joined_at: joined_at(&raw, occurred_at)?,
        attributes: attributes(&raw, unknown)?,
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

fn attributes(
    raw: &RawProfile<'_>,
    unknown: &mut UnknownFields,
) -> Result<BTreeMap<String, Attribute>, InvalidEvent> {
    let field = named("profile.attributes", raw.attributes);
    let Some(json) = field.raw() else {
        return Ok(BTreeMap::new());
    };
    let allowed = "an object of numbers from -9007199254740991 to 9007199254740991, texts of at most 256 characters, and \
                   true or false";
    let values: BTreeMap<Cow<'_, str>, Option<&RawValue>> =
        serde_json::from_str(json).map_err(|_| field.invalid(allowed))?;
    let mut attributes = BTreeMap::new();
    for (name, value) in values {
        let Some(value) = value else { continue };
        if is_of_feature(&name) {
            unknown.add(Level::Attribute, &name);
        }
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
            .filter(|number| number.abs() <= NUMBER_MAX)
            .map(Attribute::Number),
    }
}
