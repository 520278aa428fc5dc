//! One business event of the retailer, as the engine understands it.
//!
//! [`parse::parse`] turns bytes into a [`CustomerEvent`] or an [`InvalidEvent`]. In a [`CustomerEvent`] ids
//! are within their limits and amounts are in minor units of the base currency, so no other code checks
//! them again. Fields and rules: docs/EVENTS.md.

mod amount;
pub mod fields;
mod instant;
mod kinds;
mod lines;
mod order;
pub mod parse;
mod profile;
mod raw;
mod rejection;
pub mod rules;
mod scanner;
mod stated;
mod unknown_fields;
mod unknown_names;
mod well_formed;

pub use crate::domain::event::instant::instant_of_json;
pub use crate::domain::event::kinds::Channel;
pub use crate::domain::event::kinds::EventType;
pub use crate::domain::event::lines::lines;
pub use crate::domain::event::rejection::InvalidEvent;
pub use crate::domain::event::rejection::RejectReason;
pub use crate::domain::event::stated::Stated;
pub use crate::domain::event::stated::stated;
pub use crate::domain::event::unknown_fields::UnknownFields;
pub use crate::domain::event::unknown_names::UnknownName;
pub use crate::domain::event::unknown_names::means_customer;
pub use crate::domain::event::unknown_names::unknown_names;

use std::borrow::Cow;

use crate::domain::ids::stable_hash;
use crate::domain::money::Money;
use crate::domain::profile::ProfileUpdate;
use crate::domain::time::Timestamp;

/// An event that passed every field rule. Texts borrow from the payload where they can.
#[derive(Clone, Debug, PartialEq)]
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
    /// Fields that no event has.
    pub unknown: UnknownFields,
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
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The de-duplication key of the order: type, order id and refund id (none here). It is not 0, which stands for no order.
    #[must_use]
    pub fn order_hash(&self) -> u64 {
        stable_hash(&[EventType::OrderCompleted.as_str(), &self.order_id, ""]).max(1)
    }
}
