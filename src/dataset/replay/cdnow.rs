//! The CDNOW data set: one purchase a line.

use std::path::Path;

use serde_json::json;

use crate::dataset::bytes::read as read_bytes;
use crate::dataset::error::Error;
use crate::dataset::replay::source_event::Context;
use crate::dataset::replay::source_event::SourceEvent;
use crate::dataset::replay::source_event::event;
use crate::domain::money::Decimal;
use crate::domain::time::Day;

pub(super) fn cdnow(path: &Path, context: &Context) -> Result<Vec<SourceEvent>, Error> {
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
        let occurred_at = compact_date(date)
            .and_then(|day| context.zone.foreign_instant_at(day, 12))
            .ok_or_else(|| invalid("date", date, "a day as YYYYMMDD"))?;
        if Decimal::parse(dollars).is_none() {
            return Err(invalid("dollar_value", dollars, "a decimal number"));
        }
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
