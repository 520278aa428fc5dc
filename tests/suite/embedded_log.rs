//! The embedded log keeps the contract of every log, and what it promises besides: it is the only copy
//! of what it holds, so damage is a refusal, never a silently shorter log.

use crate::support;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::Chance;
use crate::support::contract::PARTITIONS;
use crate::support::contract::Seen;
use crate::support::contract::Subject;
use crate::support::contract::all;
use crate::support::contract::contract;
use crate::support::contract::drain;
use crate::support::contract::input;
use crate::support::contract::limit;
use crate::support::contract::output;
use crate::support::contract::part;
use crate::support::contract::reading;
use crate::support::contract::seen;
use crate::support::contract::state;
use crate::support::contract::to;
use crate::support::events_at;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::topic::Topic;
use segstream::faults::Decision;
use segstream::faults::FaultPoint;
use segstream::faults::Faults;
use segstream::log::Error;
use segstream::log::OutputRecord;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::EmbeddedOutputs;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::log::embedded::LogOptions;
use segstream::log::outputs::OutputKind;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// An embedded log in a directory of its own.
struct Embedded {
    log: EmbeddedLog,
    directory: TempDir,
}

impl Subject for Embedded {
    type Worker = EmbeddedWorker;
    type Reader = EmbeddedOutputs;

    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(&directory.path().join("log"), PARTITIONS, Faults::none());
        Self {
            log: log.unwrap(),
            directory,
        }
    }

    fn append(&self, records: Vec<InputRecord>) {
        self.log.append(records, None).unwrap();
    }

    fn append_transfers(&self, records: Vec<InputRecord>) {
        self.log.append_transfers(records).unwrap();
    }

    fn worker(&self, index: usize, workers: usize) -> EmbeddedWorker {
        self.log.worker(index, workers)
    }

    fn input_ends(&self) -> Vec<u64> {
        let ends = self.log.ends().into_iter();
        ends.map(|ends| ends.next(Source::Events)).collect()
    }

    fn reader(&self, kind: OutputKind) -> EmbeddedOutputs {
        self.log.reader(kind)
    }

    fn changes(&self) -> Vec<OutputRecord> {
        self.log.changes().map(|entry| entry.unwrap().2).collect()
    }

    fn dead_letters(&self) -> Vec<OutputRecord> {
        let letters = self.log.dead_letters();
        letters.map(|entry| entry.unwrap().2).collect()
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
}

impl Embedded {
    fn with_segments(segment_bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = LogOptions {
            segment_bytes,
            ..LogOptions::new(PARTITIONS, Faults::none())
        };
        let log = EmbeddedLog::open_with(&directory.path().join("log"), &options);
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

    fn inputs(&self) -> Vec<(Position, InputRecord)> {
        self.log.inputs().map(Result::unwrap).collect()
    }

    fn seen(&self) -> Seen {
        seen(self, &mut self.worker(0, 1))
    }
}

#[test]
fn the_embedded_log_keeps_the_contract() {
    for (name, test) in contract::<Embedded>() {
        println!("{name}");
        test();
    }
}

#[test]
fn a_poll_starves_no_partition() {
    let subject = Embedded::with_inputs(300);
    let mut worker = reading(&subject);
    let mut touched = BTreeSet::new();
    for _ in 0..PARTITIONS {
        let deliveries = drain(&mut worker, 1, limit(5, 1 << 20));
        assert_eq!(deliveries.len(), 5);
        let partitions = deliveries
            .iter()
            .map(|delivery| delivery.position.partition);
        touched.extend(partitions);
    }
    assert_eq!(touched.len(), PARTITIONS as usize);
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
        let subject = Embedded::new();
        let record = InputRecord::new(timestamp, key, payload);
        subject.append(vec![record.clone()]);
        let delivery = drain(&mut reading(&subject), 1, limit(10, 10)).remove(0);
        assert_eq!(delivery.key, record.key);
        assert_eq!(delivery.record_time, record.timestamp);
        assert!(delivery.payload == record.payload);
    }
}

#[test]
fn a_position_that_is_not_there_is_refused() {
    let subject = Embedded::with_inputs(20);
    let mut worker = subject.log.worker(0, 2);
    let polled = worker.poll(all()).unwrap();
    assert_eq!(polled, Polled::Assigned(vec![Partition(0), Partition(2)]));
    let end = subject.input_ends()[0];
    assert!(worker.resume_at(Partition(0), events_at(end)).is_ok());
    assert!(worker.resume_at(Partition(0), events_at(end + 1)).is_err());
    assert!(
        worker
            .resume_at(Partition(1), AppliedOffsets::default())
            .is_err(),
        "of another worker"
    );
}

