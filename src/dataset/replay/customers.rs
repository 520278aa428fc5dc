//! Customers as CSV, and the marketing file as profiles.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::dataset::error::Error;
use crate::dataset::replay::orders::instant;
use crate::dataset::replay::source_event::Context;
use crate::dataset::replay::source_event::SourceEvent;
use crate::dataset::replay::source_event::event;
use crate::dataset::rows::Row;
use crate::dataset::table::parse_date;
use crate::domain::money::Decimal;
use crate::domain::profile::NUMBER_MAX;

pub(super) fn customer(row: &Row<'_>, context: &Context) -> Result<SourceEvent, Error> {
    let customer_id = row.required("customer_id", "an id or a value: it is empty", |text| {
        Some(text.to_owned())
    })?;
    let mut attributes = Map::new();
    for (column, text) in row.entries() {
        if !["customer_id", "birth_year", "income", "joined_at"].contains(&column) {
            attributes.insert(column.to_owned(), attribute(text));
        }
    }
    let mut profile = Map::new();
    if let Some(year) = row.parsed("birth_year", "a calendar year", |text| {
        text.parse::<i32>().ok()
    })? {
        profile.insert("birth_year".to_owned(), json!(year));
    }
    let decimal = |text: &str| Decimal::parse(text).map(|_| text.to_owned());
    if let Some(income) = row.parsed("income", "a decimal number", decimal)? {
        profile.insert("income".to_owned(), json!(income));
    }
    let allowed = "an RFC 3339 instant, or a date such as 2013-09-04";
    if let Some(joined_at) = row.parsed("joined_at", allowed, |text| instant(text, context))? {
        profile.insert("joined_at".to_owned(), json!(joined_at.to_string()));
    }
    profile.insert("attributes".to_owned(), Value::Object(attributes));
    Ok(updated(
        "customers",
        &customer_id,
        row.line,
        context,
        profile,
    ))
}

pub(super) fn marketing(row: &Row<'_>, context: &Context) -> Result<SourceEvent, Error> {
    let customer_id = row.required("ID", "an id or a value: it is empty", |text| {
        Some(text.to_owned())
    })?;
    let year = row.required("Year_Birth", "a calendar year", |text| {
        text.parse::<i32>().ok()
    })?;
    let midnight =
        |text: &str| parse_date(text).and_then(|day| context.zone.foreign_instant_at(day, 0));
    let joined_at = row.required("Dt_Customer", "a date such as 2013-09-04", midnight)?;
    let mut profile = Map::new();
    profile.insert("birth_year".to_owned(), json!(year));
    profile.insert("joined_at".to_owned(), json!(joined_at.to_string()));
    let decimal = |text: &str| Decimal::parse(text).map(|_| text.to_owned());
    if let Some(income) = row.parsed("Income", "a decimal number", decimal)? {
        profile.insert("income".to_owned(), json!(income));
    }
    let names = [
        ("NumWebVisitsMonth", "web_visits_month"),
        ("Education", "education"),
        ("Marital_Status", "marital_status"),
        ("Kidhome", "kids_at_home"),
        ("Teenhome", "teens_at_home"),
    ];
    let mut attributes = Map::new();
    for (column, name) in names {
        if let Some(text) = row.text(column) {
            attributes.insert(name.to_owned(), attribute(text));
        }
    }
    profile.insert("attributes".to_owned(), Value::Object(attributes));
    Ok(updated(
        "marketing",
        &customer_id,
        row.line,
        context,
        profile,
    ))
}

fn attribute(text: &str) -> Value {
    // A longer number is a name, such as that of an account.
    let number = text.parse::<f64>().ok();
    let number = number
        .filter(|number| number.abs() <= NUMBER_MAX)
        .and_then(serde_json::Number::from_f64);
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn updated(
    source: &str,
    customer_id: &str,
    line: u64,
    context: &Context,
    profile: Map<String, Value>,
) -> SourceEvent {
    let body = json!({
        "event_id": format!("{source}-{line}"), "type": "customer.updated",
        "occurred_at": context.as_of.to_string(), "customer_id": customer_id, "profile": profile,
    });
    event(customer_id, context.as_of, line, &body)
}
