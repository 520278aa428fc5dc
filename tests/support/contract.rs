//! What every log promises a worker: order, atomic commits, a changelog that replays, refusals that
//! write nothing. Each suite runs all of [`contract`] on its own [`Subject`].

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::partitioner::partition_of;
use segstream::domain::time::Timestamp;
use segstream::domain::topic::Topic;
use segstream::log::Delivery;
use segstream::log::Error;
use segstream::log::Header;
use segstream::log::Output;
use segstream::log::OutputRecord;
use segstream::log::PartitionCommit;
use segstream::log::PartitionFacts;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::Progress;
use segstream::log::StateRecord;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::InputRecord;
use segstream::log::outputs::OutputKind;
use segstream::log::outputs::OutputReader;
use segstream::log::outputs::PlacedRecord;
use segstream::log::outputs::ReadLimit;

use crate::support::Chance;
use crate::support::at;
use crate::support::events_at;

pub const PARTITIONS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);
/// A poll without deliveries takes this long.
const WAIT: Duration = Duration::from_millis(20);

/// A log of [`PARTITIONS`] partitions to hold to the contract, and how a test reaches what a worker
/// cannot.
pub trait Subject: Sized {
    type Worker: WorkerLog;
    type Reader: OutputReader;

    /// A log of its own, empty.
    fn new() -> Self;
    fn append(&self, records: Vec<InputRecord>);
    fn append_transfers(&self, records: Vec<InputRecord>);
    /// A worker's view. One of an index at a time.
    fn worker(&self, index: usize, workers: usize) -> Self::Worker;
    fn input_ends(&self) -> Vec<u64>;
    fn changes(&self) -> Vec<OutputRecord>;
    /// A reader of the changes or the dead letters beside the workers.
    fn reader(&self, kind: OutputKind) -> Self::Reader;
    fn dead_letters(&self) -> Vec<OutputRecord>;
    /// The same log after everything that holds it was dropped.
    fn reopened(self) -> Self;
}

/// Name and test of each promise.
pub fn contract<S: Subject>() -> Vec<(&'static str, fn())> {
    vec![
        (
            "partitions_are_assigned_before_anything_is_delivered",
            partitions_are_assigned_before_anything_is_delivered::<S>,
        ),
        (
            "changes_and_dead_letters_are_read_on_from_any_offset_in_chunks_of_any_size",
            outputs_are_read_on_from_any_offset_in_chunks_of_any_size::<S>,
        ),
        (
            "a_reader_of_dead_letters_keeps_to_its_bytes_and_sees_headers_and_null_values",
            a_reader_of_dead_letters_keeps_to_its_bytes::<S>,
        ),
        (
            "two_workers_share_the_partitions_without_overlap",
            two_workers_share_the_partitions_without_overlap::<S>,
        ),
        (
            "deliveries_are_the_input_in_offset_order_without_gaps",
            deliveries_are_the_input_in_offset_order_without_gaps::<S>,
        ),
        (
            "a_poll_keeps_to_its_limits",
            a_poll_keeps_to_its_limits::<S>,
        ),
        (
            "a_paused_partition_is_silent_until_it_is_resumed_where_told",
            a_paused_partition_is_silent_until_it_is_resumed_where_told::<S>,
        ),
        (
            "a_commit_shows_all_it_wrote_and_survives_reopening",
            a_commit_shows_all_it_wrote_and_survives_reopening::<S>,
        ),
        (
            "the_changelog_replays_to_the_latest_of_each_key_in_pieces_of_any_size",
            the_changelog_replays_to_the_latest_of_each_key_in_pieces_of_any_size::<S>,
        ),
        (
            "i11_an_unfenced_or_misdirected_transaction_is_refused_and_writes_nothing",
            i11_an_unfenced_or_misdirected_transaction_is_refused_and_writes_nothing::<S>,
        ),
        (
            "after_a_restart_everything_is_assigned_anew_and_silent",
            after_a_restart_everything_is_assigned_anew_and_silent::<S>,
        ),
        (
            "progress_tells_the_next_offset_and_the_end",
            progress_tells_the_next_offset_and_the_end::<S>,
        ),
        (
            "headers_and_null_values_arrive_unchanged",
            headers_and_null_values_arrive_unchanged::<S>,
        ),
        (
            "events_and_transfers_are_committed_aborted_and_resumed_together",
            events_and_transfers_are_committed_aborted_and_resumed_together::<S>,
        ),
    ]
}

