//! Bytes to [`CustomerEvent`]. The field rules are judged in the order of docs/EVENTS.md, and
//! the first that is broken names the rejection.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::event::Channel;
use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::event::EventCustomer;
use crate::domain::event::EventType;
use crate::domain::event::InvalidEvent;
use crate::domain::event::Order;
use crate::domain::event::RejectReason;
use crate::domain::event::fields::Field;
use crate::domain::event::fields::json_text;
use crate::domain::ids::CUSTOMER_ID_CHARACTERS_MAX;
use crate::domain::ids::EVENT_ID_CHARACTERS_MAX;
use crate::domain::money::Currency;
use crate::domain::money::Decimal;
use crate::domain::money::Exchange;
use crate::domain::money::Money;
use crate::domain::profile;
use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;

/// Ahead of the record time by this much is a sender's clock, and accepted as it is.
const AHEAD_ACCEPTED_MS: i64 = 5 * 60 * 1000;
/// Ahead by more than this is a mistake; what lies between is clamped to the record time.
const AHEAD_MAX_MS: i64 = DAY_MS;
/// Longest category name, in characters.
const CATEGORY_CHARACTERS_MAX: usize = 128;
/// The magic byte of the schema registry's wire format.
const SCHEMA_REGISTRY_MAGIC: u8 = 0;

/// What the deployment says about its events.
#[derive(Clone, Debug)]
pub struct IntakeRules {
    /// Currencies and the cap of an amount.
    pub exchange: Exchange,
    /// Anything before this instant is rejected.
    pub earliest: Timestamp,
    /// Ids that mean "no customer", such as `null` or `test`.
    pub customer_ids_ignored: Vec<String>,
}

#[derive(Deserialize)]
struct RawEvent<'a> {
    #[serde(borrow, default)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    occurred_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    customer_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    is_guest: Option<&'a RawValue>,
    #[serde(borrow, default)]
    order_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    currency: Option<&'a RawValue>,
    #[serde(borrow, default)]
    revenue: Option<&'a RawValue>,
    #[serde(borrow, default)]
    subtotal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    total: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    discount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    coupon: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    products: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refund_amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refund_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    test: Option<&'a RawValue>,
    #[serde(borrow, default)]
    profile: Option<&'a RawValue>,
    #[serde(borrow, default)]
    merged_from: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawProduct<'a> {
    #[serde(borrow, default)]
    category: Option<&'a RawValue>,
    #[serde(borrow, default)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    price: Option<&'a RawValue>,
}

/// Reads one event of the native shape.
///
/// # Errors
/// The first broken rule, with a sentence that names the field, the value and what is allowed.
pub fn parse<'a>(
    payload: &'a [u8],
    record_time: Timestamp,
    rules: &IntakeRules,
) -> Result<CustomerEvent<'a>, InvalidEvent> {
    let raw = read_object(payload)?;
    let given_id = Field::new("event_id", raw.event_id, RejectReason::EventId)
        .text(EVENT_ID_CHARACTERS_MAX)?;
    let type_field = Field::new("type", raw.event_type, RejectReason::Type);
    // An absent id is judged after the type, because it is derived from it.
    let event_type = type_field
        .text(EVENT_ID_CHARACTERS_MAX)?
        .and_then(|text| EventType::parse(&text))
        .ok_or_else(|| type_field.invalid("one of the event types, such as \"order.completed\""));
    let event_id = match given_id {
        Some(event_id) => event_id,
        None => Cow::Owned(derived_id(&raw, event_type.as_ref().ok().copied())?),
    };
    let event_type = event_type?;
    let occurred_at = occurred_at(&raw, record_time, rules)?;
    let customer = customer(&raw, rules)?;
    let body = body(&raw, event_type, rules)?;
    let is_test = Field::new("test", raw.test, RejectReason::Test).flag()?;
    let body = match body {
        Some(body) => body,
        None => body_after_test(&raw, event_type, occurred_at, rules)?,
    };
    Ok(CustomerEvent {
        event_id,
        occurred_at,
        customer,
        is_test,
        body,
    })
}

