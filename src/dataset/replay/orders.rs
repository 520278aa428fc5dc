//! Orders as CSV.

use serde_json::Value;
use serde_json::json;

use crate::dataset::error::Error;
use crate::dataset::replay::source_event::Context;
use crate::dataset::replay::source_event::SourceEvent;
use crate::dataset::replay::source_event::event;
use crate::dataset::rows::Row;
use crate::dataset::table::parse_date;
use crate::domain::money::Decimal;
use crate::domain::time::Timestamp;

pub(super) fn order(row: &Row<'_>, context: &Context) -> Result<SourceEvent, Error> {
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

pub(super) fn instant(text: &str, context: &Context) -> Option<Timestamp> {
    let at_noon = || parse_date(text).and_then(|day| context.zone.foreign_instant_at(day, 12));
    Timestamp::parse_rfc3339(text).or_else(at_noon)
}