pub fn input(number: u64) -> InputRecord {
    InputRecord::new(
        Timestamp::from_milliseconds(1_700_000_000_000 + number.cast_signed()),
        Some(format!("customer-{}", number % 17).into_bytes()),
        format!("payload {number}").into_bytes(),
    )
}

pub fn output(name: &str, number: u64) -> OutputRecord {
    OutputRecord {
        key: Some(format!("customer-{}", number % 17).into_bytes()),
        value: Some(format!("{name} {number}").into_bytes()),
        headers: vec![("number".into(), Some(number.to_be_bytes().to_vec()))],
        timestamp: at("2026-01-01T00:00:00Z"),
    }
}

pub fn to(topic: Topic, record: OutputRecord) -> Output {
    Output {
        topic,
        record: Arc::new(record),
    }
}

pub fn state(key: &str, value: Option<&str>) -> StateRecord {
    StateRecord {
        key: key.as_bytes().to_vec(),
        value: value.map(|value| value.as_bytes().to_vec()),
    }
}

pub fn part(partition: Partition, offset_next: u64, state: Vec<StateRecord>) -> PartitionCommit {
    PartitionCommit {
        partition,
        offsets: events_at(offset_next),
        state,
    }
}

pub fn limit(records: usize, bytes: usize) -> PollLimit {
    PollLimit {
        records,
        bytes,
        timeout: WAIT,
    }
}

pub fn all() -> PollLimit {
    limit(1000, 1 << 20)
}

/// Polls until every partition is assigned.
pub fn assigned(log: &mut impl WorkerLog) -> BTreeSet<Partition> {
    let deadline = Instant::now() + PATIENCE;
    let mut mine = BTreeSet::new();
    while mine.len() < PARTITIONS as usize {
        assert!(Instant::now() < deadline, "only {mine:?} were assigned");
        match log.poll(all()).unwrap() {
            Polled::Assigned(partitions) => mine.extend(partitions),
            Polled::Idle => {}
            other => panic!("before the assignment came {other:?}"),
        }
    }
    mine
}

/// A worker that reads everything from the beginning.
pub fn reading<S: Subject>(subject: &S) -> S::Worker {
    let mut worker = subject.worker(0, 1);
    for partition in assigned(&mut worker) {
        worker
            .resume_at(partition, AppliedOffsets::default())
            .unwrap();
    }
    worker
}

/// Polls until `count` deliveries came.
pub fn drain(log: &mut impl WorkerLog, count: usize, limit: PollLimit) -> Vec<Delivery> {
    let deadline = Instant::now() + PATIENCE;
    let mut found = Vec::new();
    while found.len() < count {
        match log.poll(limit).unwrap() {
            Polled::Deliveries(deliveries) => found.extend(deliveries),
            Polled::Idle => assert!(Instant::now() < deadline, "{} of {count}", found.len()),
            Polled::Assigned(none) if none.is_empty() => {}
            other => panic!("in the middle came {other:?}"),
        }
    }
    found
}

/// Nothing comes for a while.
fn assert_silent(log: &mut impl WorkerLog) {
    for _ in 0..10 {
        match log.poll(all()).unwrap() {
            Polled::Idle => {}
            Polled::Assigned(none) if none.is_empty() => {}
            other => panic!("in the silence came {other:?}"),
        }
    }
}

