//! What can be judged of a delivery without the customer's record.

use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::event::EventCustomer;
use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::fields::quoted;
use crate::engine::verdict::Verdict;

/// The admission of a parsed event.
#[derive(Debug)]
pub enum Admission<'a> {
    /// It needs its customer's record: [`crate::engine::step::step`] decides.
    Customer {
        /// Whose.
        customer_id: &'a str,
    },
    /// It has ended.
    Ended(Verdict),
}

/// Judges, in this order: test, guest, key, type. docs/EVENTS.md, Verdicts.
#[must_use]
pub fn admit<'a>(event: &'a CustomerEvent<'_>, key: Option<&[u8]>) -> Admission<'a> {
    if event.is_test {
        return Admission::Ended(Verdict::Test);
    }
    let customer_id = match &event.customer {
        EventCustomer::Guest => return Admission::Ended(Verdict::Guest),
        EventCustomer::Known(customer_id) => customer_id,
    };
    if key != Some(customer_id.as_bytes()) {
        return Admission::Ended(Verdict::Rejected(key_mismatch(key)));
    }
    match &event.body {
        EventBody::NotProcessed(event_type) => Admission::Ended(Verdict::Unsupported(*event_type)),
        EventBody::OrderCompleted(_) | EventBody::CustomerUpdated(_) => {
            Admission::Customer { customer_id }
        }
    }
}

fn key_mismatch(key: Option<&[u8]>) -> InvalidEvent {
    let found = key.map_or_else(
        || "null".to_owned(),
        |key| format!("{:?}", quoted(&String::from_utf8_lossy(key))),
    );
    InvalidEvent {
        reason: RejectReason::KeyMismatch,
        detail: format!("the record's key: {found} is not the event's customer_id"),
    }
}