fn read_object(payload: &[u8]) -> Result<RawEvent<'_>, InvalidEvent> {
    if payload.first() == Some(&SCHEMA_REGISTRY_MAGIC) {
        return Err(InvalidEvent {
            reason: RejectReason::SchemaRegistryFormat,
            detail: "the value starts with a schema registry's magic byte 0: send plain JSON"
                .to_owned(),
        });
    }
    let unreadable = |what: String| InvalidEvent {
        reason: RejectReason::Unreadable,
        detail: format!("the value is not one JSON object in UTF-8: {what}"),
    };
    let text = std::str::from_utf8(payload).map_err(|error| unreadable(error.to_string()))?;
    if !text.trim_start().starts_with('{') {
        return Err(unreadable("it does not begin with '{'".to_owned()));
    }
    serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))
}

/// The id of an event that brings none: its type, order and refund.
fn derived_id(raw: &RawEvent<'_>, event_type: Option<EventType>) -> Result<String, InvalidEvent> {
    let field = |name, value| Field::new(name, value, RejectReason::EventId);
    let order_id = field("order_id", raw.order_id)
        .text(EVENT_ID_CHARACTERS_MAX)
        .ok()
        .flatten();
    let refund_id = field("refund_id", raw.refund_id)
        .text(EVENT_ID_CHARACTERS_MAX)
        .ok()
        .flatten();
    match (event_type, order_id) {
        (Some(event_type), Some(order_id)) => {
            let refund_id = refund_id.as_deref().unwrap_or_default();
            Ok(format!("{}/{order_id}/{refund_id}", event_type.as_str()))
        }
        (None, _) | (_, None) => Err(field("event_id", None).invalid(
            "a text of 1 to 128 characters, unless there is an order_id to derive it from",
        )),
    }
}

fn occurred_at(
    raw: &RawEvent<'_>,
    record_time: Timestamp,
    rules: &IntakeRules,
) -> Result<Timestamp, InvalidEvent> {
    let field = Field::new("occurred_at", raw.occurred_at, RejectReason::OccurredAt);
    let instant = field.raw().and_then(instant_of_json).ok_or_else(|| {
        field.invalid("an RFC 3339 instant with an offset, or milliseconds since 1970")
    })?;
    if instant < rules.earliest {
        let field = Field::new("occurred_at", raw.occurred_at, RejectReason::TooOld);
        return Err(field.invalid(&format!("at or after events.earliest, {}", rules.earliest)));
    }
    let ahead_ms = instant
        .as_milliseconds()
        .saturating_sub(record_time.as_milliseconds());
    if ahead_ms > AHEAD_MAX_MS {
        let field = Field::new("occurred_at", raw.occurred_at, RejectReason::Future);
        return Err(field.invalid(&format!(
            "within 24 hours of its record time, {record_time}"
        )));
    }
    Ok(if ahead_ms > AHEAD_ACCEPTED_MS {
        record_time
    } else {
        instant
    })
}

/// An instant as RFC 3339 text or as whole milliseconds since the epoch.
#[must_use]
pub fn instant_of_json(raw: &str) -> Option<Timestamp> {
    match json_text(raw) {
        Some(text) => Timestamp::parse_rfc3339(&text),
        None => raw.parse().ok().and_then(Timestamp::from_milliseconds),
    }
}

fn customer<'a>(
    raw: &RawEvent<'a>,
    rules: &IntakeRules,
) -> Result<EventCustomer<'a>, InvalidEvent> {
    let is_guest = Field::new("is_guest", raw.is_guest, RejectReason::CustomerId).flag()?;
    let customer_id = Field::new("customer_id", raw.customer_id, RejectReason::CustomerId)
        .text(CUSTOMER_ID_CHARACTERS_MAX)?;
    Ok(match customer_id {
        Some(id) if !is_guest && !rules.customer_ids_ignored.iter().any(|none| *none == id) => {
            EventCustomer::Known(id)
        }
        Some(_) | None => EventCustomer::Guest,
    })
}