#[test]
fn an_append_wakes_a_waiting_worker() {
    let subject = Embedded::new();
    let mut worker = reading(&subject);
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
fn an_offset_that_goes_back_or_past_the_end_is_refused_and_writes_nothing() {
    let subject = Embedded::with_inputs(50);
    let mut worker = subject.worker(0, 1);
    let at_two = Transaction {
        partitions: vec![part(Partition(0), 2, Vec::new())],
        ..Transaction::default()
    };
    worker.commit(&at_two).unwrap();
    worker
        .commit(&at_two)
        .expect("the same offset again, as a clock tick does");
    let before = subject.seen();
    let past = subject.input_ends()[0] + 1;
    for (partition, offset) in [(0, 1), (0, past), (PARTITIONS, 0)] {
        let transaction = Transaction {
            partitions: vec![
                part(Partition(1), 0, vec![state("c", Some("half"))]),
                part(Partition(partition), offset, Vec::new()),
            ],
            outputs: vec![to(Topic::Changes, output("change", 1))],
        };
        assert!(worker.commit(&transaction).is_err(), "{partition}/{offset}");
        assert_eq!(subject.seen(), before, "{partition}/{offset}");
    }
}

#[test]
fn partitions_given_up_deliver_nothing_until_they_come_back() {
    let subject = Embedded::with_inputs(90);
    let mut worker = subject.log.member();
    let all = all();
    assert_eq!(worker.poll(all).unwrap(), Polled::Idle, "it has none");
    let partitions = [Partition(0), Partition(1), Partition(2)];
    worker.assign(&partitions);
    assert_eq!(worker.poll(all).unwrap(), Polled::Idle, "they are silent");
    for partition in partitions {
        worker
            .resume_at(partition, AppliedOffsets::default())
            .unwrap();
    }
    worker.unassign(&[Partition(0), Partition(1)]);
    assert!(
        worker
            .resume_at(Partition(0), AppliedOffsets::default())
            .is_err()
    );
    let left = subject.input_ends()[2] as usize;
    let deliveries = drain(&mut worker, left, all);
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.position.partition == Partition(2))
    );
    worker.assign(&[Partition(0)]);
    worker
        .resume_at(Partition(0), AppliedOffsets::default())
        .unwrap();
    assert!(matches!(worker.poll(all).unwrap(), Polled::Deliveries(_)));
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
                outputs: vec![
                    to(Topic::Changes, output("change", 1)),
                    to(Topic::Current, output("current", 1)),
                    to(Topic::DeadLetters, output("dead", 1)),
                ],
            };
            let error = log.worker(0, 1).commit(&transaction).unwrap_err();
            assert_eq!(
                matches!(error, Error::UnknownOutcome),
                decision == Decision::Unknown
            );
            // What a process that dies now leaves behind.
            support::copy_directory(&here, &there);
            let log = EmbeddedLog::open(&there, PARTITIONS, Faults::none()).unwrap();
            let subject = Embedded { log, directory };
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

/// Inputs, and what was seen.
type Whole = (Vec<(Position, InputRecord)>, Seen);

