//! The embedded log over many small segments: whatever is written, compacted, emptied, removed, reopened or killed, it
//! holds what a list in memory does.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::time::Timestamp;
use segstream::domain::topic::Topic;
use segstream::faults::Faults;
use segstream::log::Error;
use segstream::log::OutputRecord;
use segstream::log::PartitionCommit;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::StateRecord;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::InputRecord;
use segstream::log::embedded::LogOptions;
use segstream::log::embedded::Retention;
use segstream::log::outputs::OutputChunk;
use segstream::log::outputs::OutputKind;
use segstream::log::outputs::OutputReader;
use segstream::log::outputs::ReadLimit;
use tempfile::TempDir;

use crate::support;
use crate::support::Chance;
use crate::support::contract::PARTITIONS;
use crate::support::contract::input;
use crate::support::contract::output;
use crate::support::contract::to;

const SCHEDULES: u64 = 60;
const STEPS: u64 = 120;

fn open(path: &Path, segment_bytes: u64) -> Result<EmbeddedLog, Error> {
    let options = LogOptions {
        segment_bytes,
        ..LogOptions::new(PARTITIONS, Faults::none())
    };
    EmbeddedLog::open_with(path, &options)
}

fn read_changes(log: &EmbeddedLog, partition: Partition) -> OutputChunk {
    let mut reader = log.reader(OutputKind::Changes);
    let limit = ReadLimit::of_records(100);
    reader.read(partition, 0, limit).unwrap()
}

/// What a log must hold.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    inputs: BTreeMap<Position, InputRecord>,
    changes: Vec<OutputRecord>,
    dead_letters: Vec<OutputRecord>,
    current: BTreeMap<Vec<u8>, OutputRecord>,
    /// Every record of each partition's changelog.
    state: Vec<Vec<StateRecord>>,
    group: BTreeMap<Partition, u64>,
    cursors: BTreeMap<String, u64>,
}

/// The latest value of each key, tombstones left out.
type Latest = BTreeMap<Vec<u8>, Vec<u8>>;

fn fold(mut latest: Latest, records: impl IntoIterator<Item = StateRecord>) -> Latest {
    for record in records {
        match record.value {
            Some(value) => latest.insert(record.key, value),
            None => latest.remove(&record.key),
        };
    }
    latest
}

