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
use crate::domain::event::fields::quoted;
use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;
use crate::domain::event::unknown_fields::Level;
use crate::domain::event::unknown_fields::UNREAD_OF_EVENT;
use crate::domain::event::unknown_fields::UNREAD_OF_PRODUCT;
use crate::domain::event::unknown_fields::UnknownFields;

/// Bytes of a value that a message may quote of; more than it does.
const BEGINNING_BYTES: usize = 1024;

/// The magic byte of the schema registry's wire format.
const SCHEMA_REGISTRY_MAGIC: u8 = 0;

/// An object with these members. A member that stands twice is an error, even if it is null; other members are skipped.
/// Deriving `Deserialize` would take an array for the object, and would read the names of members that are skipped.
macro_rules! raw_object {
    ($name:ident, $level:expr, unread $unread:expr, $($field:ident = $wire:literal),*) => {
        #[derive(Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: Option<&'a RawValue>,)*
            /// The members that are skipped, though not those that are known and not read.
            pub(super) unknown: UnknownFields,
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
                        let mut unknown = UnknownFields::default();
                        while let Some(name) = map.next_key::<&'de RawValue>()? {
                            // A name that is not Unicode is none of those that are read.
                            let name = json_text(name.get()).unwrap_or_default();
                            let (member, name) = match &*name {
                                $($wire => (&mut $field, $wire),)*
                                name => {
                                    if !$unread.contains(&name) {
                                        unknown.add($level, name);
                                    }
                                    map.next_value::<IgnoredAny>()?;
                                    continue;
                                }
                            };
                            if member.replace(map.next_value()?).is_some() {
                                return Err(A::Error::duplicate_field(name));
                            }
                        }
                        Ok($name { $($field: $field.flatten(),)* unknown })
                    }
                }

                deserializer.deserialize_map(Members(PhantomData))
            }
        }
    };
}

raw_object!(
    RawEvent,
    Level::Event,
    unread[UNREAD_OF_EVENT],
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
    Level::Product,
    unread[UNREAD_OF_PRODUCT],
    category = "category",
    quantity = "quantity",
    price = "price"
);

raw_object!(
    RawProfile,
    Level::Profile,
    unread [""; 0],
    birth_year = "birth_year",
    income = "income",
    joined_at = "joined_at",
    attributes = "attributes"
);

/// A value that is no JSON object.
pub(super) fn unreadable(payload: Option<&[u8]>, what: &str) -> InvalidEvent {
    InvalidEvent::new(
        RejectReason::Unreadable,
        "the value",
        "one JSON object in UTF-8",
        (
            payload.map(beginning),
            format!("the value is not one JSON object in UTF-8: {what}"),
        ),
    )
}

fn beginning(payload: &[u8]) -> String {
    let beginning = payload.get(..BEGINNING_BYTES).unwrap_or(payload);
    quoted(&String::from_utf8_lossy(beginning))
}

pub(super) fn read_object(payload: &[u8]) -> Result<RawEvent<'_>, InvalidEvent> {
    if payload.first() == Some(&SCHEMA_REGISTRY_MAGIC) {
        let detail = "the value starts with a schema registry's magic byte 0: send plain JSON";
        return Err(InvalidEvent::new(
            RejectReason::SchemaRegistryFormat,
            "the value",
            "plain JSON, without a schema registry's magic byte 0",
            (Some(beginning(payload)), detail.to_owned()),
        ));
    }
    let unreadable = |what: String| unreadable(Some(payload), &what);
    let text = std::str::from_utf8(payload).map_err(|error| unreadable(error.to_string()))?;
    if text.trim_start().starts_with('[') {
        let what = "it is a list: send one event a line, without [ and ]";
        return Err(unreadable(what.to_owned()));
    }
    if !text.trim_start().starts_with('{') {
        return Err(unreadable("it does not begin with '{'".to_owned()));
    }
    serde_json::from_str(text).map_err(|error| {
        let mut what = error.to_string();
        if what.contains("trailing characters") {
            what.push_str(
                ": send one event a line (curl keeps the lines of a file with --data-binary)",
            );
        }
        unreadable(what)
    })
}
