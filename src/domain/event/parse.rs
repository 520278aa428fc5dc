//! Bytes to [`CustomerEvent`]. The field rules are judged in the order of docs/EVENTS.md, and
//! the first that is broken names the rejection.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::event::EventCustomer;
use crate::domain::event::amount::currency;
use crate::domain::event::amount::refund;
use crate::domain::event::fields::Field;
use crate::domain::event::fields::quoted;
use crate::domain::event::instant::occurred_at;
use crate::domain::event::kinds::EventType;
use crate::domain::event::order::completed_order;
use crate::domain::event::order::order_id;
use crate::domain::event::profile;
use crate::domain::event::raw::RawEvent;
use crate::domain::event::raw::read_object;
use crate::domain::event::raw::unreadable;
use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;
use crate::domain::event::rules::IntakeRules;
use crate::domain::event::unknown_fields::UnknownFields;
use crate::domain::event::unknown_names::misspelled_customer;
use crate::domain::event::well_formed;
use crate::domain::ids::CUSTOMER_ID_CHARACTERS_MAX;
use crate::domain::ids::EVENT_ID_CHARACTERS_MAX;
use crate::domain::nearest::nearest;
use crate::domain::time::Timestamp;

/// Reads the value of a record, which may be null.
///
/// # Errors
/// As [`parse`].
pub fn parse_value<'a>(
    value: Option<&'a [u8]>,
    record_time: Timestamp,
    rules: &IntakeRules,
) -> Result<CustomerEvent<'a>, InvalidEvent> {
    let payload = value.ok_or_else(|| unreadable(None, "it is null"))?;
    parse(payload, record_time, rules)
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
    match well_formed::read(payload, record_time, rules) {
        Some(event) => Ok(event),
        None => parse_by_rules(payload, record_time, rules),
    }
}

/// The same as [`parse`] by the field rules alone, which say what is wrong. [`parse`] asks them where it does not find
/// the event well formed at once.
///
/// # Errors
/// As [`parse`].
pub fn parse_by_rules<'a>(
    payload: &'a [u8],
    record_time: Timestamp,
    rules: &IntakeRules,
) -> Result<CustomerEvent<'a>, InvalidEvent> {
    let raw = read_object(payload)?;
    let mut unknown = raw.unknown;
    let event = by_rules((payload, &raw), record_time, rules, &mut unknown);
    match event {
        Ok(event) => Ok(CustomerEvent { unknown, ..event }),
        Err(invalid) => Err(InvalidEvent { unknown, ..invalid }),
    }
}

/// Judges the fields in their order. Fields that no event has are added to `unknown` where an object in it is read.
fn by_rules<'a>(
    (payload, raw): (&[u8], &RawEvent<'a>),
    record_time: Timestamp,
    rules: &IntakeRules,
    unknown: &mut UnknownFields,
) -> Result<CustomerEvent<'a>, InvalidEvent> {
    let given_id =
        Field::new("event_id", raw.event_id, RejectReason::EventId).id(EVENT_ID_CHARACTERS_MAX)?;
    let type_field = Field::new("type", raw.event_type, RejectReason::Type);
    let event_type = event_type(&type_field)?;
    // An absent id is judged after the type, because it is derived from it.
    let event_id = match given_id {
        Some(event_id) => event_id,
        None => Cow::Owned(derived_id(raw, event_type)?),
    };
    let occurred_at = occurred_at(raw, record_time, rules)?;
    let customer = customer((payload, raw), rules)?;
    let body = body(raw, event_type, rules, unknown)?;
    let is_test = Field::new("test", raw.test, RejectReason::Test).flag()?;
    let body = match body {
        Some(body) => body,
        None => body_after_test(raw, event_type, (occurred_at, rules), unknown)?,
    };
    Ok(CustomerEvent {
        event_id,
        occurred_at,
        customer,
        is_test,
        body,
        unknown: *unknown,
    })
}

fn event_type(field: &Field<'_>) -> Result<EventType, InvalidEvent> {
    let text = field.text(EVENT_ID_CHARACTERS_MAX)?.unwrap_or_default();
    let known = || EventType::ALL.into_iter().map(EventType::as_str);
    EventType::parse(&text).ok_or_else(|| {
        // The first half of a name, or a slip in it.
        let begun = known().find(|name| name.split('.').next() == Some(&*text));
        let near = begun.or_else(|| nearest(&text, known()));
        let near = near.map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
        field.invalid(&format!(
            "one of the event types, such as \"order.completed\"{near}"
        ))
    })
}

