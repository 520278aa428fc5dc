//! What every bus promises a worker: order, atomic commits, a changelog that replays, refusals that
//! write nothing. The first part holds for any [`Bus`]; the second is about damage to the embedded
//! log, which is the only copy of what it holds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test may panic, and says what it saw"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use segstream::bus::Bus;
use segstream::bus::Delivery;
use segstream::bus::Error;
use segstream::bus::OutputRecord;
use segstream::bus::PartitionCommit;
use segstream::bus::PartitionFacts;
use segstream::bus::PollLimit;
use segstream::bus::Polled;
use segstream::bus::StateRecord;
use segstream::bus::Transaction;
use segstream::bus::embedded::EmbeddedLog;
use segstream::bus::embedded::EmbeddedWorker;
use segstream::bus::embedded::Injected;
use segstream::bus::embedded::InputRecord;
use segstream::bus::partitioner::partition_of;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::time::Timestamp;
use segstream::faults::Decision;
use segstream::faults::FaultPoint;
use segstream::faults::Faults;
use support::Chance;
use tempfile::TempDir;

const PARTITIONS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(30);

/// A log to hold to the contract, and how a test reaches what a worker cannot.
struct Subject {
    log: EmbeddedLog,
    directory: TempDir,
}

impl Subject {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(&directory.path().join("log"), PARTITIONS, Faults::none());
        Self {
            log: log.unwrap(),
            directory,
        }
    }

    fn with_inputs(count: u64) -> Self {
        let subject = Self::new();
        subject.append((0..count).map(input).collect());
        subject
    }

    fn append(&self, records: Vec<InputRecord>) -> Vec<Position> {
        self.log.append(records, None).unwrap()
    }

    fn worker(&self) -> EmbeddedWorker {
        self.log.worker(0, 1)
    }

    /// A worker that reads everything from the beginning.
    fn reading(&self) -> EmbeddedWorker {
        let mut worker = self.worker();
        for partition in assigned(&mut worker) {
            worker.resume_at(partition, 0).unwrap();
        }
        worker
    }

    fn reopened(self) -> Self {
        let Self { log, directory } = self;
        drop(log);
        let log = EmbeddedLog::open(&directory.path().join("log"), PARTITIONS, Faults::none());
        Self {
            log: log.unwrap(),
            directory,
        }
    }

    /// All that readers see: inputs, changes, dead letters, replayed state and group offsets.
    fn seen(&self) -> Seen {
        let mut worker = self.worker();
        let partitions = (0..PARTITIONS).map(Partition);
        Seen {
            inputs: self.log.inputs().map(Result::unwrap).collect(),
            changes: self.log.changes().map(|entry| entry.unwrap().2).collect(),
            dead_letters: self
                .log
                .dead_letters()
                .map(|entry| entry.unwrap().2)
                .collect(),
            state: partitions
                .map(|partition| {
                    let facts = facts(&mut worker, partition);
                    (replayed(&mut worker, partition, 1000), facts.group_offset)
                })
                .collect(),
        }
    }
}

/// The latest value of each key.
type Replayed = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

#[derive(Debug, PartialEq)]
struct Seen {
    inputs: Vec<(Position, InputRecord)>,
    changes: Vec<OutputRecord>,
    dead_letters: Vec<OutputRecord>,
    state: Vec<(Replayed, Option<u64>)>,
}

fn input(number: u64) -> InputRecord {
    InputRecord {
        timestamp: Timestamp::from_milliseconds(1_700_000_000_000 + number.cast_signed()),
        key: Some(format!("customer-{}", number % 17).into_bytes()),
        payload: format!("payload {number}").into_bytes(),
    }
}

fn output(name: &str, number: u64) -> OutputRecord {
    OutputRecord {
        key: Some(format!("customer-{}", number % 17).into_bytes()),
        value: format!("{name} {number}").into_bytes(),
        headers: vec![("number".to_owned(), number.to_be_bytes().to_vec())],
        timestamp: support::at("2026-01-01T00:00:00Z"),
    }
}

fn state(key: &str, value: Option<&str>) -> StateRecord {
    StateRecord {
        key: key.as_bytes().to_vec(),
        value: value.map(|value| value.as_bytes().to_vec()),
    }
}

fn part(partition: Partition, offset_next: u64, state: Vec<StateRecord>) -> PartitionCommit {
    PartitionCommit {
        partition,
        offset_next,
        state,
    }
}