/// The fields of the table that come before `test`; `None` for types whose fields come after it.
fn body<'a>(
    raw: &RawEvent<'a>,
    event_type: EventType,
    rules: &IntakeRules,
) -> Result<Option<EventBody<'a>>, InvalidEvent> {
    match event_type {
        EventType::OrderCompleted => Ok(Some(EventBody::OrderCompleted(completed_order(
            raw, rules,
        )?))),
        EventType::OrderRefunded => {
            order_id(raw)?;
            let rate = rate(raw, rules)?;
            refund(raw, rate, rules)?;
            Ok(Some(EventBody::NotProcessed(event_type)))
        }
        EventType::OrderCancelled => {
            order_id(raw)?;
            Ok(Some(EventBody::NotProcessed(event_type)))
        }
        EventType::CustomerUpdated
        | EventType::CustomerMerged
        | EventType::CustomerErased
        | EventType::ConsentUpdated => Ok(None),
    }
}

fn body_after_test<'a>(
    raw: &RawEvent<'a>,
    event_type: EventType,
    occurred_at: Timestamp,
    rules: &IntakeRules,
) -> Result<EventBody<'a>, InvalidEvent> {
    match event_type {
        EventType::CustomerUpdated => {
            let field = Field::new("profile", raw.profile, RejectReason::Profile);
            let update = profile::parse_update(&field, occurred_at, &rules.exchange)?;
            Ok(EventBody::CustomerUpdated(update))
        }
        EventType::CustomerMerged => {
            let field = Field::new("merged_from", raw.merged_from, RejectReason::MergedFrom);
            let ids: Option<Vec<String>> =
                field.raw().and_then(|json| serde_json::from_str(json).ok());
            match ids {
                Some(ids) if !ids.is_empty() => Ok(EventBody::NotProcessed(event_type)),
                Some(_) | None => Err(field.invalid("a list of at least one customer id")),
            }
        }
        EventType::OrderCompleted
        | EventType::OrderRefunded
        | EventType::OrderCancelled
        | EventType::CustomerErased
        | EventType::ConsentUpdated => Ok(EventBody::NotProcessed(event_type)),
    }
}

fn completed_order<'a>(raw: &RawEvent<'a>, rules: &IntakeRules) -> Result<Order<'a>, InvalidEvent> {
    let order_id = order_id(raw)?;
    let rate = rate(raw, rules)?;
    let revenue = [
        ("revenue", raw.revenue),
        ("subtotal", raw.subtotal),
        ("total", raw.total),
        ("value", raw.value),
    ]
    .into_iter()
    .map(|(name, value)| Field::new(name, value, RejectReason::Revenue))
    .find(Field::is_present)
    .unwrap_or(Field::new("revenue", None, RejectReason::Revenue));
    let spend = converted(&revenue, rate, rules)?
        .ok_or_else(|| revenue.invalid("a decimal number, zero or more"))?;
    let discount = Field::new("discount", raw.discount, RejectReason::Discount).amount()?;
    let coupon = Field::new("coupon", raw.coupon, RejectReason::Discount)
        .text(CUSTOMER_ID_CHARACTERS_MAX)?;
    let is_deal = coupon.is_some() || discount.is_some_and(Decimal::is_positive);
    let channel_field = Field::new("channel", raw.channel, RejectReason::Channel);
    let channel = match channel_field.text(CUSTOMER_ID_CHARACTERS_MAX)? {
        None => Channel::Unknown,
        Some(text) => Channel::parse(&text).ok_or_else(|| {
            channel_field.invalid("one of web, store, catalog, app, marketplace, phone, unknown")
        })?,
    };
    let category_spend = category_spend(raw, rate, rules)?;
    Ok(Order {
        order_id,
        spend,
        channel,
        is_deal,
        category_spend,
    })
}