pub fn facts(log: &mut impl WorkerLog, partition: Partition) -> PartitionFacts {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(facts) = log.facts(partition).unwrap() {
            return facts;
        }
        assert!(Instant::now() < deadline, "the log does not say");
    }
}

/// The latest value of each key.
pub type Replayed = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The latest value of each key after replaying the changelog in chunks.
pub fn replayed(log: &mut impl WorkerLog, partition: Partition, chunk_records: usize) -> Replayed {
    let mut latest = Replayed::new();
    let mut from = facts(log, partition).changelog_start;
    let mut before = None;
    loop {
        let chunk = log.read_changelog(partition, from, chunk_records).unwrap();
        assert!(chunk.records.len() <= chunk_records);
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

/// All that readers see: changes, dead letters, replayed state and group offsets.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub changes: Vec<OutputRecord>,
    pub dead_letters: Vec<OutputRecord>,
    pub state: Vec<(Replayed, Option<u64>)>,
}

pub fn seen<S: Subject>(subject: &S, worker: &mut S::Worker) -> Seen {
    let sorted = |mut records: Vec<OutputRecord>| {
        records.sort_by(|left, right| left.value.cmp(&right.value));
        records
    };
    Seen {
        changes: sorted(subject.changes()),
        dead_letters: sorted(subject.dead_letters()),
        state: (0..PARTITIONS)
            .map(Partition)
            .map(|partition| {
                let group_offset = facts(worker, partition).sources[&Source::Events].group_offset;
                (replayed(worker, partition, 1000), group_offset)
            })
            .collect(),
    }
}

fn with_inputs<S: Subject>(count: u64) -> S {
    let subject = S::new();
    subject.append((0..count).map(input).collect());
    subject
}

fn partitions_are_assigned_before_anything_is_delivered<S: Subject>() {
    let subject: S = with_inputs(30);
    let mut worker = subject.worker(0, 1);
    let expected: BTreeSet<Partition> = (0..PARTITIONS).map(Partition).collect();
    assert_eq!(assigned(&mut worker), expected);
    assert_silent(&mut worker);
    worker
        .resume_at(Partition(1), AppliedOffsets::default())
        .unwrap();
    let deliveries = drain(&mut worker, 1, all());
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.position.partition == Partition(1))
    );
}

fn two_workers_share_the_partitions_without_overlap<S: Subject>() {
    let subject = S::new();
    let mut workers = [subject.worker(0, 2), subject.worker(1, 2)];
    let mut owned = [BTreeSet::new(), BTreeSet::new()];
    let deadline = Instant::now() + PATIENCE;
    loop {
        for (worker, mine) in workers.iter_mut().zip(&mut owned) {
            match worker.poll(all()).unwrap() {
                Polled::Assigned(partitions) => mine.extend(partitions),
                Polled::Revoked(partitions) | Polled::Lost(partitions) => {
                    mine.retain(|partition| !partitions.contains(partition));
                }
                Polled::Idle => {}
                Polled::Deliveries(other) => panic!("{other:?} from nowhere"),
            }
        }
        let [first, second] = &owned;
        assert!(first.is_disjoint(second), "{owned:?}");
        // One of them may join first, and have all until the other one has joined.
        let is_shared = !first.is_empty() && !second.is_empty();
        if is_shared && first.len() + second.len() == PARTITIONS as usize {
            return;
        }
        assert!(Instant::now() < deadline, "{owned:?}");
    }
}

