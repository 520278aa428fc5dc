//! What the log's input amounts to: folded one delivery after the other, without batches, stores or workers.

use std::collections::BTreeMap;

use segstream::domain::change::SegmentChange;
use segstream::domain::event::parse::parse_value;
use segstream::domain::event::rules::IntakeRules;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::time::Timestamp;
use segstream::domain::transfer::Origin;
use segstream::engine::admission::Admission;
use segstream::engine::admission::admit;
use segstream::engine::commands::Delivered;
use segstream::engine::commands::decide;
use segstream::engine::elapse::elapse;
use segstream::engine::policy::Policy;
use segstream::engine::policy::Rules;
use segstream::engine::state::entry::Entry;
use segstream::engine::state::record::CustomerRecord;
use segstream::engine::verdict::Outcome;
use segstream::engine::verdict::Verdict;
use segstream::log::Delivery;
use segstream::log::OutputRecord;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::outputs;
use segstream::pipeline::partition::clock::ClockMode;

use super::feed;
use super::process::model;
use crate::support;
use crate::support::ANY_PLACEMENT;
use crate::support::TOPIC;
use crate::support::TRANSFERS;

/// Everything that is to be seen in the end.
#[derive(Debug, Default)]
pub struct Expected {
    pub records: BTreeMap<String, CustomerRecord>,
    /// Where each customer is.
    pub homes: BTreeMap<String, Partition>,
    /// The changes of each customer, in their order.
    pub changes: BTreeMap<String, Vec<SegmentChange>>,
    /// Of each delivery that has one; the timestamp is the wall clock's and left out.
    pub dead_letters: BTreeMap<Position, OutputRecord>,
    pub outcomes: BTreeMap<Position, Outcome>,
}

struct Definition {
    intake: IntakeRules,
    policy: Policy,
    mode: ClockMode,
}

impl Definition {
    fn rules(&self) -> Rules<'_> {
        Rules {
            policy: &self.policy,
            model: model(),
        }
    }
}

impl Deletions {
    /// Deletes those who were deleted before a delivery. Clocks stood at `until` at most.
    fn take_place(
        &mut self,
        expected: &mut Expected,
        position: Position,
        until: Option<Timestamp>,
        definition: &Definition,
    ) {
        let Some(before) = self.before.get_mut(&position.partition) else {
            return;
        };
        let due = before.partition_point(|(offset, _)| *offset <= position.offset);
        for (_, id) in before.drain(..due) {
            let Some(mut record) = expected.records.remove(&id) else {
                continue;
            };
            expected.homes.remove(&id);
            let changes = expected.changes.entry(id.clone()).or_default();
            let published = self
                .published
                .get(&id)
                .map(Vec::as_slice)
                .unwrap_or_default();
            while let Some(at) = record.deadline.filter(|at| Some(*at) <= until)
                && published.get(changes.len()) == Some(&(record.sequence + 1))
            {
                elapse(&mut record, &id, at, definition.rules(), changes);
            }
        }
    }
}

/// Who was deleted when.
#[derive(Debug, Default)]
pub struct Deletions {
    /// Before which delivery of a partition.
    pub before: BTreeMap<Partition, Vec<(u64, String)>>,
    /// The sequences of the changes that were published of each customer, in their order. Time alone may have moved
    /// a customer before the deletion or not: it depends on when the worker looked.
    pub published: BTreeMap<String, Vec<u64>>,
}

/// A record of a source, and where it stands.
type Sent = (Position, InputRecord);