fn limit(records: usize, bytes: usize) -> PollLimit {
    PollLimit {
        records,
        bytes,
        timeout: Duration::ZERO,
    }
}

fn assigned(bus: &mut impl Bus) -> Vec<Partition> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match bus.poll(limit(100, 1 << 20)).unwrap() {
            Polled::Assigned(partitions) => return partitions,
            Polled::Idle => assert!(Instant::now() < deadline, "nothing was assigned"),
            other => panic!("before the assignment came {other:?}"),
        }
    }
}

fn facts(bus: &mut impl Bus, partition: Partition) -> PartitionFacts {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(facts) = bus.facts(partition).unwrap() {
            return facts;
        }
        assert!(Instant::now() < deadline, "the log does not say");
    }
}

/// Polls until `count` deliveries came.
fn drain(bus: &mut impl Bus, count: usize, limit: PollLimit) -> Vec<Delivery> {
    let deadline = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    while all.len() < count {
        match bus.poll(limit).unwrap() {
            Polled::Deliveries(deliveries) => all.extend(deliveries),
            Polled::Idle => assert!(Instant::now() < deadline, "{} of {count}", all.len()),
            other => panic!("in the middle came {other:?}"),
        }
    }
    all
}

/// The latest value of each key after replaying the changelog in pieces.
fn replayed(bus: &mut impl Bus, partition: Partition, piece: usize) -> Replayed {
    let mut latest = BTreeMap::new();
    let mut from = facts(bus, partition).changelog_start;
    let mut before = None;
    loop {
        let chunk = bus.read_changelog(partition, from, piece).unwrap();
        assert!(chunk.records.len() <= piece);
        for record in chunk.records {
            assert!(before < Some(record.offset), "in offset order");
            before = Some(record.offset);
            latest.insert(record.key, record.value);
        }
        from = chunk.offset_next;
        if chunk.remaining == 0 {
            return latest;
        }
    }
}

#[test]
fn partitions_are_assigned_before_anything_is_delivered() {
    let subject = Subject::with_inputs(30);
    let mut worker = subject.worker();
    let partitions = assigned(&mut worker);
    assert_eq!(
        partitions,
        (0..PARTITIONS).map(Partition).collect::<Vec<_>>()
    );
    assert_eq!(worker.poll(limit(100, 1 << 20)).unwrap(), Polled::Idle);
    worker.resume_at(Partition(1), 0).unwrap();
    let deliveries = drain(&mut worker, 1, limit(100, 1 << 20));
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.position.partition == Partition(1))
    );
}

#[test]
fn two_workers_share_the_partitions_without_overlap() {
    let subject = Subject::new();
    let mut all = assigned(&mut subject.log.worker(0, 2));
    all.extend(assigned(&mut subject.log.worker(1, 2)));
    all.sort();
    assert_eq!(all, (0..PARTITIONS).map(Partition).collect::<Vec<_>>());
}

#[test]
fn deliveries_are_the_input_in_offset_order_without_gaps() {
    let subject = Subject::with_inputs(500);
    for (records, bytes) in [(1000, 1 << 20), (7, 1 << 20), (1000, 25), (1, 1)] {
        let mut by_partition: BTreeMap<Partition, Vec<Delivery>> = BTreeMap::new();
        for delivery in drain(&mut subject.reading(), 500, limit(records, bytes)) {
            let partition = delivery.position.partition;
            by_partition.entry(partition).or_default().push(delivery);
        }
        let mut expected: BTreeMap<Partition, Vec<Delivery>> = BTreeMap::new();
        for number in 0..500 {
            let record = input(number);
            let partition = partition_of(record.key.as_deref().unwrap(), PARTITIONS);
            let earlier = expected.entry(partition).or_default();
            let position = Position {
                partition,
                offset: earlier.len() as u64,
            };
            earlier.push(Delivery {
                position,
                record_time: record.timestamp,
                key: record.key,
                payload: record.payload,
            });
        }
        assert_eq!(by_partition, expected, "limits {records}, {bytes}");
    }
}