fn deliveries_are_the_input_in_offset_order_without_gaps<S: Subject>() {
    let subject: S = with_inputs(500);
    let mut expected: BTreeMap<Partition, Vec<Delivery>> = BTreeMap::new();
    for number in 0..500 {
        let record = input(number);
        let partition = partition_of(record.key.as_deref().unwrap(), PARTITIONS);
        let earlier = expected.entry(partition).or_default();
        let offset = earlier.len() as u64;
        earlier.push(Delivery {
            position: Position {
                source: Source::Events,
                partition,
                offset,
            },
            record_time: record.timestamp,
            key: record.key,
            payload: record.payload,
            headers: record.headers,
        });
    }
    for (records, bytes) in [(1000, 1 << 20), (7, 1 << 20), (1000, 25), (1, 1)] {
        let mut by_partition: BTreeMap<Partition, Vec<Delivery>> = BTreeMap::new();
        let mut worker = reading(&subject);
        for delivery in drain(&mut worker, 500, limit(records, bytes)) {
            let partition = delivery.position.partition;
            by_partition.entry(partition).or_default().push(delivery);
        }
        assert_eq!(by_partition, expected, "limits {records}, {bytes}");
    }
}

fn a_poll_keeps_to_its_limits<S: Subject>() {
    let subject: S = with_inputs(300);
    let mut worker = reading(&subject);
    let mut left = 300;
    while left > 0 {
        // "customer-9" and "payload 9" have 19 bytes: the second record reaches 30.
        let (records, bytes, most) = if left % 2 == 0 {
            (5, 1 << 20, 5)
        } else {
            (100, 30, 2)
        };
        let came = drain(&mut worker, 1, limit(records, bytes)).len();
        assert!(came <= most, "{came}");
        left -= came;
    }
}

fn a_paused_partition_is_silent_until_it_is_resumed_where_told<S: Subject>() {
    let subject: S = with_inputs(200);
    let mut worker = subject.worker(0, 1);
    for partition in assigned(&mut worker) {
        worker
            .resume_at(partition, AppliedOffsets::default())
            .unwrap();
    }
    worker.pause(Partition(0));
    let ends = subject.input_ends();
    let others = (ends[1] + ends[2]) as usize;
    let deliveries = drain(&mut worker, others, all());
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.position.partition != Partition(0))
    );
    assert_silent(&mut worker);
    worker
        .resume_at(Partition(0), events_at(ends[0] - 2))
        .unwrap();
    let deliveries = drain(&mut worker, 2, all());
    let offsets: Vec<u64> = deliveries
        .iter()
        .map(|delivery| delivery.position.offset)
        .collect();
    assert_eq!(offsets, [ends[0] - 2, ends[0] - 1]);
}

fn a_commit_shows_all_it_wrote_and_survives_reopening<S: Subject>() {
    let subject: S = with_inputs(50);
    let mut worker = reading(&subject);
    let committed = worker
        .commit(&Transaction {
            partitions: vec![
                part(
                    Partition(0),
                    2,
                    vec![state("", Some("checkpoint")), state("c-1", Some("one"))],
                ),
                part(Partition(2), 0, vec![state("", Some("only a clock"))]),
            ],
            outputs: vec![
                to(Topic::Changes, output("change", 1)),
                to(Topic::Current, output("current", 1)),
                to(Topic::DeadLetters, output("dead", 5)),
                to(Topic::Changes, output("change", 2)),
            ],
        })
        .unwrap();
    let ends: Vec<(Partition, u64)> = committed
        .iter()
        .map(|end| (end.partition, end.changelog_next))
        .collect();
    assert_eq!(ends, [(Partition(0), 2), (Partition(2), 1)]);
    let shown = seen(&subject, &mut worker);
    assert_eq!(shown.changes, [output("change", 1), output("change", 2)]);
    assert_eq!(shown.dead_letters, [output("dead", 5)]);
    let groups: Vec<Option<u64>> = shown.state.iter().map(|(_, group)| *group).collect();
    assert_eq!(groups, [Some(2), None, Some(0)]);
    let expected = Replayed::from([
        (Vec::new(), Some(b"checkpoint".to_vec())),
        (b"c-1".to_vec(), Some(b"one".to_vec())),
    ]);
    assert_eq!(shown.state[0].0, expected);
    let lineage = facts(&mut worker, Partition(0)).lineage;
    drop(worker);
    let subject = subject.reopened();
    let mut worker = subject.worker(0, 1);
    assert_eq!(seen(&subject, &mut worker), shown);
    assert_eq!(facts(&mut worker, Partition(0)).lineage, lineage);
}