/// A log under test and what it must hold.
struct Trial {
    chance: Chance,
    root: TempDir,
    path: PathBuf,
    segment_bytes: u64,
    log: EmbeddedLog,
    model: Model,
    lives: u32,
    number: u64,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("0");
        let segment_bytes = 300 + chance.below(3000);
        Self {
            log: open(&path, segment_bytes).unwrap(),
            chance,
            root,
            path,
            segment_bytes,
            model: Model {
                state: vec![Vec::new(); PARTITIONS as usize],
                ..Model::default()
            },
            lives: 0,
            number: 0,
        }
    }

    fn step(&mut self) {
        match self.chance.below(20) {
            0..=6 => self.append(),
            7..=14 => self.commit(),
            15 => self.log.compact().unwrap(),
            16 => self.log.check().unwrap(),
            17 => self.empty(),
            18 => self.reopen(),
            _ => self.kill(),
        }
    }

    fn append(&mut self) {
        let count = self.chance.below(9);
        let records: Vec<InputRecord> = (0..count)
            .map(|_| {
                self.number += 1;
                input(self.number)
            })
            .collect();
        let name = format!("file-{}", self.chance.below(3));
        let line = (self.chance.below(3) > 0).then(|| self.chance.below(100));
        let positions = self
            .log
            .append(records.clone(), Some((&name, line)))
            .unwrap();
        self.model.inputs.extend(positions.into_iter().zip(records));
        match line {
            Some(line) => self.model.cursors.insert(name, line),
            None => self.model.cursors.remove(&name),
        };
    }

    fn commit(&mut self) {
        let mut transaction = Transaction::default();
        for (partition, ends) in (0..).map(Partition).zip(self.log.ends()) {
            if self.chance.below(3) == 0 && !transaction.partitions.is_empty() {
                continue;
            }
            let known = self.model.group.get(&partition).copied().unwrap_or(0);
            let end = ends.next(Source::Events);
            let offset = known + self.chance.below(end - known + 1);
            let state: Vec<StateRecord> = (0..self.chance.below(8))
                .map(|_| StateRecord {
                    key: format!("key-{}", self.chance.below(20)).into_bytes(),
                    value: (self.chance.below(4) > 0)
                        .then(|| vec![b'v'; self.chance.below(300) as usize]),
                })
                .collect();
            self.model.state[partition.0 as usize].extend(state.clone());
            self.model.group.insert(partition, offset);
            transaction.partitions.push(PartitionCommit {
                partition,
                offsets: AppliedOffsets::default().with(Source::Events, offset),
                state,
            });
        }
        for _ in 0..self.chance.below(5) {
            self.number += 1;
            let record = output("change", self.number);
            let key = record.key.clone().unwrap();
            self.model.changes.push(record.clone());
            self.model.current.insert(key, record.clone());
            transaction.outputs.push(to(Topic::Changes, record.clone()));
            transaction.outputs.push(to(Topic::Current, record));
        }
        if self.chance.below(4) == 0 {
            self.number += 1;
            let record = output("dead", self.number);
            self.model.dead_letters.push(record.clone());
            transaction.outputs.push(to(Topic::DeadLetters, record));
        }
        self.log.worker(0, 1).commit(&transaction).unwrap();
    }

    /// Everything of one customer but state.
    fn empty(&mut self) {
        let key = format!("customer-{}", self.chance.below(17)).into_bytes();
        let before = self.model.inputs.len() + self.model.changes.len();
        let before = before + self.model.dead_letters.len();
        let is_kept = |found: &Option<Vec<u8>>| found.as_ref() != Some(&key);
        self.model.inputs.retain(|_, record| is_kept(&record.key));
        self.model.changes.retain(|record| is_kept(&record.key));
        self.model
            .dead_letters
            .retain(|record| is_kept(&record.key));
        let after = self.model.inputs.len() + self.model.changes.len();
        let after = after + self.model.dead_letters.len();
        let emptied = self.log.empty_slots(&|found, _| found == Some(&key));
        assert_eq!(emptied.unwrap(), (before - after) as u64);
    }

    fn reopen(&mut self) {
        let elsewhere = open(&self.root.path().join("other"), 1000).unwrap();
        drop(std::mem::replace(&mut self.log, elsewhere));
        self.log = open(&self.path, self.segment_bytes).unwrap();
    }

    /// Goes on from what a process that dies now leaves, its page cache intact.
    fn kill(&mut self) {
        self.lives += 1;
        let path = self.root.path().join(self.lives.to_string());
        support::copy_directory(&self.path, &path);
        self.path = path;
        self.log = open(&self.path, self.segment_bytes).unwrap();
    }

    fn assert_equal(&mut self) {
        let polled = self.polled();
        let log = &self.log;
        let inputs: BTreeMap<Position, InputRecord> = log.inputs().map(Result::unwrap).collect();
        assert!(inputs == self.model.inputs, "inputs");
        assert!(polled == self.model.inputs, "polled");
        let of = |records: &[OutputRecord]| {
            let mut sorted: Vec<_> = records.to_vec();
            sorted.sort_by(|one, other| one.value.cmp(&other.value));
            sorted
        };
        let changes: Vec<_> = log.changes().map(|found| found.unwrap().2).collect();
        assert!(of(&changes) == of(&self.model.changes), "changes");
        let letters: Vec<_> = log.dead_letters().map(|found| found.unwrap().2).collect();
        assert!(of(&letters) == of(&self.model.dead_letters), "dead letters");
        let current: BTreeMap<Vec<u8>, OutputRecord> = log
            .current()
            .map(Result::unwrap)
            .map(|record| (record.key.clone().unwrap(), record))
            .collect();
        assert!(current == self.model.current, "current");
        for name in ["file-0", "file-1", "file-2"] {
            let line = self.model.cursors.get(name).copied();
            assert_eq!(log.cursor(name).unwrap(), line);
        }
        let mut worker = log.worker(0, 1);
        for partition in (0..PARTITIONS).map(Partition) {
            let facts = worker.facts(partition).unwrap().unwrap();
            let group = facts.sources[&Source::Events].group_offset;
            assert_eq!(group, self.model.group.get(&partition).copied());
            let records = &self.model.state[partition.0 as usize];
            assert_eq!(facts.changelog_end, records.len() as u64);
            let expected = fold(Latest::new(), records.iter().cloned());
            // From the beginning, and by a store that is behind, as far as tombstones are kept.
            let behind = facts.tombstones_from
                + self
                    .chance
                    .below(facts.changelog_end - facts.tombstones_from + 1);
            for from in [0, behind] {
                let known = records.iter().take(from as usize).cloned();
                let known = fold(Latest::new(), known);
                let read = changelog(&mut worker, partition, from, 1 + self.chance.below(30));
                assert!(
                    fold(known, read) == expected,
                    "state of {partition} from {from}"
                );
            }
        }
    }

    /// The inputs as a worker gets them.
    fn polled(&mut self) -> BTreeMap<Position, InputRecord> {
        let mut worker = self.log.worker(0, 1);
        worker.poll(limit(1)).unwrap();
        for partition in (0..PARTITIONS).map(Partition) {
            worker
                .resume_at(partition, AppliedOffsets::default())
                .unwrap();
        }
        let mut found = BTreeMap::new();
        let records = 1 + self.chance.below(40) as usize;
        while let Polled::Deliveries(deliveries) = worker.poll(limit(records)).unwrap() {
            found.extend(deliveries.into_iter().map(|delivery| {
                let record = InputRecord {
                    timestamp: delivery.record_time,
                    key: delivery.key,
                    payload: delivery.payload,
                    headers: delivery.headers,
                };
                (delivery.position, record)
            }));
        }
        found
    }
}