#[test]
fn a_poll_keeps_to_its_limits_and_starves_no_partition() {
    let subject = Subject::with_inputs(300);
    let mut worker = subject.reading();
    let mut touched = std::collections::BTreeSet::new();
    for _ in 0..PARTITIONS {
        let Polled::Deliveries(deliveries) = worker.poll(limit(5, 1 << 20)).unwrap() else {
            panic!("there is input");
        };
        assert_eq!(deliveries.len(), 5);
        touched.extend(
            deliveries
                .iter()
                .map(|delivery| delivery.position.partition),
        );
    }
    assert_eq!(touched.len(), PARTITIONS as usize);
    // "payload 123" has 11 bytes: the third record reaches 30.
    let Polled::Deliveries(deliveries) = worker.poll(limit(100, 30)).unwrap() else {
        panic!("there is input");
    };
    assert!(deliveries.len() <= 4, "{}", deliveries.len());
}

#[test]
fn records_of_any_shape_arrive_as_they_were() {
    let shapes = [
        (None, Vec::new(), None),
        (Some(Vec::new()), vec![0xff; 3], input(0).timestamp),
        (
            Some(vec![0, 0xfe]),
            vec![b'x'; 10 << 20],
            input(1).timestamp,
        ),
    ];
    for (key, payload, timestamp) in shapes {
        let subject = Subject::new();
        let record = InputRecord {
            timestamp,
            key,
            payload,
        };
        subject.append(vec![record.clone()]);
        let delivery = drain(&mut subject.reading(), 1, limit(10, 10)).remove(0);
        assert_eq!(delivery.key, record.key);
        assert_eq!(delivery.record_time, record.timestamp);
        assert!(delivery.payload == record.payload);
    }
}

#[test]
fn a_paused_partition_is_silent_until_it_is_resumed_where_told() {
    let subject = Subject::with_inputs(200);
    let mut worker = subject.reading();
    worker.pause(Partition(0));
    let ends = subject.log.input_ends();
    let others = (ends[1] + ends[2]) as usize;
    let deliveries = drain(&mut worker, others, limit(1000, 1 << 20));
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.position.partition != Partition(0))
    );
    assert_eq!(worker.poll(limit(1000, 1 << 20)).unwrap(), Polled::Idle);
    worker.resume_at(Partition(0), ends[0] - 2).unwrap();
    let deliveries = drain(&mut worker, 2, limit(1000, 1 << 20));
    let offsets: Vec<u64> = deliveries
        .iter()
        .map(|delivery| delivery.position.offset)
        .collect();
    assert_eq!(offsets, [ends[0] - 2, ends[0] - 1]);
}

#[test]
fn a_position_that_is_not_there_is_refused() {
    let subject = Subject::with_inputs(20);
    let mut worker = subject.log.worker(0, 2);
    assigned(&mut worker);
    let end = subject.log.input_ends()[0];
    assert!(worker.resume_at(Partition(0), end).is_ok());
    assert!(worker.resume_at(Partition(0), end + 1).is_err());
    assert!(
        worker.resume_at(Partition(1), 0).is_err(),
        "of another worker"
    );
}

#[test]
fn an_append_wakes_a_waiting_worker() {
    let subject = Subject::new();
    let mut worker = subject.reading();
    std::thread::scope(|scope| {
        let polled = scope.spawn(|| {
            let patient = PollLimit {
                records: 10,
                bytes: 1 << 20,
                timeout: PATIENCE,
            };
            worker.poll(patient).unwrap()
        });
        subject.append(vec![input(3)]);
        assert!(matches!(polled.join().unwrap(), Polled::Deliveries(_)));
    });
}

#[test]
fn a_commit_shows_all_it_wrote_and_survives_reopening() {
    let subject = Subject::with_inputs(50);
    let mut worker = subject.reading();
    let committed = worker
        .commit(Transaction {
            partitions: vec![
                part(
                    Partition(0),
                    2,
                    vec![state("", Some("checkpoint")), state("c-1", Some("one"))],
                ),
                part(Partition(2), 0, vec![state("", Some("only a clock"))]),
            ],
            changes: vec![output("change", 1), output("change", 2)],
            current: vec![output("current", 1)],
            dead_letters: vec![output("dead", 5)],
        })
        .unwrap();
    let ends: Vec<(Partition, u64)> = committed
        .iter()
        .map(|end| (end.partition, end.changelog_next))
        .collect();
    assert_eq!(ends, [(Partition(0), 2), (Partition(2), 1)]);
    let seen = subject.seen();
    assert_eq!(seen.changes.len(), 2);
    assert_eq!(seen.dead_letters, [output("dead", 5)]);
    let groups: Vec<Option<u64>> = seen.state.iter().map(|(_, group)| *group).collect();
    assert_eq!(groups, [Some(2), None, Some(0)]);
    assert_eq!(seen.state[0].0.len(), 2);
    let lineage = facts(&mut worker, Partition(0)).lineage;
    drop(worker);
    let subject = subject.reopened();
    assert_eq!(subject.seen(), seen);
    assert_eq!(facts(&mut subject.worker(), Partition(0)).lineage, lineage);
}