fn the_changelog_replays_to_the_latest_of_each_key_in_pieces_of_any_size<S: Subject>() {
    let subject: S = with_inputs(50);
    let mut worker = reading(&subject);
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
        let committed = worker.commit(&transaction).unwrap();
        let end = facts(&mut worker, Partition(1)).changelog_end;
        assert!(committed[0].changelog_next <= end);
        // What follows is no record.
        let tail = worker.read_changelog(Partition(1), committed[0].changelog_next, 10);
        assert!(tail.unwrap().records.is_empty());
    }
    for chunk in [1, 2, 7, 1000] {
        assert_eq!(replayed(&mut worker, Partition(1), chunk), expected);
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

fn i11_an_unfenced_or_misdirected_transaction_is_refused_and_writes_nothing<S: Subject>() {
    let subject: S = with_inputs(20);
    let mut worker = reading(&subject);
    let before = seen(&subject, &mut worker);
    let unfenced = Transaction {
        outputs: vec![to(Topic::Changes, output("change", 1))],
        ..Transaction::default()
    };
    // Sources and state are no outputs.
    let misdirected = [Topic::Input, Topic::Transfers, Topic::State].map(|topic| Transaction {
        partitions: vec![part(Partition(0), 1, vec![state("c", Some("half"))])],
        outputs: vec![to(topic, output("change", 1))],
    });
    for transaction in std::iter::once(unfenced).chain(misdirected) {
        let refused = worker.commit(&transaction);
        assert!(matches!(refused, Err(Error::Unusable { .. })));
    }
    assert_eq!(seen(&subject, &mut worker), before);
}

fn after_a_restart_everything_is_assigned_anew_and_silent<S: Subject>() {
    let subject: S = with_inputs(50);
    let mut worker = reading(&subject);
    drain(&mut worker, 10, limit(10, 1 << 20));
    for partition in 0..PARTITIONS {
        worker.pause(Partition(partition));
    }
    worker.restart();
    assert_eq!(assigned(&mut worker).len(), PARTITIONS as usize);
    assert_silent(&mut worker);
    for partition in 0..PARTITIONS {
        worker
            .resume_at(Partition(partition), AppliedOffsets::default())
            .unwrap();
    }
    assert_eq!(drain(&mut worker, 50, all()).len(), 50);
}

/// The progress of one partition, if there is an answer.
fn progress_of(worker: &mut impl WorkerLog, partition: Partition) -> Option<Progress> {
    let answer = worker.progress(&[partition], Timestamp::default());
    answer.unwrap()?.partitions.remove(&partition)
}

fn progress_tells_the_next_offset_and_the_end<S: Subject>() {
    let subject: S = with_inputs(90);
    let mut worker = subject.worker(0, 1);
    assigned(&mut worker);
    let end = subject.input_ends()[1];
    let progress = |worker: &mut S::Worker| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(progress) = progress_of(worker, Partition(1)) {
                let read = progress[&Source::Events];
                return (read.position, read.end);
            }
            assert!(Instant::now() < deadline, "the log does not say");
        }
    };
    assert_eq!(progress(&mut worker), (None, end));
    worker
        .resume_at(Partition(1), AppliedOffsets::default())
        .unwrap();
    let read = drain(&mut worker, 3, limit(3, 1 << 20)).len() as u64;
    assert_eq!(progress(&mut worker), (Some(read), end));
}

/// The records of all partitions from the first on, within the limit at a time.
fn read_outputs(reader: &mut impl OutputReader, limit: ReadLimit) -> Vec<PlacedRecord> {
    let mut all = Vec::new();
    for partition in (0..reader.partitions()).map(Partition) {
        let begun = Instant::now();
        let mut from = 0;
        loop {
            let chunk = reader.read(partition, from, limit).unwrap();
            assert!(chunk.records.len() <= limit.records);
            assert_eq!(chunk.start, 0);
            all.extend(chunk.records);
            from = chunk.offset_next;
            if from >= chunk.end {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "no end of {partition}");
        }
    }
    all
}

