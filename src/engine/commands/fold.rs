//! The steps that all folded events share: compare the event with the remembered ones, evaluate the deadlines up to
//! it, fold it, and place the customer again.

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::aggregate::FoldedOrder;
use crate::domain::change::Cause;
use crate::domain::change::ChangeReason;
use crate::domain::ids::stable_hash;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::engine::commands::effects::Delivered;
use crate::engine::commands::effects::Effects;
use crate::engine::elapse::elapse;
use crate::engine::policy::Policy;
use crate::engine::policy::Rules;
use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::remembered::RememberedEvent;
use crate::engine::state::remembered::RememberedId;
use crate::engine::transition::reassign;
use crate::engine::verdict::Verdict;

/// What differs between the commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Command {
    /// Hash of type, order id and refund id, where it has an order.
    pub(super) order_hash: Option<u64>,
    /// Why the segment changes, if it does.
    pub(super) reason: ChangeReason,
}

/// Folds one event. `apply` changes the aggregate, given the event's day and the hash of its id, and returns the order
/// that it added, if it added one.
pub(super) fn fold(
    record: Option<Box<CustomerRecord>>,
    customer_id: &str,
    delivered: Delivered<'_>,
    rules: Rules<'_>,
    command: Command,
    apply: impl FnOnce(&mut CustomerAggregate, Day, u64) -> Option<FoldedOrder>,
) -> Effects {
    let (event, policy) = (delivered.event, rules.policy);
    let identity = RememberedId {
        occurred_at: event.occurred_at,
        event_hash: stable_hash(&[&event.event_id]),
        order_hash: command.order_hash,
    };
    let day = policy.zone.day_of(event.occurred_at);
    if let Some(known) = &record
        && let Some(verdict) = refused(known, delivered, identity, day, policy)
    {
        return Effects::none(record.map(Entry::Live), verdict);
    }
    let mut record = record.unwrap_or_default();
    let mut changes = Vec::new();
    let due_by = delivered
        .clock
        .max(Some(delivered.record_time))
        .unwrap_or_default();
    let time_evaluations = elapse(&mut record, customer_id, due_by, rules, &mut changes);
    let order = apply(&mut record.aggregate, day, identity.event_hash);
    if let Some(first_kept) = record.aggregate.advance_ledger(day, policy.ledger_days) {
        record.layout.first_kept = Some(first_kept);
    }
    remember(&mut record, identity, order, policy.remembered_ids);
    record.applied = record.applied.after(delivered.position);
    record.evaluated_at = record.evaluated_at.max(delivered.record_time);
    let cause = || Cause::Event {
        event_id: event.event_id.as_ref().to_owned(),
        position: delivered.origin,
    };
    let reason = command.reason;
    changes.extend(reassign(&mut record, customer_id, reason, rules, cause));
    Effects {
        entry: Some(Entry::Live(record)),
        changes,
        time_evaluations,
        verdict: Verdict::Applied,
    }
}

fn remember(
    record: &mut CustomerRecord,
    id: RememberedId,
    order: Option<FoldedOrder>,
    limit: usize,
) {
    let displaced = order.iter().flat_map(|order| &order.displaced);
    displaced.for_each(|slot| record.remembered.displace(*slot));
    let event = RememberedEvent {
        id,
        purchase: order.map(|order| order.purchase),
        chunk: ChunkNumber::HEAD,
    };
    if let Some(forgotten) = record.remembered.insert(event, limit)
        && let Some(purchase) = &forgotten.purchase
    {
        record.layout.keep_sum(forgotten.chunk, purchase);
    }
}

/// Why an event is not folded into a known customer's record; `None` if it is.
fn refused(
    record: &CustomerRecord,
    delivered: Delivered<'_>,
    identity: RememberedId,
    day: Day,
    policy: &Policy,
) -> Option<Verdict> {
    let remembered = &record.remembered;
    if record.applied.has(delivered.position)
        || remembered.contains(identity.event_hash, identity.order_hash)
    {
        return Some(Verdict::Duplicate);
    }
    let detail = lateness(record, identity.occurred_at, day, policy)?;
    Some(Verdict::Late { detail })
}

fn lateness(
    record: &CustomerRecord,
    occurred_at: Timestamp,
    day: Day,
    policy: &Policy,
) -> Option<String> {
    if record
        .aggregate
        .is_older_than_ledger(day, policy.ledger_days)
    {
        let ledger_days = policy.ledger_days;
        return Some(format!(
            "occurred_at: {occurred_at} is more than state.ledger_days {ledger_days} before the \
             customer's newest event"
        ));
    }
    let floor = record
        .remembered
        .floor()
        .map(|floor| floor.occurred_at)
        .filter(|floor| occurred_at <= *floor)?;
    Some(format!(
        "occurred_at: {occurred_at} is not after {floor}, the newest event whose id the record no \
         longer remembers (deduplication.ids)"
    ))
}
