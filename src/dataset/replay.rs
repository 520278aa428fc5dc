//! Historical files as events, in the order in which they happened. CONTRACTS, section 6.1.

use std::path::Path;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::dataset::Error;
use crate::dataset::Row;
use crate::dataset::Rows;
use crate::dataset::read as read_bytes;
use crate::dataset::table::parse_date;
use crate::domain::event::instant_of_json;
use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::time::BusinessZone;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The CDNOW data set: one purchase a line.
    Cdnow,
    /// Native events, one JSON object a line.
    Jsonl,
    /// CSV: `customer_id, order_id, occurred_at, revenue` and optionally `currency, channel,
    /// category, discount`.
    Orders,
    /// CSV: `customer_id` and any of `birth_year, income, joined_at`; the rest are attributes.
    Customers,
    /// The Kaggle file "marketing campaign": profile rows.
    Marketing,
}

/// What a file does not say itself.
#[derive(Clone, Debug)]
pub struct Context {
    /// Currency of amounts without one.
    pub base: Currency,
    /// Zone of days.
    pub zone: BusinessZone,
    /// Instant of rows without one.
    pub as_of: Timestamp,
}

/// One event to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEvent {
    /// Record time.
    pub record_time: Timestamp,
    /// Its line in the file, from 1.
    pub line: u64,
    /// Record key.
    pub key: Option<Vec<u8>>,
    /// Record value.
    pub payload: Vec<u8>,
}

/// Reads a whole file, sorted by record time, then line.
///
/// # Errors
/// Names file, line, column, value and what is allowed. Lines of `jsonl` are never errors: what is
/// wrong with them is for the engine to say.
pub fn read(path: &Path, format: Format, context: &Context) -> Result<Vec<SourceEvent>, Error> {
    let mut events = match format {
        Format::Cdnow => cdnow(path, context)?,
        Format::Jsonl => jsonl(path, context)?,
        Format::Orders => table(
            path,
            &["customer_id", "order_id", "occurred_at", "revenue"],
            |row| order(row, context),
        )?,
        Format::Customers => table(path, &["customer_id"], |row| customer(row, context))?,
        Format::Marketing => table(path, &["ID", "Year_Birth", "Dt_Customer"], |row| {
            marketing(row, context)
        })?,
    };
    events.sort_by_key(|event| (event.record_time, event.line));
    Ok(events)
}

fn event(customer_id: &str, occurred_at: Timestamp, line: u64, body: &Value) -> SourceEvent {
    SourceEvent {
        record_time: occurred_at,
        line,
        key: Some(customer_id.as_bytes().to_vec()),
        payload: body.to_string().into_bytes(),
    }
}

fn cdnow(path: &Path, context: &Context) -> Result<Vec<SourceEvent>, Error> {
    let text = String::from_utf8_lossy(&read_bytes(path)?).into_owned();
    let mut events = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let invalid = |column: &str, value: &str, allowed| Error::Value {
            path: path.to_owned(),
            line,
            column: column.to_owned(),
            value: value.to_owned(),
            allowed,
        };
        let [customer_id, date, _, dollars] = fields.as_slice() else {
            if fields.is_empty() {
                continue;
            }
            return Err(invalid(
                "",
                text,
                "customer_id, date, number_of_cds and dollar_value",
            ));
        };
        if *customer_id == "customer_id" {
            continue;
        }
        let day = compact_date(date).ok_or_else(|| invalid("date", date, "a day as YYYYMMDD"))?;
        if Decimal::parse(dollars).is_none() {
            return Err(invalid("dollar_value", dollars, "a decimal number"));
        }
        let occurred_at = context.zone.instant_at(day, 12);
        let id = format!("cdnow-{line}");
        let body = json!({
            "event_id": id, "type": "order.completed", "occurred_at": occurred_at.to_string(),
            "customer_id": customer_id, "order_id": id, "currency": context.base.as_str(),
            "revenue": dollars, "channel": "unknown",
        });
        events.push(event(customer_id, occurred_at, line, &body));
    }
    if events.is_empty() {
        Err(Error::Empty {
            path: path.to_owned(),
        })
    } else {
        Ok(events)
    }
}