fn outputs_are_read_on_from_any_offset_in_chunks_of_any_size<S: Subject>() {
    for kind in OutputKind::ALL {
        let subject: S = with_inputs(10);
        let mut worker = reading(&subject);
        let mut reader = subject.reader(kind);
        assert_eq!(reader.partitions(), PARTITIONS);
        assert_eq!(read_outputs(&mut reader, ReadLimit::of_records(5)), []);
        for round in 0..3 {
            let written = (0..7).flat_map(|number| {
                let record = |name| output(name, 10 * round + number);
                // The other kind has records that are not to be seen.
                [
                    to(Topic::Changes, record("change")),
                    to(Topic::DeadLetters, record("letter")),
                ]
            });
            worker
                .commit(&Transaction {
                    partitions: vec![part(Partition(0), 0, Vec::new())],
                    outputs: written.collect(),
                })
                .unwrap();
        }
        let published = match kind {
            OutputKind::Changes => subject.changes(),
            OutputKind::DeadLetters => by_partition(subject.dead_letters()),
        };
        assert_eq!(published.len(), 21);
        for limit in [1, 2, 5, 100] {
            let all = read_outputs(&mut reader, ReadLimit::of_records(limit));
            let records: Vec<&OutputRecord> = all.iter().map(|found| &found.record).collect();
            assert_eq!(records, published.iter().collect::<Vec<_>>(), "{limit}");
        }
        from_an_offset(&mut reader);
    }
}

/// Stable: within a partition the order stays.
fn by_partition(mut records: Vec<OutputRecord>) -> Vec<OutputRecord> {
    records.sort_by_key(|record| partition_of(record.key.as_deref().unwrap(), PARTITIONS));
    records
}

/// From the second on, and from behind the last.
fn from_an_offset(reader: &mut impl OutputReader) {
    let many = ReadLimit::of_records(100);
    let one = ReadLimit::of_records(1);
    let mut offsets = Vec::new();
    while offsets.len() < 2 {
        let chunk = reader.read(Partition(0), 0, many).unwrap();
        offsets = chunk.records.iter().map(|found| found.offset).collect();
    }
    let begun = Instant::now();
    let from_second = loop {
        let chunk = reader.read(Partition(0), offsets[1], one).unwrap();
        if let Some(first) = chunk.records.first() {
            break first.offset;
        }
        assert!(begun.elapsed() < PATIENCE);
    };
    assert_eq!(from_second, offsets[1]);
    let end = reader.read(Partition(0), 0, one).unwrap().end;
    let five = ReadLimit::of_records(5);
    let behind = reader.read(Partition(0), end, five).unwrap();
    assert_eq!((behind.records, behind.offset_next), (Vec::new(), end));
    assert!(reader.read(Partition(PARTITIONS), 0, one).is_err());
}

