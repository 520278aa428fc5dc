//! Customers as CSV, and the marketing file as profiles.

use std::collections::HashMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::dataset::column::Column;
use crate::dataset::column::Kind;
use crate::dataset::column::Others;
use crate::dataset::column_error::ColumnError;
use crate::dataset::error::Error;
use crate::dataset::options::DecimalSign;
use crate::dataset::options::Options;
use crate::dataset::replay::attribute::attribute;
use crate::dataset::replay::attribute::may_be_a_number;
use crate::dataset::replay::history::History;
use crate::dataset::replay::source_event::Context;
use crate::dataset::replay::source_event::SourceEvent;
use crate::dataset::replay::source_event::event;
use crate::dataset::row::Row;
use crate::dataset::rows::Rows;
use crate::domain::feature_source::FeatureSource;
use crate::domain::ids::stable_hash;
use crate::domain::money::Currency;
use crate::domain::nearest::is_same_name;
use crate::domain::order_rows::Refused;
use crate::domain::time::Timestamp;

/// When the rows of the marketing file hold: the day after its last enrolment.
const MARKETING_AS_OF: &str = "2014-06-30T00:00:00Z";
/// Columns that say when a row holds; the first one that the file has.
const TIMES: [&str; 2] = ["occurred_at", "updated_at"];

/// Reads the rows of a file of customers.
pub(super) fn read_customers(
    rows: &mut Rows,
    context: &Context,
    options: &Options,
) -> Result<History, Error> {
    let is_named = |name: &&str| options.columns.header_of(name).is_some();
    let named = TIMES.into_iter().find(|name| is_named(name));
    let time = named.or_else(|| TIMES.into_iter().find(|name| rows.has(name)));
    if time.is_none() && context.as_of.is_none() {
        return Err(Error::NoTime {
            path: rows.path().clone(),
        });
    }
    let mut columns = vec![
        Column::required("customer_id", Kind::Id),
        Column::optional("birth_year", Kind::Id),
        Column::optional("income", Kind::Amount),
        Column::optional("joined_at", Kind::Instant),
        Column::optional("currency", Kind::Text),
    ];
    columns.extend(time.map(|time| Column::optional(time, Kind::Instant)));
    rows.expect(&columns, Others::Read)?;
    check_attributes(rows, &columns)?;
    let mut history = History {
        columns,
        ..History::default()
    };
    let mut kept_as_text = None;
    while let Some(row) = rows.next_row()? {
        kept_as_text = kept_as_text.or_else(|| kept_as_text_of(&row, time));
        history.take(customer(&row, time, context))?;
    }
    if let Some(what) = kept_as_text {
        rows.found_mut().notable("attributes", &what);
    }
    refuse_contradictions(&mut history);
    Ok(history)
}

/// Refuses rows that state different facts of one customer as of one time: nothing says which of them holds.
fn refuse_contradictions(history: &mut History) {
    let mut first_of: HashMap<(Option<&[u8]>, Timestamp), &SourceEvent> = HashMap::new();
    // Of the first row of a customer and a time, the lines that say the same and the first one that does not.
    let mut same_as: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut other_than: HashMap<u64, u64> = HashMap::new();
    // The line of each row, and that of one that says something else.
    let mut contradicted: HashMap<u64, u64> = HashMap::new();
    for event in &history.events {
        let place = (event.key.as_deref(), event.record_time);
        let first = *first_of.entry(place).or_insert(event);
        if first.payload == event.payload {
            same_as.entry(first.line).or_default().push(event.line);
        } else {
            other_than.entry(first.line).or_insert(event.line);
            contradicted.insert(event.line, first.line);
        }
    }
    for (first, other) in other_than {
        let same = same_as.remove(&first).unwrap_or_default();
        contradicted.extend(same.into_iter().map(|line| (line, other)));
    }
    let is_taken = |event: &SourceEvent| !contradicted.contains_key(&event.line);
    let (taken, refused) = std::mem::take(&mut history.events)
        .into_iter()
        .partition(is_taken);
    history.events = taken;
    let refused: Vec<SourceEvent> = refused;
    history.refused.extend(refused.into_iter().map(|event| {
        let customer = String::from_utf8_lossy(event.key.as_deref().unwrap_or_default());
        let (line, other) = (event.line, contradicted.get(&event.line).copied());
        Refused {
            line,
            column: "customer_id".to_owned(),
            detail: format!(
                "customer_id: {customer:?} is in line {line} and in line {}, which state different facts as of one time; a row needs the \
                 time as of which it holds",
                other.unwrap_or_default()
            ),
            other: None,
        }
    }));
    history.refused.sort_by_key(|row| row.line);
}

