//! One business event of the retailer, as the engine understands it.
//!
//! [`parse::parse`] turns bytes into a [`CustomerEvent`] or an [`InvalidEvent`]; whatever it lets
//! through has ids within their limits and amounts in minor units of the base currency, so nobody
//! checks again. Fields and rules: docs/EVENTS.md.

pub mod fields;
pub mod parse;

use std::borrow::Cow;

use crate::domain::ids::stable_hash;
use crate::domain::money::Money;
use crate::domain::profile::ProfileUpdate;
use crate::domain::time::Timestamp;

/// An event that passed every field rule. Texts borrow from the payload where they can.
#[derive(Clone, Debug)]
pub struct CustomerEvent<'a> {
    /// De-duplication key, 1 to 128 characters; derived from type and order where absent.
    pub event_id: Cow<'a, str>,
    /// When it happened; an instant too far ahead is clamped to the delivery's record time.
    pub occurred_at: Timestamp,
    /// Whose event it is.
    pub customer: EventCustomer<'a>,
    /// Marked by the sender as a test: counted and dropped.
    pub is_test: bool,
    /// What happened.
    pub body: EventBody<'a>,
}

/// Whose event it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventCustomer<'a> {
    /// A customer with an id.
    Known(Cow<'a, str>),
    /// A purchase without an account: counted, not aggregated.
    Guest,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventBody<'a> {
    /// A completed order.
    OrderCompleted(Order<'a>),
    /// New facts about the person.
    CustomerUpdated(ProfileUpdate),
    /// A type of docs/EVENTS.md that this version does not process yet.
    NotProcessed(EventType),
}

impl EventBody<'_> {
    /// The type, for counting.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        match self {
            Self::OrderCompleted(_) => EventType::OrderCompleted,
            Self::CustomerUpdated(_) => EventType::CustomerUpdated,
            Self::NotProcessed(event_type) => *event_type,
        }
    }
}

/// A completed order, in the base currency.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Second de-duplication key.
    pub order_id: Cow<'a, str>,
    /// Net revenue: without discount, tax and shipping; never negative.
    pub spend: Money,
    /// Where it was bought.
    pub channel: Channel,
    /// Bought with a coupon or a discount above zero.
    pub is_deal: bool,
    /// Spend by product category, one entry a product line.
    pub category_spend: Vec<(Cow<'a, str>, Money)>,
}

impl Order<'_> {
    /// The de-duplication key of the order: type, order id and refund id (none here).
    #[must_use]
    pub fn order_hash(&self) -> u64 {
        stable_hash(&[EventType::OrderCompleted.as_str(), &self.order_id, ""])
    }
}

/// The types of docs/EVENTS.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `order.completed`
    OrderCompleted,
    /// `order.refunded`
    OrderRefunded,
    /// `order.cancelled`
    OrderCancelled,
    /// `customer.updated`
    CustomerUpdated,
    /// `customer.merged`
    CustomerMerged,
    /// `customer.erased`
    CustomerErased,
    /// `consent.updated`
    ConsentUpdated,
}

impl EventType {
    /// All of them, in the order of docs/EVENTS.md.
    pub const ALL: [Self; 7] = [
        Self::OrderCompleted,
        Self::OrderRefunded,
        Self::OrderCancelled,
        Self::CustomerUpdated,
        Self::CustomerMerged,
        Self::CustomerErased,
        Self::ConsentUpdated,
    ];

    /// The name on the wire, also the metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderCompleted => "order.completed",
            Self::OrderRefunded => "order.refunded",
            Self::OrderCancelled => "order.cancelled",
            Self::CustomerUpdated => "customer.updated",
            Self::CustomerMerged => "customer.merged",
            Self::CustomerErased => "customer.erased",
            Self::ConsentUpdated => "consent.updated",
        }
    }

    /// From the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|event_type| event_type.as_str() == text)
    }
}

/// Where an order was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The web shop.
    Web,
    /// A store.
    Store,
    /// The catalogue.
    Catalog,
    /// The mobile application.
    App,
    /// Somebody else's marketplace.
    Marketplace,
    /// By telephone.
    Phone,
    /// Not told.
    Unknown,
}

