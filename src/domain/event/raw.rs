//! The wire shape: one JSON object whose fields are kept raw. A value that is not read may be any JSON, however deep it
//! is nested and whatever its texts mean. An array never stands for an object.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

use crate::domain::event::fields::json_text;
use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;

/// The magic byte of the schema registry's wire format.
const SCHEMA_REGISTRY_MAGIC: u8 = 0;

/// An object with these members. A member that stands twice is an error, even if it is null; other members are skipped.
/// Deriving `Deserialize` would take an array for the object, and would read the names of members that are skipped.
macro_rules! raw_object {
    ($name:ident, $($field:ident = $wire:literal),*) => {
        #[derive(Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: Option<&'a RawValue>,)*
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members<'a>(PhantomData<&'a ()>);

                impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
                    type Value = $name<'a>;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name<'a>, A::Error> {
                        $(let mut $field: Option<Option<&'a RawValue>> = None;)*
                        while let Some(name) = map.next_key::<&'de RawValue>()? {
                            // A name that is not Unicode is none of those that are read.
                            let name = json_text(name.get()).unwrap_or_default();
                            let (member, name) = match &*name {
                                $($wire => (&mut $field, $wire),)*
                                _ => {
                                    map.next_value::<IgnoredAny>()?;
                                    continue;
                                }
                            };
                            if member.replace(map.next_value()?).is_some() {
                                return Err(A::Error::duplicate_field(name));
                            }
                        }
                        Ok($name { $($field: $field.flatten(),)* })
                    }
                }

                deserializer.deserialize_map(Members(PhantomData))
            }
        }
    };
}

raw_object!(
    RawEvent,
    event_id = "event_id",
    event_type = "type",
    occurred_at = "occurred_at",
    customer_id = "customer_id",
    is_guest = "is_guest",
    order_id = "order_id",
    currency = "currency",
    revenue = "revenue",
    subtotal = "subtotal",
    total = "total",
    value = "value",
    discount = "discount",
    coupon = "coupon",
    channel = "channel",
    products = "products",
    refund_amount = "refund_amount",
    refund_id = "refund_id",
    test = "test",
    profile = "profile",
    merged_from = "merged_from"
);

raw_object!(
    RawProduct,
    category = "category",
    quantity = "quantity",
    price = "price"
);

raw_object!(
    RawProfile,
    birth_year = "birth_year",
    income = "income",
    joined_at = "joined_at",
    attributes = "attributes"
);

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