#[test]
fn the_changelog_replays_to_the_latest_of_each_key_in_pieces_of_any_size() {
    let subject = Subject::with_inputs(50);
    let mut worker = subject.reading();
    let mut expected = Replayed::new();
    let mut chance = Chance(7);
    for number in 0..60 {
        let mut records = vec![state("", Some(&format!("checkpoint {number}")))];
        for _ in 0..chance.below(5) {
            let key = format!("c-{}", chance.below(9));
            let value = format!("value {number}");
            let is_tombstone = chance.below(6) == 0;
            records.push(state(&key, (!is_tombstone).then_some(value.as_str())));
        }
        for record in &records {
            expected.insert(record.key.clone(), record.value.clone());
        }
        let transaction = Transaction {
            partitions: vec![part(Partition(1), 0, records)],
            ..Transaction::default()
        };
        let committed = worker.commit(transaction).unwrap();
        let facts = facts(&mut worker, Partition(1));
        assert_eq!(committed[0].changelog_next, facts.changelog_end);
    }
    for piece in [1, 2, 7, 1000] {
        assert_eq!(replayed(&mut worker, Partition(1), piece), expected);
    }
    let end = facts(&mut worker, Partition(1)).changelog_end;
    let nothing = worker.read_changelog(Partition(1), end, 10).unwrap();
    assert_eq!(
        (
            nothing.records.len(),
            nothing.offset_next,
            nothing.remaining
        ),
        (0, end, 0)
    );
    assert!(replayed(&mut worker, Partition(0), 10).is_empty());
}

#[test]
fn i11_a_transaction_without_offsets_is_refused_and_writes_nothing() {
    let subject = Subject::with_inputs(20);
    let before = subject.seen();
    let unfenced = Transaction {
        changes: vec![output("change", 1)],
        ..Transaction::default()
    };
    assert!(matches!(
        subject.worker().commit(unfenced),
        Err(Error::Unusable { .. })
    ));
    assert_eq!(subject.seen(), before);
}

#[test]
fn an_offset_that_goes_back_or_past_the_end_is_refused_and_writes_nothing() {
    let subject = Subject::with_inputs(50);
    let mut worker = subject.worker();
    let at_two = Transaction {
        partitions: vec![part(Partition(0), 2, Vec::new())],
        ..Transaction::default()
    };
    worker.commit(at_two.clone()).unwrap();
    worker
        .commit(at_two)
        .expect("the same offset again, as a clock tick does");
    let before = subject.seen();
    let past = subject.log.input_ends()[0] + 1;
    for (partition, offset) in [(0, 1), (0, past), (PARTITIONS, 0)] {
        let transaction = Transaction {
            partitions: vec![
                part(Partition(1), 0, vec![state("c", Some("half"))]),
                part(Partition(partition), offset, Vec::new()),
            ],
            changes: vec![output("change", 1)],
            ..Transaction::default()
        };
        assert!(worker.commit(transaction).is_err(), "{partition}/{offset}");
        assert_eq!(subject.seen(), before, "{partition}/{offset}");
    }
}

#[test]
fn after_a_restart_everything_is_assigned_anew_and_silent() {
    let subject = Subject::with_inputs(50);
    let mut worker = subject.reading();
    drain(&mut worker, 10, limit(10, 1 << 20));
    worker.restart();
    assert_eq!(assigned(&mut worker).len(), PARTITIONS as usize);
    assert_eq!(worker.poll(limit(10, 1 << 20)).unwrap(), Polled::Idle);
    for partition in 0..PARTITIONS {
        worker.resume_at(Partition(partition), 0).unwrap();
    }
    assert_eq!(drain(&mut worker, 50, limit(100, 1 << 20)).len(), 50);
}