impl Channel {
    /// All of them; a channel's place here is its place in the ledger's counts.
    pub const ALL: [Self; 7] = [
        Self::Web,
        Self::Store,
        Self::Catalog,
        Self::App,
        Self::Marketplace,
        Self::Phone,
        Self::Unknown,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Store => "store",
            Self::Catalog => "catalog",
            Self::App => "app",
            Self::Marketplace => "marketplace",
            Self::Phone => "phone",
            Self::Unknown => "unknown",
        }
    }

    /// From the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text)
    }
}

/// Why an event cannot be used, with a sentence that names the field, the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEvent {
    /// The rule that was broken first, in the order of docs/EVENTS.md.
    pub reason: RejectReason,
    /// The sentence. It quotes the value, so it goes to the dead letter and never to a log.
    pub detail: String,
}

/// The closed list of reasons for a dead letter; also the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// Not a JSON object in UTF-8.
    Unreadable,
    /// The value starts with a schema registry's magic byte.
    SchemaRegistryFormat,
    /// The delivery has no usable record time and its partition has had none yet.
    NoRecordTime,
    /// `event_id` missing and not derivable, of a wrong type, or too long.
    EventId,
    /// `type` missing or none of docs/EVENTS.md.
    Type,
    /// `occurred_at` missing or no instant.
    OccurredAt,
    /// Before `events.earliest`.
    TooOld,
    /// More than 24 hours ahead of the record time.
    Future,
    /// `customer_id` or `is_guest` of a wrong type, or too long.
    CustomerId,
    /// `order_id` missing, of a wrong type, or too long.
    OrderId,
    /// `currency` missing or not three capital letters.
    Currency,
    /// A currency without a configured rate.
    UnknownCurrency,
    /// `revenue` and its fallbacks missing, no decimal, negative or over the cap.
    Revenue,
    /// `discount` or `coupon` of a wrong type.
    Discount,
    /// `channel` none of docs/EVENTS.md.
    Channel,
    /// `products` not a list of product lines.
    Products,
    /// `refund_amount` missing, not positive, or over the cap; `refund_id` of a wrong type.
    Refund,
    /// `test` not a boolean.
    Test,
    /// `profile` missing or one of its fields wrong.
    Profile,
    /// `merged_from` missing or not a list of ids.
    MergedFrom,
    /// The record's key is not the customer's id.
    KeyMismatch,
    /// The record is on a partition where its key does not belong.
    WrongPartition,
}

impl RejectReason {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Unreadable,
        Self::SchemaRegistryFormat,
        Self::NoRecordTime,
        Self::EventId,
        Self::Type,
        Self::OccurredAt,
        Self::TooOld,
        Self::Future,
        Self::CustomerId,
        Self::OrderId,
        Self::Currency,
        Self::UnknownCurrency,
        Self::Revenue,
        Self::Discount,
        Self::Channel,
        Self::Products,
        Self::Refund,
        Self::Test,
        Self::Profile,
        Self::MergedFrom,
        Self::KeyMismatch,
        Self::WrongPartition,
    ];

    /// The metric label and the dead letter's `reason` header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::SchemaRegistryFormat => "schema_registry_format",
            Self::NoRecordTime => "no_record_time",
            Self::EventId => "event_id",
            Self::Type => "type",
            Self::OccurredAt => "occurred_at",
            Self::TooOld => "too_old",
            Self::Future => "future",
            Self::CustomerId => "customer_id",
            Self::OrderId => "order_id",
            Self::Currency => "currency",
            Self::UnknownCurrency => "unknown_currency",
            Self::Revenue => "revenue",
            Self::Discount => "discount",
            Self::Channel => "channel",
            Self::Products => "products",
            Self::Refund => "refund",
            Self::Test => "test",
            Self::Profile => "profile",
            Self::MergedFrom => "merged_from",
            Self::KeyMismatch => "key_mismatch",
            Self::WrongPartition => "wrong_partition",
        }
    }
}