fn a_reader_of_dead_letters_keeps_to_its_bytes<S: Subject>() {
    let subject: S = with_inputs(10);
    let mut worker = reading(&subject);
    let letter = |value: Option<Vec<u8>>| OutputRecord {
        key: Some(b"one customer".to_vec()),
        value,
        headers: vec![
            ("twice".into(), Some(b"first".to_vec())),
            ("null".into(), None),
            ("twice".into(), Some(vec![0, 0xff])),
        ],
        timestamp: at("2026-01-01T00:00:00Z"),
    };
    let letters = [
        letter(Some(vec![b'a'; 5000])),
        letter(None),
        letter(Some(vec![0, 0xff, b'\n'])),
        letter(Some(Vec::new())),
        letter(Some(vec![b'b'; 5000])),
    ];
    let written = letters.clone().map(|letter| to(Topic::DeadLetters, letter));
    worker
        .commit(&Transaction {
            partitions: vec![part(Partition(0), 0, Vec::new())],
            outputs: written.into(),
        })
        .unwrap();
    let mut reader = subject.reader(OutputKind::DeadLetters);
    // A record alone is more than the limit, and is read all the same.
    for bytes in [1, 100, 6000, usize::MAX] {
        let limit = ReadLimit {
            records: 100,
            bytes,
        };
        let found = read_outputs(&mut reader, limit);
        let records = found.into_iter().map(|found| found.record);
        assert_eq!(records.collect::<Vec<_>>(), letters, "{bytes}");
    }
    let partition = partition_of(b"one customer", PARTITIONS);
    let limit = ReadLimit {
        records: 100,
        bytes: 4000,
    };
    let begun = Instant::now();
    loop {
        let chunk = reader.read(partition, 0, limit).unwrap();
        // None where the cluster has not answered yet.
        assert!(chunk.records.len() <= 1, "the first one reaches the limit");
        if !chunk.records.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE);
    }
}

fn headers_and_null_values_arrive_unchanged<S: Subject>() {
    let shapes: [(Option<Vec<u8>>, Vec<Header>); 4] = [
        (None, Vec::new()),
        (Some(Vec::new()), vec![("".into(), Some(Vec::new()))]),
        (
            None,
            vec![
                ("twice".into(), Some(b"first".to_vec())),
                ("null".into(), None),
                ("twice".into(), Some(vec![0, 0xff, 0xfe])),
            ],
        ),
        (
            Some(b"value".to_vec()),
            vec![("n\u{e4}me".into(), Some(b"x".to_vec()))],
        ),
    ];
    let records: Vec<InputRecord> = (0..)
        .zip(shapes)
        .map(|(number, (payload, headers))| InputRecord {
            payload,
            headers,
            ..input(number)
        })
        .collect();
    let subject = S::new();
    subject.append(records.clone());
    subject.append_transfers(records.clone());
    let mut worker = reading(&subject);
    let mut found = drain(&mut worker, 2 * records.len(), all());
    found.sort_by_key(|delivery| (delivery.position.source, delivery.record_time));
    let expected = records.iter().chain(&records);
    for (delivery, record) in found.iter().zip(expected) {
        assert_eq!(delivery.payload, record.payload);
        assert_eq!(delivery.headers, record.headers);
        assert_eq!(delivery.key, record.key);
        assert_eq!(delivery.record_time, record.timestamp);
    }
    let last = found.iter().find(|delivery| delivery.headers.len() == 3);
    let last = last.unwrap();
    assert_eq!(last.header("twice"), Some(&[0, 0xff, 0xfe][..]));
    assert_eq!(last.header("null"), None);
}

/// Offsets after the last delivery of each source of each partition.
fn offsets_after(deliveries: &[Delivery]) -> BTreeMap<Partition, AppliedOffsets> {
    let mut offsets = BTreeMap::new();
    for delivery in deliveries {
        let position = delivery.position;
        let applied: &mut AppliedOffsets = offsets.entry(position.partition).or_default();
        assert_eq!(position.offset, applied.next(position.source), "no gap");
        *applied = applied.after(position);
    }
    offsets
}

fn group_offsets(worker: &mut impl WorkerLog, partition: Partition) -> [Option<u64>; 2] {
    let facts = facts(worker, partition);
    Source::ALL.map(|source| facts.sources[&source].group_offset)
}

/// Until the log says so of a partition.
fn assert_read(worker: &mut impl WorkerLog, partition: Partition, offsets: AppliedOffsets) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = progress_of(worker, partition).unwrap_or_default();
        let mut sources = progress.iter();
        let is_read = sources.all(|(source, read)| {
            let next = offsets.next(*source);
            read.end == next && read.position.unwrap_or(0) == next
        });
        if progress.len() == Source::ALL.len() && is_read {
            return;
        }
        assert!(Instant::now() < deadline, "{progress:?}");
    }
}