fn limit(records: usize) -> PollLimit {
    PollLimit {
        records,
        bytes: 1 << 20,
        timeout: Duration::ZERO,
    }
}

/// The records of a changelog from an offset on, and that their offsets rise.
fn changelog(
    worker: &mut impl WorkerLog,
    partition: Partition,
    mut from: u64,
    records: u64,
) -> Vec<StateRecord> {
    let mut found = Vec::new();
    loop {
        let chunk = worker
            .read_changelog(partition, from, records as usize)
            .unwrap();
        for record in chunk.records {
            assert!(record.offset >= from && record.offset < chunk.offset_next);
            from = record.offset + 1;
            found.push(StateRecord {
                key: record.key,
                value: record.value,
            });
        }
        from = chunk.offset_next;
        if chunk.remaining == 0 {
            return found;
        }
    }
}

#[test]
fn many_segments_hold_what_was_written_whatever_becomes_of_them() {
    let seeds = match std::env::var("SEGSTREAM_TEST_SEED") {
        Ok(seed) => {
            let seed = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) => 0..SCHEDULES,
    };
    for seed in seeds {
        println!("replay: SEGSTREAM_TEST_SEED={seed} cargo test --test suite segments::many");
        let mut trial = Trial::new(seed);
        for step in 0..STEPS {
            trial.step();
            if step % 20 == 19 {
                trial.assert_equal();
            }
        }
        trial.reopen();
        trial.log.check().unwrap();
        trial.assert_equal();
    }
}

/// A log with so many inputs in segments of 400 bytes.
fn with_inputs(count: u64) -> (TempDir, EmbeddedLog) {
    let root = tempfile::tempdir().unwrap();
    let log = open(&root.path().join("log"), 400).unwrap();
    for number in 0..count {
        log.append(vec![input(number)], None).unwrap();
    }
    (root, log)
}

fn commit_to_end(log: &EmbeddedLog) {
    let partitions = (0..).map(Partition).zip(log.ends());
    let partitions = partitions.map(|(partition, offsets)| PartitionCommit {
        partition,
        offsets,
        state: Vec::new(),
    });
    let transaction = Transaction {
        partitions: partitions.collect(),
        ..Transaction::default()
    };
    log.worker(0, 1).commit(&transaction).unwrap();
}

const A_DAY: Retention = Retention {
    input: Some(Duration::from_secs(86_400)),
    changes: Some(Duration::from_secs(86_400)),
};

/// Wall time of the files, so many hours on.
fn hours_on(hours: i64) -> Timestamp {
    let written = tempfile::tempfile().unwrap().metadata().unwrap();
    let written = written.modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    let written = Timestamp::from_milliseconds(written.as_millis() as i64).unwrap();
    written.plus_milliseconds(hours * 3_600_000)
}

