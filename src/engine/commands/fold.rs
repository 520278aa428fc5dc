//! The steps that all folded events share: compare the event with the remembered ones, evaluate the deadlines up to
//! it, fold it, and place the customer again.

use crate::domain::aggregate::FoldedOrder;
use crate::domain::change::Cause;
use crate::domain::change::ChangeReason;
use crate::domain::event::CustomerEvent;
use crate::domain::event::EventBody;
use crate::domain::event::Order;
use crate::domain::ids::stable_hash;
use crate::domain::profile::ProfileUpdate;
use crate::domain::profile::Statement;
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
use crate::engine::state::remembered::Limits;
use crate::engine::state::remembered::REMEMBERED_MAX;
use crate::engine::state::remembered::RememberedEvent;
use crate::engine::state::remembered::RememberedId;
use crate::engine::transition::reassign;
use crate::engine::verdict::LateReason;
use crate::engine::verdict::Verdict;

/// What an event says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fact<'a> {
    /// An order.
    Order(&'a Order<'a>),
    /// Facts about the person.
    Profile(&'a ProfileUpdate),
}

/// What differs between the commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Command<'a> {
    pub(super) fact: Fact<'a>,
    /// Hash of type, order id and refund id, where it has an order.
    pub(super) order_hash: Option<u64>,
    /// Why the segment changes, if it does.
    pub(super) reason: ChangeReason,
}

/// Folds one event.
pub(super) fn fold(
    record: Option<Box<CustomerRecord>>,
    customer_id: &str,
    delivered: Delivered<'_>,
    rules: Rules<'_>,
    command: Command<'_>,
) -> Effects {
    let (event, policy) = (delivered.event, rules.policy);
    let identity = identity(event, command.order_hash);
    let day = policy.zone.day_of(event.occurred_at);
    if let Some(known) = &record
        && let Some(verdict) = refused(known, delivered, identity, day, policy)
    {
        return Effects::none(record.map(Entry::Live), verdict);
    }
    let mut record = record.unwrap_or_default();
    let mut changes = Vec::new();
    let due_by = delivered.due_by();
    let time_evaluations = elapse(&mut record, customer_id, due_by, rules, &mut changes);
    let order = apply(&mut record, command.fact, identity, day);
    if let Some(first_kept) = record.aggregate.advance_ledger(day, policy.ledger_days) {
        record.layout.first_kept = Some(first_kept);
    }
    if record.abridged.is_none() {
        remember(&mut record, identity, order, policy);
    }
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

/// Changes the sums of a record. Of a whole record, the order that was added, if one was; an abridged one takes it over.
fn apply(
    record: &mut CustomerRecord,
    fact: Fact<'_>,
    id: RememberedId,
    day: Day,
) -> Option<FoldedOrder> {
    let aggregate = &mut record.aggregate;
    match (fact, &mut record.abridged) {
        (Fact::Order(order), None) => Some(aggregate.fold_order(order, id.occurred_at, day)),
        (Fact::Order(order), Some(abridged)) => {
            let day = (day, abridged.is_new_day(day));
            let purchase = aggregate.fold_order_into_sums(order, id.occurred_at, day);
            abridged.add(id, Some(purchase));
            None
        }
        (Fact::Profile(update), abridged) => {
            let stated = Statement {
                occurred_at: id.occurred_at,
                event_hash: id.event_hash,
            };
            aggregate.fold_profile(update, stated);
            if let Some(abridged) = abridged {
                abridged.add(id, None);
            }
            None
        }
    }
}

fn remember(
    record: &mut CustomerRecord,
    id: RememberedId,
    order: Option<FoldedOrder>,
    policy: &Policy,
) {
    let displaced = order.iter().flat_map(|order| &order.displaced);
    displaced.for_each(|slot| record.remembered.displace(*slot));
    let event = RememberedEvent {
        id,
        purchase: order.map(|order| order.purchase),
        chunk: ChunkNumber::HEAD,
    };
    let layout = &mut record.layout;
    let newest_day = record.aggregate.greatest_event_day;
    let limits = Limits {
        ids: policy.remembered_ids,
        is_of_newest_day: &|at| Some(policy.zone.day_of(at)) >= newest_day,
    };
    record.remembered.insert(event, &limits, &mut |forgotten| {
        if let Some(purchase) = &forgotten.purchase {
            layout.keep_sum(forgotten.chunk, purchase);
        }
    });
}

fn identity(event: &CustomerEvent<'_>, order_hash: Option<u64>) -> RememberedId {
    RememberedId {
        occurred_at: event.occurred_at,
        event_hash: stable_hash(&[&event.event_id]),
        order_hash,
    }
}

/// The event is a duplicate or late.
pub(super) fn is_refused(
    record: &CustomerRecord,
    delivered: Delivered<'_>,
    policy: &Policy,
) -> bool {
    let event = delivered.event;
    let order_hash = match &event.body {
        EventBody::OrderCompleted(order) => Some(order.order_hash()),
        EventBody::CustomerUpdated(_) | EventBody::NotProcessed(_) => None,
    };
    let day = policy.zone.day_of(event.occurred_at);
    refused(record, delivered, identity(event, order_hash), day, policy).is_some()
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
    let (event_hash, order_hash) = (identity.event_hash, identity.order_hash);
    let is_remembered = || match &record.abridged {
        Some(abridged) => abridged.contains(event_hash, order_hash),
        None => remembered.contains(event_hash, order_hash),
    };
    if record.applied.has(delivered.position) || is_remembered() {
        return Some(Verdict::Duplicate);
    }
    let (reason, detail) = lateness(record, identity.occurred_at, day, policy)?;
    Some(Verdict::Late { reason, detail })
}

fn lateness(
    record: &CustomerRecord,
    occurred_at: Timestamp,
    day: Day,
    policy: &Policy,
) -> Option<(LateReason, String)> {
    if record
        .aggregate
        .is_older_than_ledger(day, policy.ledger_days)
    {
        let ledger_days = policy.ledger_days;
        let detail = format!(
            "occurred_at: {occurred_at} is more than state.ledger_days {ledger_days} before the \
             customer's newest event"
        );
        return Some((LateReason::OlderThanLedger, detail));
    }
    if record.remembered.is_full_of(occurred_at) {
        let detail = format!(
            "occurred_at: {occurred_at} is the time of {REMEMBERED_MAX} remembered events of the customer, and more of one \
             instant are not told apart"
        );
        return Some((LateReason::TooManyOfOneDay, detail));
    }
    let floor = record
        .remembered
        .floor()
        .map(|floor| floor.occurred_at)
        .filter(|floor| occurred_at <= *floor)?;
    let floor_day = policy.zone.day_of(floor);
    if Some(floor_day) >= record.aggregate.greatest_event_day {
        let detail = format!(
            "occurred_at: {occurred_at} is not after {floor}: the customer has more events on that day than the \
             {REMEMBERED_MAX} whose ids a record can remember"
        );
        return Some((LateReason::TooManyOfOneDay, detail));
    }
    let detail = format!(
        "occurred_at: {occurred_at} is not after {floor}, the newest event whose id the record no \
         longer remembers (deduplication.ids)"
    );
    Some((LateReason::OlderThanRemembered, detail))
}