#[test]
fn progress_tells_the_next_offset_and_the_end() {
    let subject = Subject::with_inputs(90);
    let mut worker = subject.worker();
    assigned(&mut worker);
    let end = subject.log.input_ends()[1];
    let before = worker.progress(Partition(1)).unwrap().unwrap();
    assert_eq!((before.position, before.input_end), (None, end));
    worker.resume_at(Partition(1), 0).unwrap();
    let read = drain(&mut worker, 3, limit(3, 1 << 20)).len() as u64;
    let after = worker.progress(Partition(1)).unwrap().unwrap();
    assert_eq!((after.position, after.input_end), (Some(read), end));
}

#[test]
fn revoked_and_lost_partitions_deliver_nothing_until_they_come_back() {
    let subject = Subject::with_inputs(90);
    let mut worker = subject.reading();
    let (first, second) = (vec![Partition(0)], vec![Partition(1)]);
    subject.log.inject(0, Injected::Revoke(first.clone()));
    subject.log.inject(0, Injected::Lose(second.clone()));
    let all = limit(1000, 1 << 20);
    assert_eq!(worker.poll(all).unwrap(), Polled::Revoked(first.clone()));
    assert_eq!(worker.poll(all).unwrap(), Polled::Lost(second));
    assert!(worker.resume_at(Partition(0), 0).is_err());
    let left = subject.log.input_ends()[2] as usize;
    let deliveries = drain(&mut worker, left, all);
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.position.partition == Partition(2))
    );
    subject.log.inject(0, Injected::Assign(first.clone()));
    assert_eq!(worker.poll(all).unwrap(), Polled::Assigned(first));
    worker.resume_at(Partition(0), 0).unwrap();
}

#[test]
fn a_commit_cut_anywhere_is_there_wholly_or_not_at_all() {
    for point in [FaultPoint::CommitBeforeFlush, FaultPoint::CommitAfterFlush] {
        for decision in [Decision::Crash, Decision::Unknown] {
            let directory = tempfile::tempdir().unwrap();
            let (here, there) = (directory.path().join("a"), directory.path().join("b"));
            let faults = Faults::planned(move |crossed| {
                if crossed == point {
                    decision
                } else {
                    Decision::Continue
                }
            });
            let log = EmbeddedLog::open(&here, PARTITIONS, faults).unwrap();
            log.append((0..20).map(input).collect(), None).unwrap();
            let transaction = Transaction {
                partitions: vec![part(Partition(0), 1, vec![state("c", Some("v"))])],
                changes: vec![output("change", 1)],
                current: vec![output("current", 1)],
                dead_letters: vec![output("dead", 1)],
            };
            let error = log.worker(0, 1).commit(transaction).unwrap_err();
            assert_eq!(
                matches!(error, Error::UnknownOutcome),
                decision == Decision::Unknown
            );
            // What a process that dies now leaves behind.
            support::copy_directory(&here, &there);
            let log = EmbeddedLog::open(&there, PARTITIONS, Faults::none()).unwrap();
            let subject = Subject { log, directory };
            let seen = subject.seen();
            let parts = [
                seen.changes.len(),
                seen.dead_letters.len(),
                seen.state[0].0.len(),
                usize::from(seen.state[0].1 == Some(1)),
            ];
            assert!(parts == [1; 4] || parts == [0; 4], "{point:?}: {parts:?}");
            if point == FaultPoint::CommitAfterFlush {
                assert_eq!(parts, [1; 4], "it was durable");
            }
        }
    }
}

#[test]
fn an_append_whose_flush_failed_leaves_no_hole_for_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let is_first = std::sync::atomic::AtomicBool::new(true);
    let faults = Faults::planned(move |point| {
        let is_cut = point == FaultPoint::AppendBeforeFlush
            && is_first.swap(false, std::sync::atomic::Ordering::SeqCst);
        if is_cut {
            Decision::Crash
        } else {
            Decision::Continue
        }
    });
    let path = directory.path().join("log");
    let log = EmbeddedLog::open(&path, PARTITIONS, faults).unwrap();
    assert!(log.append((0..40).map(input).collect(), None).is_err());
    let acknowledged = log.append((40..43).map(input).collect(), None).unwrap();
    drop(log);
    let log = EmbeddedLog::open(&path, PARTITIONS, Faults::none()).unwrap();
    let inputs: BTreeMap<Position, InputRecord> = log.inputs().map(Result::unwrap).collect();
    for (number, position) in (40..43).zip(acknowledged) {
        assert_eq!(inputs[&position], input(number));
    }
}