fn compact_date(text: &str) -> Option<Day> {
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    Day::from_date(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

fn jsonl(path: &Path, context: &Context) -> Result<Vec<SourceEvent>, Error> {
    let bytes = read_bytes(path)?;
    let mut latest = context.as_of;
    let mut events = Vec::new();
    for (line, payload) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if payload.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed: Option<Map<String, Value>> = serde_json::from_slice(payload).ok();
        let field = |name: &str| parsed.as_ref().and_then(|event| event.get(name));
        let stated = field("occurred_at").and_then(|value| instant_of_json(&value.to_string()));
        latest = stated.unwrap_or(latest);
        let key = field("customer_id").and_then(Value::as_str);
        events.push(SourceEvent {
            record_time: latest,
            line,
            key: key.map(|key| key.as_bytes().to_vec()),
            payload: payload.to_vec(),
        });
    }
    Ok(events)
}

fn table(
    path: &Path,
    columns: &[&str],
    read_row: impl Fn(&Row<'_>) -> Result<SourceEvent, Error>,
) -> Result<Vec<SourceEvent>, Error> {
    let mut rows = Rows::open(path)?;
    rows.require(columns)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next_row()? {
        events.push(read_row(&row)?);
    }
    if events.is_empty() {
        Err(Error::Empty {
            path: path.to_owned(),
        })
    } else {
        Ok(events)
    }
}

fn order(row: &Row<'_>, context: &Context) -> Result<SourceEvent, Error> {
    let text = |column: &str| {
        row.required(column, "an id or a value: it is empty", |text| {
            Some(text.to_owned())
        })
    };
    let customer_id = text("customer_id")?;
    let order_id = text("order_id")?;
    let allowed = "an RFC 3339 instant, or a date such as 2013-09-04";
    let occurred_at = row.required("occurred_at", allowed, |text| instant(text, context))?;
    let decimal = |text: &str| Decimal::parse(text).map(|_| text.to_owned());
    let revenue = row.required("revenue", "a decimal number", decimal)?;
    let mut body = json!({
        "event_id": format!("order-{order_id}"), "type": "order.completed",
        "occurred_at": occurred_at.to_string(), "customer_id": customer_id, "order_id": order_id,
        "currency": row.text("currency").unwrap_or(context.base.as_str()), "revenue": revenue,
        "channel": row.text("channel").unwrap_or("unknown"),
    });
    if let Some(event) = body.as_object_mut() {
        if let Some(category) = row.text("category") {
            let line = json!([{"category": category, "quantity": 1, "price": revenue}]);
            event.insert("products".to_owned(), line);
        }
        if let Some(discount) = row.parsed("discount", "a decimal number", decimal)? {
            event.insert("discount".to_owned(), Value::String(discount));
        }
    }
    Ok(event(&customer_id, occurred_at, row.line, &body))
}

fn instant(text: &str, context: &Context) -> Option<Timestamp> {
    let at_noon = || parse_date(text).map(|day| context.zone.instant_at(day, 12));
    Timestamp::parse_rfc3339(text).or_else(at_noon)
}

fn customer(row: &Row<'_>, context: &Context) -> Result<SourceEvent, Error> {
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

fn marketing(row: &Row<'_>, context: &Context) -> Result<SourceEvent, Error> {
    let customer_id = row.required("ID", "an id or a value: it is empty", |text| {
        Some(text.to_owned())
    })?;
    let year = row.required("Year_Birth", "a calendar year", |text| {
        text.parse::<i32>().ok()
    })?;
    let joined = row.required("Dt_Customer", "a date such as 2013-09-04", parse_date)?;
    let mut profile = Map::new();
    profile.insert("birth_year".to_owned(), json!(year));
    let joined_at = context.zone.instant_at(joined, 0);
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
    let number = text
        .parse::<f64>()
        .ok()
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
