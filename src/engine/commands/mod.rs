//! What can be done to a customer, one command a file. A command takes the entry that the customer's key holds and
//! gives back what it holds then; it changes nothing else.

mod effects;
mod fold;
mod profile;
mod purchase;

use crate::domain::event::EventBody;
pub use crate::engine::commands::effects::Delivered;
pub use crate::engine::commands::effects::Effects;
use crate::engine::policy::Rules;
use crate::engine::state::entry::Entry;
use crate::engine::verdict::Verdict;

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
        // No command of this version writes these entries; those of a newer version are kept as they are.
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