fn events_and_transfers_are_committed_aborted_and_resumed_together<S: Subject>() {
    let subject: S = with_inputs(60);
    subject.append_transfers((100..140).map(input).collect());
    let mut worker = reading(&subject);
    let deliveries = drain(&mut worker, 100, limit(7, 1 << 20));
    let offsets = offsets_after(&deliveries);
    let of_both = |partition| {
        let offsets: AppliedOffsets = offsets[&partition];
        Source::ALL.map(|source| Some(offsets.next(source)))
    };
    for partition in (0..PARTITIONS).map(Partition) {
        assert_eq!(group_offsets(&mut worker, partition), [None, None]);
        assert_read(&mut worker, partition, offsets[&partition]);
    }
    let commit = |partition, records| PartitionCommit {
        partition,
        offsets: offsets[&partition],
        state: records,
    };
    let committed = Transaction {
        partitions: vec![commit(Partition(0), vec![state("c", Some("both"))])],
        ..Transaction::default()
    };
    worker.commit(&committed).unwrap();
    assert_eq!(
        group_offsets(&mut worker, Partition(0)),
        of_both(Partition(0))
    );
    // The log does not have the second partition.
    let doomed = Transaction {
        partitions: vec![
            commit(Partition(1), vec![state("c", Some("lost"))]),
            PartitionCommit {
                partition: Partition(PARTITIONS),
                ..commit(Partition(2), vec![state("c", Some("lost"))])
            },
        ],
        outputs: vec![to(Topic::Changes, output("change", 1))],
    };
    worker.commit(&doomed).unwrap_err();
    assert_eq!(group_offsets(&mut worker, Partition(1)), [None, None]);
    assert!(replayed(&mut worker, Partition(1), 10).is_empty());
    assert!(subject.changes().is_empty());
    for partition in (0..PARTITIONS).map(Partition) {
        worker.pause(partition);
    }
    worker.restart();
    assert_eq!(assigned(&mut worker).len(), PARTITIONS as usize);
    assert_silent(&mut worker);
    worker
        .resume_at(Partition(0), offsets[&Partition(0)])
        .unwrap();
    worker
        .resume_at(Partition(1), AppliedOffsets::default())
        .unwrap();
    let of_one = deliveries.iter().map(|delivery| delivery.position);
    let of_one = of_one.filter(|position| position.partition == Partition(1));
    let again = drain(&mut worker, of_one.count(), all());
    let one = BTreeMap::from([(Partition(1), offsets[&Partition(1)])]);
    assert_eq!(offsets_after(&again), one, "from the beginning");
    worker
        .commit(&Transaction {
            partitions: vec![commit(Partition(1), Vec::new())],
            ..Transaction::default()
        })
        .unwrap();
    drop(worker);
    let subject = subject.reopened();
    subject.append_transfers((200..220).map(input).collect());
    let mut worker = subject.worker(0, 1);
    for partition in assigned(&mut worker) {
        let known = group_offsets(&mut worker, partition).map(Option::unwrap_or_default);
        let [events, transfers] = known;
        let resumed = events_at(events).with(Source::Transfers, transfers);
        worker.resume_at(partition, resumed).unwrap();
    }
    let of_two = deliveries.iter().map(|delivery| delivery.position);
    let of_two = of_two.filter(|position| position.partition == Partition(2));
    let expected = 20 + of_two.count();
    let rest = drain(&mut worker, expected, all());
    for delivery in &rest {
        let position = delivery.position;
        let is_new = !offsets[&position.partition].has(position);
        assert_eq!(
            is_new,
            delivery.record_time >= input(200).timestamp,
            "{position:?}"
        );
        assert!(is_new || position.partition == Partition(2));
    }
    assert_silent(&mut worker);
}