#[test]
fn input_is_removed_once_it_is_old_and_folded_and_offsets_stay() {
    let (root, log) = with_inputs(60);
    let all: Vec<_> = log.inputs().map(Result::unwrap).collect();
    assert_eq!(
        log.remove_old(A_DAY, hours_on(48)).unwrap(),
        0,
        "not folded"
    );
    commit_to_end(&log);
    assert_eq!(log.remove_old(A_DAY, hours_on(23)).unwrap(), 0, "not old");
    assert_eq!(
        log.remove_old(Retention::default(), hours_on(9000))
            .unwrap(),
        0
    );
    let ends = log.ends();
    assert!(log.remove_old(A_DAY, hours_on(25)).unwrap() > 0);
    let path = root.path().join("log");
    drop(log);
    let log = open(&path, 400).unwrap();
    log.check().unwrap();
    assert_eq!(log.ends(), ends);
    let kept: Vec<_> = log.inputs().map(Result::unwrap).collect();
    assert!(
        !kept.is_empty() && kept.len() < 20,
        "{} are kept",
        kept.len()
    );
    let is_kept = |found: &&(Position, InputRecord)| kept.contains(*found);
    let expected: Vec<_> = all.iter().filter(is_kept).cloned().collect();
    assert_eq!(kept, expected, "what is kept is as it was");
    let mut worker = log.worker(0, 1);
    worker.poll(limit(1)).unwrap();
    for partition in (0..PARTITIONS).map(Partition) {
        let facts = worker.facts(partition).unwrap().unwrap();
        let start = facts.sources[&Source::Events].start;
        let first = kept.iter().find(|(at, _)| at.partition == partition);
        if let Some((first, _)) = first {
            assert_eq!(start, first.offset);
        }
        let at = |offset| AppliedOffsets::default().with(Source::Events, offset);
        assert!(worker.resume_at(partition, at(start)).is_ok());
        assert!(
            worker.resume_at(partition, at(start - 1)).is_err(),
            "it is gone"
        );
    }
}

#[test]
fn changes_are_removed_once_they_are_old_and_are_read_from_the_first_that_is_left() {
    let root = tempfile::tempdir().unwrap();
    let log = open(&root.path().join("log"), 400).unwrap();
    for number in 0..40 {
        let transaction = Transaction {
            partitions: vec![PartitionCommit {
                partition: Partition(0),
                offsets: AppliedOffsets::default(),
                state: Vec::new(),
            }],
            outputs: vec![to(Topic::Changes, output("change", number * 17))],
        };
        log.worker(0, 1).commit(&transaction).unwrap();
    }
    let all: Vec<_> = log.changes().map(Result::unwrap).collect();
    assert!(log.remove_old(A_DAY, hours_on(25)).unwrap() > 0);
    let kept: Vec<_> = log.changes().map(Result::unwrap).collect();
    assert!(!kept.is_empty() && kept == all[all.len() - kept.len()..]);
    let partition = kept[0].0;
    let chunk = read_changes(&log, partition);
    assert_eq!(chunk.records[0].offset, kept[0].1);
    assert_eq!(chunk.offset_next, 40);
}

