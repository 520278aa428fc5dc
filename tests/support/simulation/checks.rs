//! What can be seen from outside, compared with the oracle byte by byte.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use segstream::codec::entry;
use segstream::codec::key::StateKey;
use segstream::domain::churn::RiskBand;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::time::Timestamp;
use segstream::engine::state::record::CustomerRecord;
use segstream::engine::verdict::Outcome;
use segstream::log::OutputRecord;
use segstream::pipeline::control::Counts;
use segstream::pipeline::outputs;
use segstream::pipeline::partitions::Phase;

use super::group::State;
use super::oracle;
use super::oracle::Expected;
use super::process::Process;
use super::process::World;
use crate::support::TOPIC;

/// Compares everything. `past` are the counts of the processes that are gone.
pub fn check(world: &World, processes: &[&Process], expected: &Expected, past: &[Counts]) {
    check_changes(world, expected);
    check_parts(world);
    check_dead_letters(world, expected);
    let mut records = BTreeMap::new();
    for process in processes {
        check_process(world, process, &mut records);
    }
    let found: BTreeMap<String, CustomerRecord> = records
        .into_iter()
        .map(|(id, (partition, record))| {
            assert_eq!(expected.homes.get(&id), Some(&partition), "where {id} is");
            (id, record)
        })
        .collect();
    assert_eq!(found, expected.records, "state equals the fold");
    let present = processes
        .iter()
        .map(|process| process.shared.tally.counts());
    let counts: Vec<Counts> = past.iter().cloned().chain(present).collect();
    check_counts(&world.group.lock(), expected, &counts);
}

/// Each changelog holds the parts that the heads name, and no other.
fn check_parts(world: &World) {
    for changelog in world.group.lock().changelogs.values() {
        let latest: BTreeMap<&[u8], Option<&[u8]>> = changelog
            .iter()
            .map(|kept| (&*kept.record.key, kept.record.value.as_deref()))
            .collect();
        let mut named = BTreeSet::new();
        let mut found = BTreeSet::new();
        for (key, value) in latest {
            match (StateKey::decode(key).unwrap(), value) {
                (StateKey::Head(id), Some(head)) => {
                    let parts = entry::parts_of(head).unwrap();
                    named.extend(parts.map(|part| (id.clone(), part)));
                }
                (StateKey::Part(id, part), Some(_)) => drop(found.insert((id, part))),
                _ => {}
            }
        }
        assert_eq!(
            found, named,
            "parts in a changelog, and those that its heads name"
        );
    }
}

type Found = BTreeMap<String, (Partition, CustomerRecord)>;

/// A process shows, marks and counts the partitions that the group gave it, and no other.
fn check_process(world: &World, process: &Process, records: &mut Found) {
    let number = process.number;
    let state = world.group.lock();
    let owners = state.owners.iter();
    let owned: Vec<Partition> = owners
        .filter(|(_, owner)| owner.process == number)
        .map(|(partition, _)| *partition)
        .collect();
    drop(state);
    let visible = process.shared.partitions.visible();
    let shown: Vec<Partition> = visible.keys().copied().collect();
    assert_eq!(shown, owned, "what process {number} shows");
    let marked = process.shared.partitions.directory().owned().unwrap();
    assert_eq!(marked, owned, "what process {number} has marked");
    let mut own: Vec<CustomerRecord> = Vec::new();
    for (partition, phase) in &*visible {
        let Phase::Running(store) = phase else {
            panic!("process {number} still restores partition {partition}");
        };
        store.flush(store.owner()).unwrap();
        for entry in store.records() {
            let (id, entry) = entry.unwrap();
            let record = entry.into_record().unwrap();
            own.push(record.clone());
            let twice = records.insert(id.to_string(), (*partition, record));
            assert!(twice.is_none(), "{id} is in two stores");
        }
    }
    check_gauges(process, &own);
    check_page(process, &owned);
}

/// The metrics name the owned partitions and no other, with nothing left to do in them, and count the
/// deliveries that the tally counts.
fn check_page(process: &Process, owned: &[Partition]) {
    let page = process.shared.metrics.render().unwrap();
    for gauge in ["consumer_lag_records", "restore_remaining_records"] {
        let name = format!("segstream_{gauge}{{");
        let found: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with(&name))
            .collect();
        let of_owned = owned.iter();
        let expected: Vec<String> = of_owned
            .map(|partition| format!("{name}partition=\"{partition}\"}} 0"))
            .collect();
        assert_eq!(found, expected, "{gauge} of process {}", process.number);
    }
    let counts = process.shared.tally.counts();
    for outcome in Outcome::ALL {
        let label = format!("outcome=\"{}\"", outcome.as_str());
        let lines = page
            .lines()
            .filter(|line| line.starts_with("segstream_events_total{") && line.contains(&label));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        let counted = counts.verdicts.get(&outcome).copied().unwrap_or(0);
        assert_eq!(values.sum::<u64>(), counted, "events_total of {label}");
    }
}

fn check_gauges(process: &Process, records: &[CustomerRecord]) {
    let (metrics, number) = (&process.shared.metrics, process.number);
    for segment in process.shared.model.segments() {
        let id = segment.id.as_str();
        let is_here = |record: &&CustomerRecord| {
            record
                .segment_id()
                .is_some_and(|found| found.as_str() == id)
        };
        let here: Vec<&CustomerRecord> = records.iter().filter(is_here).collect();
        let gauge = metrics.customers.with_label_values(&[id]).get();
        assert_eq!(
            gauge,
            here.len() as i64,
            "gauge of {id} in process {number}"
        );
        for band in RiskBand::ALL {
            let labels = [id, band.as_str()];
            let gauge = metrics
                .churn_risk_customers
                .with_label_values(&labels)
                .get();
            let banded = here.iter().filter(|record| record.band == Some(band));
            let count = banded.count() as i64;
            assert_eq!(gauge, count, "gauge of {labels:?} in process {number}");
        }
    }
    let waiting = records.iter().filter(|record| record.deadline.is_some());
    let deadlines = metrics.deadlines_pending.get();
    assert_eq!(
        deadlines,
        waiting.count() as i64,
        "deadlines of process {number}"
    );
}

