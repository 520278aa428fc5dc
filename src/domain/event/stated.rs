//! What an event states of its own place in a log.

use std::borrow::Cow;

use crate::domain::event::fields::Field;
use crate::domain::event::instant::instant_of_json;
use crate::domain::event::raw::read_object;
use crate::domain::event::rejection::RejectReason;
use crate::domain::ids::CUSTOMER_ID_CHARACTERS_MAX;
use crate::domain::time::Timestamp;

/// The fields that make key and time of an event's record, whether or not the event can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated<'a> {
    /// The customer, if there is a usable id.
    pub customer_id: Option<Cow<'a, str>>,
    /// When it happened, if that is an instant.
    pub occurred_at: Option<Timestamp>,
}

/// Reads those fields as [`crate::domain::event::parse::parse`] does.
#[must_use]
pub fn stated(payload: &[u8]) -> Stated<'_> {
    let Ok(raw) = read_object(payload) else {
        return Stated::default();
    };
    let customer_id = Field::new("customer_id", raw.customer_id, RejectReason::CustomerId)
        .id(CUSTOMER_ID_CHARACTERS_MAX);
    let occurred_at = Field::new("occurred_at", raw.occurred_at, RejectReason::OccurredAt);
    Stated {
        customer_id: customer_id.ok().flatten(),
        occurred_at: occurred_at.raw().and_then(instant_of_json),
    }
}