/// The columns that become attributes, and their texts.
fn attributes<'a>(row: &Row<'a>, time: Option<&str>) -> impl Iterator<Item = (&'a str, &'a str)> {
    const KNOWN: [&str; 4] = ["customer_id", "birth_year", "income", "joined_at"];
    let entries = row.entries();
    entries.filter(move |(column, _)| !KNOWN.contains(column) && Some(*column) != time)
}

/// What to say of an attribute that looks like a number and is a text.
fn kept_as_text_of(row: &Row<'_>, time: Option<&str>) -> Option<String> {
    let decimal = row.stated_decimal();
    let mut attributes = attributes(row, time);
    let (column, text) =
        attributes.find(|(_, text)| may_be_a_number(text, &attribute(text, decimal)))?;
    let why = match decimal {
        None => "--decimal says what the sign is, and makes such texts numbers",
        Some(DecimalSign::Point) => "it is no number with --decimal point",
        Some(DecimalSign::Comma) => "it is no number with --decimal comma",
    };
    let line = row.line;
    Some(format!(
        "{column} has {text:?} in line {line}, which is taken as a text: {why}"
    ))
}

/// Looks at the names of the columns that become attributes.
///
/// # Errors
/// If one is an age, which a reader would expect to count.
fn check_attributes(rows: &mut Rows, columns: &[Column]) -> Result<(), Error> {
    let is_expected = |name: &str| columns.iter().any(|column| column.name == name);
    let attributes = rows.columns().filter(|name| !is_expected(name));
    let attributes: Vec<String> = attributes.map(str::to_owned).collect();
    let has = |name: &str| attributes.iter().any(|known| is_same_name(known, name));
    let age = attributes.iter().find(|name| is_same_name(name, "age"));
    if let (Some(age), false) = (age, rows.has("birth_year")) {
        return Err(Error::from(ColumnError::AttributeOfFeature {
            path: rows.path().clone(),
            column: age.clone(),
        }));
    }
    let computed = attributes
        .iter()
        .filter(|name| FeatureSource::names().any(|feature| is_same_name(name, feature)));
    let computed: Vec<&str> = computed.map(String::as_str).collect();
    if !computed.is_empty() {
        let computed = computed.join(", ");
        let what = format!(
            "{computed}: segstream computes features of these names from orders and profiles, so no model reads these attributes"
        );
        rows.found_mut().notable("attributes", &what);
    }
    if has("order_id") && ["revenue", "price", "total"].into_iter().any(has) {
        let what = "the file has order ids and amounts; --format orders reads orders";
        rows.found_mut().notable("format", what);
    }
    Ok(())
}

/// Reads the rows of the marketing file as customers.
pub(super) fn read_marketing(rows: &mut Rows, context: &Context) -> Result<History, Error> {
    let columns = [
        Column::required("ID", Kind::Id),
        Column::required("Year_Birth", Kind::Id),
        Column::required("Dt_Customer", Kind::Day).day_first(),
        Column::optional("Income", Kind::Amount),
        Column::optional("NumWebVisitsMonth", Kind::Text),
        Column::optional("Education", Kind::Text),
        Column::optional("Marital_Status", Kind::Text),
        Column::optional("Kidhome", Kind::Text),
        Column::optional("Teenhome", Kind::Text),
    ];
    rows.expect(&columns, Others::Ignored)?;
    let mut history = History {
        columns: columns.to_vec(),
        ..History::default()
    };
    while let Some(row) = rows.next_row()? {
        history.take(marketing(&row, context))?;
    }
    Ok(history)
}

