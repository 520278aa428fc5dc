//! Why an event cannot be used.

use crate::domain::event::unknown_fields::UnknownFields;

/// Why an event cannot be used, with a sentence that names the field, the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEvent {
    /// The rule that was broken first, in the order of docs/EVENTS.md.
    pub reason: RejectReason,
    /// The field, or the part of the record, that is wrong.
    pub field: &'static str,
    /// What is allowed there. It quotes nothing of the event, so a log may have it.
    pub allowed: String,
    /// The beginning of what stands there, with what cannot be seen escaped; `None` where nothing does.
    pub value: Option<String>,
    /// The sentence. It quotes the value, so it goes to the dead letter and never to a log.
    pub detail: String,
    /// Fields that no event has, as far as it was read.
    pub unknown: UnknownFields,
}

impl InvalidEvent {
    /// A rejection of what stands in a field.
    #[must_use]
    pub fn new(
        reason: RejectReason,
        field: &'static str,
        allowed: impl Into<String>,
        (value, detail): (Option<String>, String),
    ) -> Self {
        Self {
            reason,
            field,
            allowed: allowed.into(),
            value,
            detail,
            unknown: UnknownFields::default(),
        }
    }
}

/// The closed list of reasons for a dead letter; also the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// Not a JSON object in UTF-8.
    Unreadable,
    /// The value starts with a schema registry's magic byte.
    SchemaRegistryFormat,
    /// `event_id` missing and not derivable, of a wrong type, or too long.
    EventId,
    /// `type` missing or none of docs/EVENTS.md.
    Type,
    /// `occurred_at` missing or not an instant.
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
    /// `revenue` and its fallbacks missing, not a decimal, negative or over the cap.
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
    /// A transfer lacks a header that says where its event comes from, or has a wrong one.
    Transfer,
    /// What the event would write is larger than the log takes, or the log refuses it for another fault of its own.
    OutputTooLarge,
}

impl RejectReason {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Unreadable,
        Self::SchemaRegistryFormat,
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
        Self::Transfer,
        Self::OutputTooLarge,
    ];

    /// The metric label and the dead letter's `reason` header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::SchemaRegistryFormat => "schema_registry_format",
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
            Self::Transfer => "transfer",
            Self::OutputTooLarge => "output_too_large",
        }
    }
}