fn order_id<'a>(raw: &RawEvent<'a>) -> Result<Cow<'a, str>, InvalidEvent> {
    let field = Field::new("order_id", raw.order_id, RejectReason::OrderId);
    let order_id = field.text(EVENT_ID_CHARACTERS_MAX)?;
    order_id.ok_or_else(|| field.invalid("a text of 1 to 128 characters"))
}

fn rate(raw: &RawEvent<'_>, rules: &IntakeRules) -> Result<Decimal, InvalidEvent> {
    let field = Field::new("currency", raw.currency, RejectReason::Currency);
    let currency = field
        .text(EVENT_ID_CHARACTERS_MAX)?
        .and_then(|text| Currency::parse(&text))
        .ok_or_else(|| field.invalid("an ISO 4217 code of three capital letters"))?;
    rules.exchange.rate(currency).ok_or_else(|| {
        Field::new("currency", raw.currency, RejectReason::UnknownCurrency)
            .invalid("the base currency or one with a rate in money.rates")
    })
}

/// An amount of the event's currency in minor units of the base, not over the cap.
fn converted(
    field: &Field<'_>,
    rate: Decimal,
    rules: &IntakeRules,
) -> Result<Option<Money>, InvalidEvent> {
    let Some(amount) = field.amount()? else {
        return Ok(None);
    };
    let over_cap = || {
        let cap = rules
            .exchange
            .amount_max
            .to_plain_decimal(&rules.exchange.base);
        field.invalid(&format!("at most {cap} {}", rules.exchange.base))
    };
    let money = amount
        .times(rate)
        .and_then(|converted| converted.to_minor(&rules.exchange.base))
        .ok_or_else(over_cap)?;
    if money > rules.exchange.amount_max {
        Err(over_cap())
    } else {
        Ok(Some(money))
    }
}

fn refund(raw: &RawEvent<'_>, rate: Decimal, rules: &IntakeRules) -> Result<(), InvalidEvent> {
    let amount = Field::new("refund_amount", raw.refund_amount, RejectReason::Refund);
    let is_positive = converted(&amount, rate, rules)?.is_some_and(|money| money > Money::ZERO);
    if !is_positive {
        return Err(amount.invalid("a decimal number above zero"));
    }
    Field::new("refund_id", raw.refund_id, RejectReason::Refund).text(EVENT_ID_CHARACTERS_MAX)?;
    Ok(())
}

fn category_spend<'a>(
    raw: &RawEvent<'a>,
    rate: Decimal,
    rules: &IntakeRules,
) -> Result<Vec<(Cow<'a, str>, Money)>, InvalidEvent> {
    let field = Field::new("products", raw.products, RejectReason::Products);
    let Some(json) = field.raw() else {
        return Ok(Vec::new());
    };
    let products: Vec<RawProduct<'a>> = serde_json::from_str(json)
        .map_err(|_| field.invalid("a list of {sku, category, quantity, price}"))?;
    let mut spend_by_line = Vec::with_capacity(products.len());
    for product in &products {
        let named = |name, value| Field::new(name, value, RejectReason::Products);
        let category =
            named("products.category", product.category).text(CATEGORY_CHARACTERS_MAX)?;
        let quantity = named("products.quantity", product.quantity).amount()?;
        let price = named("products.price", product.price);
        let line_rate = rate.times(quantity.unwrap_or(Decimal::ONE));
        let line_rate = line_rate.ok_or_else(|| price.invalid("small enough to be multiplied"))?;
        let spend = converted(&price, line_rate, rules)?;
        if let (Some(category), Some(spend)) = (category, spend) {
            spend_by_line.push((category, spend));
        }
    }
    Ok(spend_by_line)
}