/// Every change once, each customer's in their order, all bytes but the instant of emission; and `current`
/// is the last of each.
fn check_changes(world: &World, expected: &Expected) {
    let mut found: BTreeMap<String, Vec<OutputRecord>> = BTreeMap::new();
    for entry in world.log.changes() {
        let (_, _, record) = entry.unwrap();
        let id = String::from_utf8(record.key.clone().unwrap()).unwrap();
        found.entry(id).or_default().push(record);
    }
    let published = |changes: &BTreeMap<String, Vec<OutputRecord>>| -> BTreeMap<String, usize> {
        let counts = changes.iter();
        counts
            .map(|(id, changes)| (id.clone(), changes.len()))
            .collect()
    };
    let numbers = expected.changes.iter();
    let numbers: BTreeMap<String, usize> = numbers
        .map(|(id, changes)| (id.clone(), changes.len()))
        .collect();
    assert_eq!(
        published(&found),
        numbers,
        "how many changes each customer has"
    );
    for (id, changes) in &expected.changes {
        for (change, record) in changes.iter().zip(&found[id]) {
            let whole = outputs::change_record(change, TOPIC, record.timestamp).unwrap();
            assert!(
                *record == whole,
                "a change of {id}: {} instead of {}",
                String::from_utf8_lossy(record.value.as_deref().unwrap()),
                String::from_utf8_lossy(whole.value.as_deref().unwrap())
            );
        }
    }
    let latest = found.values().filter_map(|changes| changes.last());
    let latest: BTreeMap<&[u8], &OutputRecord> = latest
        .map(|record| (record.key.as_deref().unwrap(), record))
        .collect();
    let current: Vec<OutputRecord> = world.log.current().map(Result::unwrap).collect();
    let current: BTreeMap<&[u8], &OutputRecord> = current
        .iter()
        .map(|record| (record.key.as_deref().unwrap(), record))
        .collect();
    assert!(
        current == latest,
        "current is not the last change of each customer"
    );
}

/// The sequences of the changes that were published of each customer, in their order.
pub fn published_sequences(world: &World) -> BTreeMap<String, Vec<u64>> {
    let mut published: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in world.log.changes() {
        let (_, _, record) = entry.unwrap();
        let id = String::from_utf8(record.key.clone().unwrap()).unwrap();
        let sequence = header(&record, "ce_sequence");
        published.entry(id).or_default().push(sequence);
    }
    published
}

fn header_text<'a>(record: &'a OutputRecord, name: &str) -> &'a str {
    let mut headers = record.headers.iter();
    let (_, value) = headers.find(|(found, _)| found == name).unwrap();
    std::str::from_utf8(value.as_deref().unwrap()).unwrap()
}

fn header(record: &OutputRecord, name: &str) -> u64 {
    header_text(record, name).parse().unwrap()
}

/// Exactly one dead letter of each delivery that has one, with its bytes.
fn check_dead_letters(world: &World, expected: &Expected) {
    let mut found = BTreeMap::new();
    for entry in world.log.dead_letters() {
        let (_, _, letter) = entry.unwrap();
        let topic = header_text(&letter, "source_topic");
        let sources = Source::ALL.into_iter();
        let mut of_topic = sources.filter(|source| oracle::topic_of(*source) == topic);
        let position = Position {
            source: of_topic.next().unwrap(),
            partition: Partition(header(&letter, "source_partition") as u32),
            offset: header(&letter, "source_offset"),
        };
        let letter = OutputRecord {
            timestamp: Timestamp::default(),
            ..letter
        };
        let twice = found.insert(position, letter);
        assert!(twice.is_none(), "two dead letters of {position:?}");
    }
    assert_eq!(found, expected.dead_letters, "the dead letters");
}

/// The counts of all processes are those of the transactions that they know to be committed: what nobody has
/// heard of is counted by nobody, and nothing is counted twice.
fn check_counts(state: &State, expected: &Expected, counts: &[Counts]) {
    let mut verdicts: BTreeMap<Outcome, u64> = BTreeMap::new();
    let (mut changes, mut transactions) = (0, 0);
    let heard = state.applied.iter().filter(|applied| applied.is_heard);
    for applied in heard {
        transactions += 1;
        changes += applied.changes as u64;
        for (source, partition, first, next) in &applied.ranges {
            for offset in *first..*next {
                let position = Position {
                    source: *source,
                    partition: *partition,
                    offset,
                };
                *verdicts.entry(expected.outcomes[&position]).or_default() += 1;
            }
        }
    }
    let mut found: BTreeMap<Outcome, u64> = BTreeMap::new();
    for (outcome, deliveries) in counts.iter().flat_map(|counts| &counts.verdicts) {
        *found.entry(*outcome).or_default() += deliveries;
    }
    assert_eq!(found, verdicts, "verdicts that were counted");
    let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum::<u64>();
    assert_eq!(
        sum(|counts| counts.changes),
        changes,
        "changes that were counted"
    );
    let counted = sum(|counts| counts.transactions);
    assert_eq!(counted, transactions, "transactions that were counted");
}