#[test]
fn what_a_slot_held_is_on_disk_no_more() {
    let (root, log) = with_inputs(60);
    let needle = b"customer-5";
    let is_on_disk = || {
        let directory = root.path().join("log/segments/input");
        let mut files = std::fs::read_dir(directory).unwrap();
        files.any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    // Records this small are not compressed.
    assert!(is_on_disk());
    let ends = log.ends();
    let emptied = log.empty_slots(&|key, _| key == Some(needle)).unwrap();
    // Of 0 to 59 those that leave 5 when divided by 17: 5, 22, 39 and 56.
    assert_eq!(emptied, 4);
    assert!(!is_on_disk());
    assert_eq!(log.ends(), ends);
    assert_eq!(log.inputs().count(), 56);
    assert_eq!(
        log.empty_slots(&|key, _| key == Some(needle)).unwrap(),
        0,
        "again"
    );
}

#[test]
fn a_compaction_leaves_one_record_of_each_key_and_no_old_tombstone() {
    let root = tempfile::tempdir().unwrap();
    let log = open(&root.path().join("log"), 2000).unwrap();
    let mut worker = log.worker(0, 1);
    let mut write = |key: &str, value: Option<&str>| {
        let transaction = Transaction {
            partitions: vec![PartitionCommit {
                partition: Partition(0),
                offsets: AppliedOffsets::default(),
                state: vec![StateRecord {
                    key: key.as_bytes().to_vec(),
                    value: value.map(|value| value.as_bytes().to_vec()),
                }],
            }],
            outputs: Vec::new(),
        };
        worker.commit(&transaction).unwrap();
    };
    let fill = |write: &mut dyn FnMut(&str, Option<&str>)| {
        for round in 0..100 {
            write("a", Some(&format!("{round}")));
        }
    };
    write("gone", Some("x"));
    write("gone", None);
    fill(&mut write);
    let before = log.bytes();
    log.compact().unwrap();
    assert!(log.bytes() < before / 2, "{} of {before}", log.bytes());
    let mut reader = log.worker(0, 1);
    let gone = |reader: &mut _| {
        let read = changelog(reader, Partition(0), 0, 1000);
        read.iter().filter(|record| record.key == b"gone").count()
    };
    assert_eq!(gone(&mut reader), 1, "the tombstone alone");
    let from = |log: &EmbeddedLog| {
        let facts = log.worker(0, 1).facts(Partition(0)).unwrap().unwrap();
        facts.tombstones_from
    };
    assert_eq!(from(&log), 0);
    fill(&mut write);
    log.compact().unwrap();
    assert_eq!(gone(&mut log.worker(0, 1)), 0);
    // The first compaction took all but the last segment, at the most 102 records.
    assert!((2..=102).contains(&from(&log)), "{}", from(&log));
}

/// Without a sync in between, a power loss may keep either of two files that were written.
#[test]
fn a_transaction_of_which_a_power_loss_keeps_a_part_is_not_there() {
    for lost in ["changes", "state"] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        let log = open(&path, 1 << 20).unwrap();
        let transaction = |number| Transaction {
            partitions: vec![PartitionCommit {
                partition: Partition(0),
                offsets: AppliedOffsets::default(),
                state: vec![StateRecord {
                    key: format!("{number}").into_bytes(),
                    value: Some(b"v".to_vec()),
                }],
            }],
            outputs: vec![to(Topic::Changes, output("change", number))],
        };
        let mut worker = log.worker(0, 1);
        worker.commit(&transaction(1)).unwrap();
        let before = root.path().join("before");
        support::copy_directory(&path, &before);
        worker.commit(&transaction(2)).unwrap();
        drop((worker, log));
        // What was acknowledged is counted without a sync, so it may be as it was before.
        for part in ["changes", "state"] {
            let name = format!("segments/{part}/acknowledged");
            std::fs::copy(before.join(&name), path.join(&name)).unwrap();
        }
        let name = format!("segments/{lost}/000000000001-000000000001.segment");
        std::fs::copy(before.join(&name), path.join(&name)).unwrap();
        for _ in 0..2 {
            let log = open(&path, 1 << 20).unwrap();
            let mut worker = log.worker(0, 1);
            assert_eq!(log.changes().count(), 1, "{lost}");
            assert_eq!(changelog(&mut worker, Partition(0), 0, 10).len(), 1);
        }
        let log = open(&path, 1 << 20).unwrap();
        log.worker(0, 1).commit(&transaction(3)).unwrap();
        let values: Vec<_> = log.changes().map(|found| found.unwrap().2.value).collect();
        let expected = [1, 3].map(|number| output("change", number).value);
        assert_eq!(values.len(), 2);
        assert!(expected.iter().all(|value| values.contains(value)));
    }
}

/// Cut at the end of a batch, a file looks whole; who reads it must not go on behind the gap.
#[test]
fn a_reader_does_not_step_over_records_that_are_missing() {
    let (root, log) = with_inputs(60);
    let ends = log.ends();
    drop(log);
    let path = root.path().join("log");
    let first = path.join("segments/input/000000000001-000000000001.segment");
    let bytes = std::fs::read(&first).unwrap();
    let frames = bytes.windows(4).enumerate();
    let frames: Vec<usize> = frames
        .filter(|(_, window)| *window == b"sgf1")
        .map(|(place, _)| place)
        .collect();
    assert!(frames.len() > 2, "its base and two batches");
    std::fs::write(&first, &bytes[..frames[frames.len() - 1]]).unwrap();
    let log = open(&path, 400).unwrap();
    assert_eq!(log.ends(), ends);
    let mut read = log.inputs().filter_map(Result::err);
    let error = read.next().unwrap().to_string();
    assert!(error.contains("is missing"), "{error}");
    assert_eq!(read.count(), 0);
    assert!(log.check().is_err());
}

