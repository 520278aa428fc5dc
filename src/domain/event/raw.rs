//! The wire shape: one JSON object whose fields are kept raw.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;

/// The magic byte of the schema registry's wire format.
const SCHEMA_REGISTRY_MAGIC: u8 = 0;

#[derive(Deserialize)]
pub(super) struct RawEvent<'a> {
    #[serde(borrow, default)]
    pub(super) event_id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    pub(super) event_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) occurred_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) customer_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) is_guest: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) order_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) currency: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) revenue: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) subtotal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) total: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) discount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) coupon: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) products: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) refund_amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) refund_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) test: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) profile: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) merged_from: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct RawProduct<'a> {
    #[serde(borrow, default)]
    pub(super) category: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) quantity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) price: Option<&'a RawValue>,
}

pub(super) fn read_object(payload: &[u8]) -> Result<RawEvent<'_>, InvalidEvent> {
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
