//! What can be done to a customer, one command a file. A command takes the entry that the customer's key holds and
//! gives back what it holds then; it changes nothing else.

mod effects;
mod fold;
mod profile;
mod purchase;

use crate::domain::event::EventBody;
use crate::domain::time::Timestamp;
use crate::domain::time::earlier;
pub use crate::engine::commands::effects::Delivered;
pub use crate::engine::commands::effects::Effects;
use crate::engine::policy::Rules;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::CustomerRecord;
use crate::engine::verdict::Verdict;

/// The delivery can only be folded into the whole record of its customer: [`decide`] must not be given an abridged one.
#[must_use]
pub fn needs_past(entry: &Entry, delivered: Delivered<'_>, rules: Rules<'_>) -> bool {
    let Some(record) = entry.record() else {
        return false;
    };
    let Some(abridged) = &record.abridged else {
        return false;
    };
    let (event, zone) = (delivered.event, &rules.policy.zone);
    let first_at = record.aggregate.purchases.map(|span| span.first_at);
    let first_at = earlier(first_at, Some(event.occurred_at));
    let until = delivered.due_by().max(record.evaluated_at);
    let needs_past = abridged.needs_past(event, rules.policy.remembered_ids)
        || !zone.has_days_in_order_since(event.occurred_at)
        || leaves_a_window(first_at, until, rules);
    // What is not folded needs none.
    needs_past && !fold::is_refused(record, delivered, rules.policy)
}

/// Deadlines up to an instant can only be evaluated with the whole record of the customer: [`elapse`] must not be given
/// an abridged one.
///
/// [`elapse`]: crate::engine::elapse::elapse
#[must_use]
pub fn elapsing_needs_past(record: &CustomerRecord, until: Timestamp, rules: Rules<'_>) -> bool {
    let first_at = record.aggregate.purchases.map(|span| span.first_at);
    record.abridged.is_some() && leaves_a_window(first_at, until, rules)
}

/// By then, the first purchase day is not in all windows of the model: the days of the ledger have to be added up. Before
/// that, what was bought in a window is what was bought since ever.
fn leaves_a_window(first_at: Option<Timestamp>, until: Timestamp, rules: Rules<'_>) -> bool {
    let zone = &rules.policy.zone;
    let (Some(window_days), Some(first_at)) = (rules.model.windows_days().first(), first_at) else {
        return false;
    };
    zone.may_be_before(first_at, zone.day_of(until).first_of_window(*window_days))
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