/// A closed log with acknowledged inputs and commits, and what was seen in it.
fn closed_log(segment_bytes: u64) -> (TempDir, PathBuf, Whole) {
    let subject = Embedded::with_segments(segment_bytes);
    let mut worker = subject.worker(0, 1);
    for round in 0..10 {
        subject.append((round * 20..round * 20 + 20).map(input).collect());
        let offset_next = subject.input_ends()[0];
        let transaction = Transaction {
            partitions: vec![part(
                Partition(0),
                offset_next,
                vec![
                    state("", Some("at")),
                    state(&format!("c-{round}"), Some("v")),
                ],
            )],
            outputs: vec![
                to(Topic::Changes, output("change", round)),
                to(Topic::Current, output("current", round)),
                to(Topic::DeadLetters, output("dead", round)),
            ],
        };
        worker.commit(&transaction).unwrap();
    }
    let seen = (subject.inputs(), subject.seen());
    drop(worker);
    let Embedded { log, directory } = subject;
    drop(log);
    let path = directory.path().join("log");
    // Waits until the handle is really gone.
    drop(EmbeddedLog::open(&path, PARTITIONS, Faults::none()).unwrap());
    let segments = files(&path.join("segments/state")).len();
    assert_eq!(segments > 2, segment_bytes < 1 << 20, "{segments} files");
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

/// Opens and checks a damaged copy: it is refused with what to do, or nothing acknowledged is missing.
fn refused_or_whole(copy: TempDir, expected: &Whole, what: &str) -> bool {
    let log = EmbeddedLog::open(&copy.path().join("log"), PARTITIONS, Faults::none());
    match log.and_then(|log| log.check().map(|()| log)) {
        Err(Error::Unusable { problem, .. }) => {
            assert!(problem.contains("restore it from a backup"), "{problem}");
            true
        }
        Err(other) => panic!("{what}: {other}"),
        Ok(log) => {
            let subject = Embedded {
                log,
                directory: copy,
            };
            let found = (subject.inputs(), subject.seen());
            assert_eq!(&found, expected, "{what}: something is gone");
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
    println!("replay: SEGSTREAM_TEST_SEED={seed} cargo test --test suite embedded_log damaged");
    let mut chance = Chance(seed);
    // One segment a directory, and many.
    for segment_bytes in [1 << 20, 600] {
        let (_kept, path, expected) = closed_log(segment_bytes);
        let mut refused = 0;
        let all = files(&path);
        for file in &all {
            let name = file.strip_prefix(&path).unwrap();
            let bytes = std::fs::read(file).unwrap();
            let mut cases = vec![(format!("{} removed", name.display()), None)];
            for round in 0..(400 / all.len()).max(4) {
                let mut damaged = bytes.clone();
                let Some(place) = (bytes.len() as u64).checked_sub(1) else {
                    break;
                };
                let place = chance.below(place + 1) as usize;
                let what = if round % 4 == 3 {
                    damaged.truncate(place);
                    format!("{} cut to {place}", name.display())
                } else {
                    damaged[place] ^= 1 << chance.below(8);
                    format!("{} flipped at {place}", name.display())
                };
                cases.push((what, Some(damaged)));
            }
            for (what, damaged) in cases {
                let copy = copied(&path);
                let target = copy.path().join("log").join(name);
                match damaged {
                    Some(damaged) => std::fs::write(&target, damaged).unwrap(),
                    None => std::fs::remove_file(&target).unwrap(),
                }
                refused += u32::from(refused_or_whole(copy, &expected, &what));
            }
        }
        assert!(refused > 0, "the damage is noticed");
    }
}

#[test]
fn a_log_of_another_partition_count_is_refused_with_the_count_to_set() {
    let (_kept, path, _) = closed_log(1 << 20);
    let error = EmbeddedLog::open(&path, PARTITIONS + 1, Faults::none()).unwrap_err();
    assert!(error.to_string().contains("set it to 3"), "{error}");
}

#[test]
fn a_log_cut_while_it_was_made_opens_as_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    drop(EmbeddedLog::open(&path, PARTITIONS, Faults::none()).unwrap());
    for kept in ["", "lock", "segments/input", "segments/identity"] {
        let target = directory.path().join(kept.replace('/', "-") + "-cut");
        let unfinished = target.join(kept.replace("segments", "segments.new"));
        std::fs::create_dir_all(unfinished.parent().unwrap()).unwrap();
        let from = path.join(kept);
        if from.is_file() {
            std::fs::copy(from, unfinished).unwrap();
        } else if !kept.is_empty() {
            support::copy_directory(&from, &unfinished);
        }
        let log = EmbeddedLog::open(&target, PARTITIONS, Faults::none()).unwrap();
        assert_eq!(log.ends(), [AppliedOffsets::default(); 3], "{kept}");
        assert!(!target.join("segments.new").exists());
    }
}

/// What an earlier version may have left of a log that it was making: its watermark and nothing else.
#[test]
fn a_watermark_alone_is_a_log_only_where_it_counts_something() {
    for (batches, is_new) in [(0_u64, true), (1, false)] {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = batches.to_le_bytes().to_vec();
        bytes.extend(crc32fast::hash(&batches.to_le_bytes()).to_le_bytes());
        std::fs::write(directory.path().join("watermark"), bytes).unwrap();
        let log = EmbeddedLog::open(directory.path(), PARTITIONS, Faults::none());
        assert_eq!(log.is_ok(), is_new, "{batches}: {log:?}");
    }
}