/// The id of an event without one: its type, order and refund.
fn derived_id(raw: &RawEvent<'_>, event_type: EventType) -> Result<String, InvalidEvent> {
    let field = |name, value| Field::new(name, value, RejectReason::EventId);
    let given_order_id = field("order_id", raw.order_id).id(EVENT_ID_CHARACTERS_MAX);
    let is_no_text = given_order_id.is_err();
    let order_id = given_order_id.ok().flatten();
    let refund_id = field("refund_id", raw.refund_id)
        .id(EVENT_ID_CHARACTERS_MAX)
        .ok()
        .flatten();
    let Some(order_id) = order_id else {
        let allowed =
            "a text of 1 to 128 characters, unless there is an order_id to derive it from";
        let event_id = field("event_id", None);
        return Err(if is_no_text {
            event_id.invalid(&format!(
                "{allowed}; this order_id cannot be used, as it is no such text"
            ))
        } else {
            event_id.invalid(allowed)
        });
    };
    let refund_id = refund_id.as_deref().unwrap_or_default();
    Ok(format!("{}/{order_id}/{refund_id}", event_type.as_str()))
}

fn customer<'a>(
    (payload, raw): (&[u8], &RawEvent<'a>),
    rules: &IntakeRules,
) -> Result<EventCustomer<'a>, InvalidEvent> {
    let is_guest = Field::new("is_guest", raw.is_guest, RejectReason::CustomerId).flag()?;
    let customer_id = Field::new("customer_id", raw.customer_id, RejectReason::CustomerId)
        .id(CUSTOMER_ID_CHARACTERS_MAX)?;
    if customer_id.is_none()
        && !is_guest
        && !raw.unknown.is_empty()
        && let Some((name, value)) = misspelled_customer(payload)
    {
        return Err(misnamed_customer(&name, &value));
    }
    Ok(match customer_id {
        Some(id) if !is_guest && !rules.customer_ids_ignored.iter().any(|none| *none == id) => {
            EventCustomer::Known(id)
        }
        Some(_) | None => EventCustomer::Guest,
    })
}

/// The event has a customer, but not under the name of the field. A guest's purchase would be lost in silence.
fn misnamed_customer(name: &str, value: &str) -> InvalidEvent {
    let allowed = format!(
        "the name of the field with the customer's id (did you mean customer_id? The event has {name:?}); is_guest: true \
         says that there is no customer"
    );
    let detail = format!(
        "customer_id is missing, and {name:?} is no field of an event: did you mean customer_id? is_guest: true says that \
         there is no customer"
    );
    let value = Some(quoted(value));
    InvalidEvent::new(
        RejectReason::CustomerId,
        "customer_id",
        allowed,
        (value, detail),
    )
}

/// The fields of the table that come before `test`; `None` for types whose fields come after it.
fn body<'a>(
    raw: &RawEvent<'a>,
    event_type: EventType,
    rules: &IntakeRules,
    unknown: &mut UnknownFields,
) -> Result<Option<EventBody<'a>>, InvalidEvent> {
    match event_type {
        EventType::OrderCompleted => {
            let order = completed_order(raw, rules, unknown)?;
            Ok(Some(EventBody::OrderCompleted(order)))
        }
        EventType::OrderRefunded => {
            order_id(raw)?;
            let (_, rate) = currency(raw, rules)?;
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
    (occurred_at, rules): (Timestamp, &IntakeRules),
    unknown: &mut UnknownFields,
) -> Result<EventBody<'a>, InvalidEvent> {
    match event_type {
        EventType::CustomerUpdated => {
            let field = Field::new("profile", raw.profile, RejectReason::Profile);
            let update = profile::parse_update(&field, occurred_at, &rules.exchange, unknown)?;
            Ok(EventBody::CustomerUpdated(update))
        }
        EventType::CustomerMerged => {
            let field = Field::new("merged_from", raw.merged_from, RejectReason::MergedFrom);
            merged_from(&field)?;
            Ok(EventBody::NotProcessed(event_type))
        }
        EventType::OrderCompleted
        | EventType::OrderRefunded
        | EventType::OrderCancelled
        | EventType::CustomerErased
        | EventType::ConsentUpdated => Ok(EventBody::NotProcessed(event_type)),
    }
}

fn merged_from(field: &Field<'_>) -> Result<(), InvalidEvent> {
    let ids: Option<Vec<Option<&RawValue>>> =
        field.raw().and_then(|json| serde_json::from_str(json).ok());
    let wrong = || field.invalid("a list of at least one customer id, and of nothing else");
    let ids = ids.filter(|ids| !ids.is_empty()).ok_or_else(wrong)?;
    for id in ids {
        let id = Field::new("merged_from", id, RejectReason::MergedFrom);
        if !matches!(id.id(CUSTOMER_ID_CHARACTERS_MAX), Ok(Some(_))) {
            return Err(wrong());
        }
    }
    Ok(())
}
