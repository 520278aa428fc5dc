//! A log and a store that are written without a service, in small files, so that new files, compactions and merges come after few
//! records: on a disk that is full, and in a process that is killed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::topic::Topic;
use segstream::faults::Faults;
use segstream::log;
use segstream::log::OutputRecord;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::InputRecord;
use segstream::log::embedded::LogOptions;
use segstream::store;
use segstream::store::database::Options;
use segstream::store::directory::StoreDirectory;
use segstream::store::owner::OwnerEpoch;
use segstream::store::partition::PartitionStore;
use segstream::store::sled_pages::SledOptions;
use segstream::store::tree::Merging;
use segstream::store::tree::TreeOptions;
use segstream::store::verification::Expected;

use crate::disk::count;
use crate::disk::seed;
use crate::disk::small_disk::PAGE_BYTES;
use crate::disk::small_disk::SmallDisk;
use crate::disk::small_disk::sizes;
use crate::store as stores;
use crate::support;
use crate::support::Chance;
use crate::support::contract;

const PARTITIONS: u32 = contract::PARTITIONS;
const KEYS: u64 = 50;
const SEGMENT_BYTES: u64 = 6000;
const ROUND_CUSTOMERS: u64 = 60;

/// Text that hardly compresses, the same for the same number.
fn noise(number: u64) -> String {
    let mut chance = Chance(number);
    (0..12).map(|_| format!("{:016x}", chance.next())).collect()
}

/// What was acknowledged, by number; what was not may be there or not.
#[derive(Debug, Default)]
struct Acknowledged {
    inputs: BTreeSet<u64>,
    changes: BTreeSet<u64>,
}

fn open_log(path: &Path) -> Result<EmbeddedLog, log::Error> {
    let options = LogOptions {
        segment_bytes: SEGMENT_BYTES,
        ..LogOptions::new(PARTITIONS, Faults::none())
    };
    EmbeddedLog::open_with(path, &options)
}

fn append(log: &EmbeddedLog, number: u64) -> Result<(), log::Error> {
    let key = format!("customer-{}", number % 17).into_bytes();
    let payload = format!("{number} {}", noise(number)).into_bytes();
    let record = InputRecord::new(
        Some(support::at("2026-01-01T00:00:00Z")),
        Some(key),
        payload,
    );
    log.append(vec![record], None).map(drop)
}

fn commit(log: &EmbeddedLog, number: u64) -> Result<(), log::Error> {
    let numbered = |name: &str| OutputRecord {
        key: Some(format!("customer-{}", number % 17).into_bytes()),
        value: Some(format!("{number} {name} {}", noise(number)).into_bytes()),
        headers: Vec::new(),
        timestamp: support::at("2026-01-01T00:00:00Z"),
    };
    let end = log.ends()[0].next(Source::Events);
    let key = format!("c-{}", number % KEYS);
    let value = number.to_string();
    let state = vec![
        contract::state("at", Some(&value)),
        contract::state(&key, Some(&value)),
    ];
    let transaction = Transaction {
        partitions: vec![contract::part(Partition(0), end, state)],
        outputs: vec![
            contract::to(Topic::Changes, numbered("change")),
            contract::to(Topic::Current, numbered("current")),
            contract::to(Topic::DeadLetters, numbered("dead")),
        ],
    };
    log.worker(0, 1).commit(&transaction).map(drop)
}