/// Folds the input. In the end each clock stands at `clock`, or, without one, at the greatest record time of
/// its partition. Transfers are such that it does not matter when they come.
pub fn fold(
    (inputs, transfers): (&[Sent], &[Sent]),
    mode: ClockMode,
    clock: Option<Timestamp>,
    mut deletions: Deletions,
) -> Expected {
    let definition = Definition {
        intake: support::intake(),
        policy: support::policy(),
        mode,
    };
    let mut expected = Expected::default();
    let mut greatest: BTreeMap<Partition, Timestamp> = BTreeMap::new();
    for (position, input) in inputs {
        let until = clock.max(greatest.get(&position.partition).copied());
        deletions.take_place(&mut expected, *position, until, &definition);
        let known = greatest.get(&position.partition).copied();
        let stated = match mode {
            ClockMode::Event => input.timestamp,
            ClockMode::Wall => feed::believable(input.timestamp),
        };
        let times = Times {
            stated: input.timestamp,
            counted: stated.or(known),
            known,
        };
        let delivered = (*position, *position, input);
        let verdict = fold_one(&mut expected, delivered, times, &definition);
        if verdict.reject_reason().is_none()
            && let Some(stated) = stated
        {
            let latest = greatest.entry(position.partition).or_insert(stated);
            *latest = stated.max(*latest);
        }
        end(&mut expected, (*position, input), &verdict);
    }
    for (position, transfer) in transfers {
        fold_transfer(&mut expected, *position, transfer, &definition);
    }
    for partition in deletions.before.keys().copied().collect::<Vec<_>>() {
        let end = Position {
            source: Source::Events,
            partition,
            offset: u64::MAX,
        };
        let until = clock.max(greatest.get(&partition).copied());
        deletions.take_place(&mut expected, end, until, &definition);
    }
    let rules = definition.rules();
    for (id, record) in &mut expected.records {
        let latest = greatest.get(&expected.homes[id]).copied();
        if let Some(clock) = clock.or(latest) {
            let changes = expected.changes.entry(id.clone()).or_default();
            elapse(record, id, clock, rules, changes);
        }
    }
    expected.changes.retain(|_, changes| !changes.is_empty());
    expected
}

/// How a delivery ends.
fn end(expected: &mut Expected, (position, input): (Position, &InputRecord), verdict: &Verdict) {
    expected.outcomes.insert(position, verdict.outcome());
    let Some(cause) = verdict.dead_letter() else {
        return;
    };
    let delivery = Delivery {
        position,
        record_time: input.timestamp,
        key: input.key.clone(),
        payload: input.payload.clone(),
        headers: input.headers.clone(),
    };
    let topic = topic_of(position.source);
    let letter = outputs::dead_letter(&delivery, cause, topic, Timestamp::default());
    expected.dead_letters.insert(position, letter);
}

/// The name of a source in dead letters.
pub fn topic_of(source: Source) -> &'static str {
    match source {
        Source::Events => TOPIC,
        Source::Transfers => TRANSFERS,
    }
}

fn fold_transfer(
    expected: &mut Expected,
    position: Position,
    transfer: &InputRecord,
    definition: &Definition,
) {
    let value_of = |name: &str| {
        let mut found = transfer.headers.iter().rev();
        let (_, value) = found.find(|(known, _)| known == name)?;
        value.as_deref()
    };
    let verdict = match Origin::read(value_of) {
        Ok(origin) => {
            let delivered = (position, origin.position, transfer);
            let times = Times {
                stated: Some(origin.record_time),
                counted: Some(origin.record_time),
                known: None,
            };
            fold_one(expected, delivered, times, definition)
        }
        Err(invalid) => Verdict::Rejected(invalid),
    };
    end(expected, (position, transfer), &verdict);
}

/// The times of a delivery.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// Its own, which `occurred_at` is compared with.
    stated: Option<Timestamp>,
    /// The one that it counts with; that of the event where there is none.
    counted: Option<Timestamp>,
    /// The greatest of its partition before.
    known: Option<Timestamp>,
}

fn fold_one(
    expected: &mut Expected,
    (position, origin, input): (Position, Position, &InputRecord),
    times: Times,
    definition: &Definition,
) -> Verdict {
    let stated = times.stated.unwrap_or(Timestamp::MAX);
    let event = match parse_value(input.payload.as_deref(), stated, &definition.intake) {
        Ok(event) => event,
        Err(invalid) => return Verdict::Rejected(invalid),
    };
    let id = match admit(&event, input.key.as_deref(), ANY_PLACEMENT) {
        Admission::Ended(verdict) => return verdict,
        Admission::Customer { customer_id } => customer_id,
    };
    let entry = expected
        .records
        .get(id)
        .cloned()
        .map(Box::new)
        .map(Entry::Live);
    let delivered = Delivered {
        event: &event,
        position,
        origin,
        record_time: times.counted.unwrap_or(event.occurred_at),
        // The wall clock is never ahead of an event that counts: see the feed.
        clock: times.known.filter(|_| definition.mode == ClockMode::Event),
    };
    let rules = definition.rules();
    let done = decide(entry, id, delivered, rules);
    if done.verdict == Verdict::Applied {
        let record = done.entry.and_then(Entry::into_record).unwrap();
        expected.records.insert(id.to_owned(), record);
        expected.homes.insert(id.to_owned(), position.partition);
    }
    let changes = expected.changes.entry(id.to_owned()).or_default();
    changes.extend(done.changes);
    done.verdict
}