#[test]
fn a_restore_does_not_step_over_state_that_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    let log = open(&path, 400).unwrap();
    for number in 0..20 {
        let transaction = Transaction {
            partitions: vec![PartitionCommit {
                partition: Partition(0),
                offsets: AppliedOffsets::default(),
                state: vec![StateRecord {
                    key: format!("{number}").into_bytes(),
                    value: Some(vec![b'v'; 60]),
                }],
            }],
            ..Transaction::default()
        };
        log.worker(0, 1).commit(&transaction).unwrap();
    }
    drop(log);
    let first = path.join("segments/state/000000000001-000000000001.segment");
    let bytes = std::fs::read(&first).unwrap();
    let frames = bytes.windows(4).enumerate();
    let mut frames = frames.filter(|(_, window)| *window == b"sgf1");
    let (last, _) = frames.next_back().unwrap();
    std::fs::write(&first, &bytes[..last]).unwrap();
    let log = open(&path, 400).unwrap();
    let error = log.worker(0, 1).read_changelog(Partition(0), 0, 100);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("is missing"), "{error}");
}

/// Nothing of it was acknowledged, but more than one batch is gone: that was no interruption.
#[test]
fn whole_batches_after_one_that_is_damaged_are_damage_whatever_was_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    let log = open(&path, 1 << 20).unwrap();
    let early = root.path().join("early");
    support::copy_directory(&path, &early);
    for number in 0..5 {
        log.append(vec![input(number)], None).unwrap();
    }
    drop(log);
    let name = "segments/input/acknowledged";
    std::fs::copy(early.join(name), path.join(name)).unwrap();
    assert_eq!(open(&path, 1 << 20).unwrap().inputs().count(), 5);
    std::fs::copy(early.join(name), path.join(name)).unwrap();
    let file = path.join("segments/input/000000000001-000000000001.segment");
    let mut bytes = std::fs::read(&file).unwrap();
    let second = bytes.windows(9).position(|window| window == b"payload 1");
    bytes[second.unwrap()] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let error = open(&path, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("restore it from a backup"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "nothing was changed");
}

#[test]
fn what_was_being_written_to_take_the_place_of_a_file_is_removed() {
    let (root, log) = with_inputs(20);
    drop(log);
    let path = root.path().join("log");
    let name = "segments/state/000000000001-000000000009.segment.new";
    std::fs::write(path.join(name), b"half").unwrap();
    drop(open(&path, 400).unwrap());
    assert!(!path.join(name).exists());
}

#[test]
fn all_changes_may_be_gone_and_a_reader_comes_to_their_end() {
    let root = tempfile::tempdir().unwrap();
    let log = open(&root.path().join("log"), 400).unwrap();
    let write = |outputs| {
        let transaction = Transaction {
            partitions: vec![PartitionCommit {
                partition: Partition(0),
                offsets: AppliedOffsets::default(),
                state: Vec::new(),
            }],
            outputs,
        };
        log.worker(0, 1).commit(&transaction).unwrap();
    };
    write(vec![to(Topic::Changes, output("change", 0))]);
    let (partition, _, _) = log.changes().next().unwrap().unwrap();
    // Of another partition.
    let other = (1..17).find(|number| {
        let key = output("", *number).key.unwrap();
        segstream::domain::partitioner::partition_of(&key, PARTITIONS) != partition
    });
    for _ in 0..20 {
        write(vec![to(Topic::Changes, output("change", other.unwrap()))]);
    }
    assert!(log.remove_old(A_DAY, hours_on(25)).unwrap() > 0);
    let chunk = read_changes(&log, partition);
    assert_eq!(
        (chunk.records.len(), chunk.offset_next, chunk.end),
        (0, 1, 1)
    );
}

#[test]
fn a_log_that_is_open_is_not_opened_again() {
    let (root, _log) = with_inputs(1);
    let path = root.path().join("log");
    let error = std::thread::spawn(move || open(&path, 400).unwrap_err());
    let error = error.join().unwrap().to_string();
    assert!(error.contains("another process holds it"), "{error}");
}

#[test]
fn damage_that_a_check_finds_ends_all_work() {
    let (root, log) = with_inputs(60);
    let path = root
        .path()
        .join("log/segments/input/000000000001-000000000001.segment");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = log.check().unwrap_err().to_string();
    assert!(error.contains("restore it from a backup"), "{error}");
    let mut worker = log.worker(0, 1);
    for error in [
        log.append(vec![input(1)], None).unwrap_err(),
        worker.poll(limit(1)).unwrap_err(),
        log.remove_old(A_DAY, hours_on(48)).unwrap_err(),
        log.compact().unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("nothing more is written"), "{error}");
    }
}