/// A closed log with acknowledged inputs and commits, and what was seen in it.
fn closed_log() -> (TempDir, PathBuf, Seen) {
    let subject = Subject::new();
    let mut worker = subject.worker();
    for round in 0..10 {
        subject.append((round * 20..round * 20 + 20).map(input).collect());
        let offset_next = subject.log.input_ends()[0];
        let transaction = Transaction {
            partitions: vec![part(
                Partition(0),
                offset_next,
                vec![
                    state("", Some("at")),
                    state(&format!("c-{round}"), Some("v")),
                ],
            )],
            changes: vec![output("change", round)],
            current: vec![output("current", round)],
            dead_letters: vec![output("dead", round)],
        };
        worker.commit(transaction).unwrap();
    }
    let seen = subject.seen();
    drop(worker);
    let Subject { log, directory } = subject;
    drop(log);
    let path = directory.path().join("log");
    // Waits until the handle is really gone.
    drop(EmbeddedLog::open(&path, PARTITIONS, Faults::none()).unwrap());
    (directory, path, seen)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Opens a damaged copy: it is refused with what to do, or nothing acknowledged is missing.
fn refused_or_whole(copy: TempDir, expected: &Seen, what: &str) -> bool {
    match EmbeddedLog::open(&copy.path().join("log"), PARTITIONS, Faults::none()) {
        Err(Error::Unusable { problem, .. }) => {
            assert!(problem.contains("restore it from a backup"), "{problem}");
            true
        }
        Err(other) => panic!("{what}: {other}"),
        Ok(log) => {
            let subject = Subject {
                log,
                directory: copy,
            };
            assert_eq!(&subject.seen(), expected, "{what}: something is gone");
            false
        }
    }
}

fn copied(path: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    support::copy_directory(path, &copy.path().join("log"));
    copy
}

#[test]
fn a_damaged_log_is_refused_and_never_silently_shorter() {
    let seed = std::env::var("SEGSTREAM_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(11);
    println!("replay: SEGSTREAM_TEST_SEED={seed} cargo test --test bus_contract damaged");
    let mut chance = Chance(seed);
    let (_kept, path, expected) = closed_log();
    let mut refused = 0;
    // Damaged pages make sled's own threads panic; what they print is not this test's.
    for file in files(&path) {
        let name = file.strip_prefix(&path).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
        for round in 0..40 {
            let copy = copied(&path);
            let target = copy.path().join("log").join(name);
            let mut damaged = bytes.clone();
            let what = if round % 4 == 3 {
                let length = chance.below(used as u64) as usize;
                damaged.truncate(length);
                format!("{} cut to {length}", name.display())
            } else {
                let place = chance.below(used as u64) as usize;
                damaged[place] ^= 1 << chance.below(8);
                format!("{} flipped at {place}", name.display())
            };
            std::fs::write(&target, damaged).unwrap();
            refused += u32::from(refused_or_whole(copy, &expected, &what));
        }
        let copy = copied(&path);
        std::fs::remove_file(copy.path().join("log").join(name)).unwrap();
        let what = format!("{} removed", name.display());
        refused += u32::from(refused_or_whole(copy, &expected, &what));
    }
    assert!(refused > 0, "the damage is noticed");
}

#[test]
fn a_log_of_another_partition_count_is_refused_with_the_count_to_set() {
    let (_kept, path, _) = closed_log();
    let error = EmbeddedLog::open(&path, PARTITIONS + 1, Faults::none()).unwrap_err();
    assert!(error.to_string().contains("set it to 3"), "{error}");
}

#[test]
fn a_log_cut_while_it_was_made_opens_as_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    drop(EmbeddedLog::open(&path, PARTITIONS, Faults::none()).unwrap());
    for kept in ["watermark", ""] {
        let copy = tempfile::tempdir().unwrap();
        let target = copy.path().join("log");
        std::fs::create_dir_all(&target).unwrap();
        if !kept.is_empty() {
            std::fs::copy(path.join(kept), target.join(kept)).unwrap();
        }
        let log = EmbeddedLog::open(&target, PARTITIONS, Faults::none()).unwrap();
        assert_eq!(log.input_ends(), [0, 0, 0]);
    }
}
