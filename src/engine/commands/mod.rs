//! What can be done to a customer, one command a file. A command takes the entry that the customer's key holds and
//! gives back what it holds then; it changes nothing else.

mod fold;
mod profile;
mod purchase;

use crate::domain::change::SegmentChange;
use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::ids::Position;
use crate::domain::time::Timestamp;
use crate::engine::policy::Rules;
use crate::engine::state::entry::Entry;
use crate::engine::verdict::Verdict;

/// An admitted event, where and when it was delivered.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// The event.
    pub event: &'a CustomerEvent<'a>,
    /// Where it was delivered.
    pub position: Position,
    /// The record time of the delivery.
    pub record_time: Timestamp,
    /// The partition clock before it: whatever was due by then comes first.
    pub clock: Option<Timestamp>,
}

/// What a command does.
#[derive(Debug)]
pub struct Effects {
    /// What the customer's key holds now; the entry that came in unless the verdict is `Applied`.
    pub entry: Option<Entry>,
    /// The moves in their order: those that time had brought by then, and the one of the delivery, if any.
    pub changes: Vec<SegmentChange>,
    /// How often the customer was evaluated for time alone before.
    pub time_evaluations: usize,
    /// How the delivery ended.
    pub verdict: Verdict,
}

impl Effects {
    /// The delivery changes nothing.
    fn none(entry: Option<Entry>, verdict: Verdict) -> Self {
        Self {
            entry,
            changes: Vec::new(),
            time_evaluations: 0,
            verdict,
        }
    }
}

/// Decides one delivery for one customer. An unknown customer has no entry.
#[must_use]
pub fn decide(
    entry: Option<Entry>,
    customer_id: &str,
    delivered: Delivered<'_>,
    rules: Rules<'_>,
) -> Effects {
    let record = match entry {
        None => None,
        Some(Entry::Live(record)) => Some(record),
        // No command of this version makes these; a newer one's are kept as they are.
        Some(entry @ Entry::Suppressed(_)) => {
            return Effects::none(Some(entry), Verdict::Suppressed);
        }
        Some(entry @ Entry::Moved(_)) => {
            let event_type = delivered.event.body.event_type();
            return Effects::none(Some(entry), Verdict::Unsupported(event_type));
        }
    };
    match &delivered.event.body {
        EventBody::OrderCompleted(order) => {
            purchase::decide(order, record, customer_id, delivered, rules)
        }
        EventBody::CustomerUpdated(update) => {
            profile::decide(update, record, customer_id, delivered, rules)
        }
        EventBody::NotProcessed(event_type) => {
            Effects::none(record.map(Entry::Live), Verdict::Unsupported(*event_type))
        }
    }
}