fn customer(row: &Row<'_>, time: Option<&str>, context: &Context) -> Result<SourceEvent, Error> {
    row.refuse_broken()?;
    let customer_id = row.required("customer_id", "the id of a customer", |text| {
        Some(text.to_owned())
    })?;
    let stated = time.map(|time| row.instant(time)).transpose()?.flatten();
    let occurred_at = stated.or(context.as_of).ok_or_else(|| {
        let allowed = "the time as of which the row holds; --as-of INSTANT gives one to the rows that have none";
        row.invalid(time.unwrap_or_default(), "", allowed)
    })?;
    let decimal = row.stated_decimal();
    let attributes: Map<String, Value> = attributes(row, time)
        .map(|(column, text)| (column.to_owned(), attribute(text, decimal)))
        .collect();
    let mut profile = Map::new();
    if let Some(year) = row.parsed("birth_year", "a calendar year", |text| {
        text.parse::<i32>().ok()
    })? {
        profile.insert("birth_year".to_owned(), json!(year));
    }
    if let Some(income) = income(row, "income", context.base)? {
        profile.insert("income".to_owned(), json!(income));
    }
    if let Some(joined_at) = row.instant("joined_at")? {
        profile.insert("joined_at".to_owned(), json!(joined_at.to_string()));
    }
    profile.insert("attributes".to_owned(), Value::Object(attributes));
    // The same facts as of the same time are the same event, whatever the file and the line.
    let stated = Value::Object(profile.clone()).to_string();
    let hash = stable_hash(&[&customer_id, &occurred_at.to_string(), &stated]);
    let event_id = format!("customer-{hash:016x}");
    Ok(updated(
        &event_id,
        &customer_id,
        row.line,
        occurred_at,
        profile,
    ))
}

pub(super) fn marketing(row: &Row<'_>, context: &Context) -> Result<SourceEvent, Error> {
    row.refuse_broken()?;
    let customer_id = row.required("ID", "the id of a customer", |text| Some(text.to_owned()))?;
    let year = row.required("Year_Birth", "a calendar year", |text| {
        text.parse::<i32>().ok()
    })?;
    let joined_on = row.day("Dt_Customer")?;
    let joined_at = joined_on.and_then(|day| context.zone.foreign_instant_at(day, 0));
    let joined_at = joined_at.ok_or_else(|| {
        let value = row.text("Dt_Customer").unwrap_or_default();
        row.invalid("Dt_Customer", value, "a date such as 2013-09-04")
    })?;
    let mut profile = Map::new();
    profile.insert("birth_year".to_owned(), json!(year));
    profile.insert("joined_at".to_owned(), json!(joined_at.to_string()));
    if let Some(income) = income(row, "Income", context.base)? {
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
            let value = attribute(text, row.stated_decimal());
            attributes.insert(name.to_owned(), value);
        }
    }
    profile.insert("attributes".to_owned(), Value::Object(attributes));
    let event_id = format!("marketing-{}", row.line);
    let as_of = Timestamp::parse_rfc3339(MARKETING_AS_OF).unwrap_or_default();
    Ok(updated(&event_id, &customer_id, row.line, as_of, profile))
}

/// An income, which profiles hold in the base currency.
fn income(row: &Row<'_>, column: &str, base: Currency) -> Result<Option<String>, Error> {
    let Some(income) = row.amount(column)? else {
        return Ok(None);
    };
    let currency = match income.currency {
        Some(currency) => Some(currency),
        None => row.currency()?,
    };
    if currency.is_some_and(|currency| currency != base) {
        let text = row.text(column).unwrap_or_default();
        let stated = currency.map_or_else(String::new, |code| format!("; it is stated in {code}"));
        let allowed = format!("an income in {base}, the base currency{stated}");
        return Err(row.invalid(column, text, &allowed));
    }
    Ok(Some(income.text))
}

fn updated(
    event_id: &str,
    customer_id: &str,
    line: u64,
    occurred_at: Timestamp,
    profile: Map<String, Value>,
) -> SourceEvent {
    let body = json!({
        "event_id": event_id, "type": "customer.updated",
        "occurred_at": occurred_at.to_string(), "customer_id": customer_id, "profile": profile,
    });
    event(Some(customer_id), occurred_at, line, &body)
}