fn number_of(value: Option<&[u8]>) -> u64 {
    let text = std::str::from_utf8(value.unwrap()).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Everything acknowledged is there, once, and every transaction is whole. The greatest number that is there.
fn assert_log(log: &EmbeddedLog, acknowledged: &Acknowledged, what: &str) -> u64 {
    log.check().unwrap();
    let inputs: Vec<u64> = log
        .inputs()
        .map(|entry| number_of(entry.unwrap().1.payload.as_deref()))
        .collect();
    let changes: Vec<u64> = log
        .changes()
        .map(|entry| number_of(entry.unwrap().2.value.as_deref()))
        .collect();
    let letters: BTreeSet<u64> = log
        .dead_letters()
        .map(|entry| number_of(entry.unwrap().2.value.as_deref()))
        .collect();
    let known = |numbers: &[u64]| -> BTreeSet<u64> { numbers.iter().copied().collect() };
    let (input_set, change_set) = (known(&inputs), known(&changes));
    assert_eq!(
        input_set.len(),
        inputs.len(),
        "{what}: an input is there twice"
    );
    assert_eq!(
        change_set.len(),
        changes.len(),
        "{what}: a change is there twice"
    );
    let lost: Vec<_> = acknowledged.inputs.difference(&input_set).collect();
    assert!(lost.is_empty(), "{what}: lost inputs {lost:?}");
    let lost: Vec<_> = acknowledged.changes.difference(&change_set).collect();
    assert!(lost.is_empty(), "{what}: lost changes {lost:?}");
    assert_eq!(letters, change_set, "{what}: half a transaction");
    let state = contract::replayed(&mut log.worker(0, 1), Partition(0), 100);
    let mut expected: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for number in &change_set {
        expected.insert(format!("c-{}", number % KEYS).into_bytes(), *number);
        expected.insert(b"at".to_vec(), *number);
    }
    let found: BTreeMap<Vec<u8>, u64> = state
        .iter()
        .map(|(key, value)| (key.clone(), number_of(value.as_deref())))
        .collect();
    assert_eq!(found, expected, "{what}: state of another transaction");
    input_set
        .last()
        .max(change_set.last())
        .copied()
        .unwrap_or(0)
}

/// Writes until the disk is full.
fn fill_log(log: &EmbeddedLog, next: &mut u64, acknowledged: &mut Acknowledged) {
    loop {
        *next += 1;
        let appended = append(log, *next);
        let mut results = vec![appended.is_ok()];
        acknowledged
            .inputs
            .extend(appended.is_ok().then_some(*next));
        let committed = commit(log, *next);
        results.push(committed.is_ok());
        acknowledged
            .changes
            .extend(committed.is_ok().then_some(*next));
        let compacted = log.compact();
        for failed in [appended, committed, compacted]
            .into_iter()
            .filter_map(Result::err)
        {
            assert!(matches!(failed, log::Error::Full { .. }), "{failed}");
        }
        // An append may fit where a transaction does not.
        if results == [false, false] {
            return;
        }
    }
}

#[test]
fn a_log_of_many_files_loses_nothing_on_a_full_disk_and_goes_on_in_the_same_process() {
    for pages in sizes() {
        let Some(disk) = SmallDisk::new() else {
            return;
        };
        let path = disk.root().join("log");
        let mut acknowledged = Acknowledged::default();
        let mut next = 0;
        for opening in ["a new log", "a log that is there"] {
            let what = format!("{pages} pages, {opening}");
            disk.leave(pages * PAGE_BYTES);
            match open_log(&path) {
                Ok(log) => {
                    fill_log(&log, &mut next, &mut acknowledged);
                    assert_log(&log, &acknowledged, &what);
                    disk.leave((pages + 10) * PAGE_BYTES);
                    let before = acknowledged.inputs.len();
                    fill_log(&log, &mut next, &mut acknowledged);
                    assert!(acknowledged.inputs.len() > before, "{what}: it goes on");
                    assert_log(&log, &acknowledged, &what);
                }
                Err(error) => assert!(matches!(error, log::Error::Full { .. }), "{what}: {error}"),
            }
            // While it is full.
            match open_log(&path) {
                Ok(log) => drop(assert_log(&log, &acknowledged, &what)),
                Err(error) => assert!(matches!(error, log::Error::Full { .. }), "{what}: {error}"),
            }
            disk.leave(64 << 20);
            assert_log(&open_log(&path).unwrap(), &acknowledged, &what);
        }
    }
}

/// Both databases, with small pages and files, merged on another thread.
fn options(engine: &str) -> Options {
    if engine == "sled" {
        return Options::Sled(SledOptions {
            cache_bytes: 1 << 20,
            page_bytes: 1000,
        });
    }
    Options::Fjall(TreeOptions {
        page_entries: 10,
        batch_records: 20,
        files_merged: 3,
        merging: Merging::InBackground,
        ..TreeOptions::new(1 << 20)
    })
}

fn open_store(root: &Path, engine: &str) -> Result<PartitionStore, store::Error> {
    let expected = Expected {
        lineage: "log".to_owned(),
        changelog_start: 0,
        changelog_end: 1 << 40,
        current_since: None,
        tombstones_from: 0,
    };
    let directory = StoreDirectory::open(root, "test", Duration::from_secs(30))?;
    let opened = PartitionStore::open(
        &directory,
        Partition(0),
        &expected,
        &options(engine),
        Faults::none(),
    );
    let (store, wiped) = opened?;
    assert_eq!(wiped, None, "{engine}: nothing damaged it");
    Ok(store)
}

/// Old ones and new ones, so that the store grows.
fn customers(round: u64) -> BTreeSet<u64> {
    let mut chance = Chance(round);
    let known = round * ROUND_CUSTOMERS;
    (0..ROUND_CUSTOMERS).map(|_| chance.below(known)).collect()
}

/// Writes some customers, as of this place in the changelog.
fn flush(store: &PartitionStore, round: u64) -> Result<(), store::Error> {
    let updates = customers(round).into_iter();
    let updates = updates.map(|customer| stores::update(&format!("c{customer:06}"), round));
    let place = stores::to(Some(stores::checkpoint_at(round)), round, None);
    store.apply(OwnerEpoch::default(), updates.collect(), place)?;
    store.flush(OwnerEpoch::default())
}

/// What was flushed is there, at that place of the changelog or a later one.
fn assert_store(store: &PartitionStore, flushed: u64, what: &str) {
    let place = store.changelog_next();
    assert!(place >= flushed, "{what}: {place} is before {flushed}");
    let found: BTreeMap<String, u64> = stores::sequences(store).into_iter().collect();
    for round in 1..=flushed {
        for customer in customers(round) {
            let sequence = found.get(&format!("c{customer:06}"));
            assert!(
                sequence >= Some(&round),
                "{what}: c{customer:06} of round {round}"
            );
        }
    }
}

/// Writes until an error, which must be that of a full disk; the last round that was flushed.
fn fill_store(store: &PartitionStore, flushed: &mut u64, what: &str) {
    for _ in 0..2000 {
        match flush(store, *flushed + 1) {
            Ok(()) => *flushed += 1,
            Err(store::Error::Full { .. }) => return,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
    panic!("{what}: the disk is not full");
}

#[test]
fn a_store_of_many_files_is_kept_on_a_full_disk() {
    for engine in ["fjall", "sled"] {
        for pages in sizes() {
            let Some(disk) = SmallDisk::new() else {
                return;
            };
            let root = disk.root().join("store");
            let mut flushed = 0;
            for opening in ["a new store", "a store that is there"] {
                let what = format!("{engine}, {pages} pages, {opening}");
                let factor = if engine == "sled" { 8 } else { 1 };
                disk.leave(pages * factor * PAGE_BYTES);
                match open_store(&root, engine) {
                    Ok(store) => fill_store(&store, &mut flushed, &what),
                    Err(error) => assert!(
                        matches!(error, store::Error::Full { .. }),
                        "{what}: {error:?}"
                    ),
                }
                match open_store(&root, engine) {
                    Ok(store) => assert_store(&store, flushed, &what),
                    Err(error) => assert!(
                        matches!(error, store::Error::Full { .. }),
                        "{what}: {error:?}"
                    ),
                }
                disk.leave(64 << 20);
                let store = open_store(&root, engine).unwrap();
                assert_store(&store, flushed, &what);
                flush(&store, flushed + 1).unwrap();
                flushed += 1;
                drop(store);
                assert_store(&open_store(&root, engine).unwrap(), flushed, &what);
            }
        }
    }
}

const WORK: &str = "SEGSTREAM_TEST_WORK";
const WORK_FROM: &str = "SEGSTREAM_TEST_WORK_FROM";

/// The process that is killed. Each line that it prints is acknowledged.
#[test]
#[ignore = "the tests that kill it run it"]
fn works_until_it_is_killed() {
    let (Ok(work), Ok(from)) = (std::env::var(WORK), std::env::var(WORK_FROM)) else {
        panic!("{WORK} and {WORK_FROM} say what to do");
    };
    let (kind, path) = work.split_once(':').unwrap();
    let mut number: u64 = from.parse().unwrap();
    let mut out = std::io::stdout().lock();
    let mut said = |what: &str, number: u64| writeln!(out, "@{what} {number}").unwrap();
    said("begun", 0);
    if kind == "log" {
        let log = open_log(Path::new(path)).unwrap();
        loop {
            number += 1;
            append(&log, number).unwrap();
            said("input", number);
            commit(&log, number).unwrap();
            said("change", number);
            log.compact().unwrap();
            if number.is_multiple_of(40) {
                log.empty_slots(&|_, _| false).unwrap();
            }
        }
    }
    let store = open_store(Path::new(path), kind).unwrap();
    loop {
        number += 1;
        flush(&store, number).unwrap();
        said("flushed", number);
    }
}

/// Runs the process for a moment; what it has acknowledged.
fn killed(kind: &str, path: &Path, from: u64, chance: &mut Chance) -> Vec<(String, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "disk::work::works_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(WORK, format!("{kind}:{}", path.display()))
        .env(WORK_FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let reading = std::thread::spawn(move || -> Vec<(String, u64)> {
        let lines = lines.lines().map_while(Result::ok);
        let acknowledged = lines.filter_map(|line| {
            let (what, number) = line.split_once('@')?.1.split_once(' ')?;
            Some((what.to_owned(), number.parse().ok()?))
        });
        acknowledged.collect()
    });
    std::thread::park_timeout(Duration::from_micros(chance.below(200_000)));
    let is_running = child.try_wait().unwrap().is_none();
    if is_running {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(is_running, "it ended by itself: {text}");
    reading.join().unwrap()
}

const KILLS: u64 = 200;

#[test]
fn a_log_of_many_files_has_everything_acknowledged_after_kills() {
    let mut chance = Chance(seed("disk::work"));
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    let mut acknowledged = Acknowledged::default();
    let mut next = 0;
    for kill in 0..count(KILLS) {
        for (what, number) in killed("log", &path, next, &mut chance) {
            match &*what {
                "input" => drop(acknowledged.inputs.insert(number)),
                "change" => drop(acknowledged.changes.insert(number)),
                _ => {}
            }
        }
        let log = open_log(&path).unwrap();
        next = next.max(assert_log(&log, &acknowledged, &format!("kill {kill}")));
    }
    println!(
        "{} inputs and {} changes",
        acknowledged.inputs.len(),
        acknowledged.changes.len()
    );
}

#[test]
fn a_store_of_many_files_is_kept_after_kills() {
    let mut chance = Chance(seed("disk::work"));
    for engine in ["fjall", "sled"] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("store");
        let mut flushed = 0;
        for kill in 0..count(KILLS) {
            let lines = killed(engine, &path, flushed, &mut chance).into_iter();
            let last = lines
                .filter(|(what, _)| what == "flushed")
                .map(|(_, round)| round)
                .max();
            let store = open_store(&path, engine).unwrap();
            flushed = flushed.max(last.unwrap_or(0));
            assert_store(&store, flushed, &format!("{engine}, kill {kill}"));
            flushed = flushed.max(store.changelog_next());
        }
        println!("{engine}: {flushed} flushes");
    }
}
