//! State of formats 3 and 4, as an earlier version left it: it opens, continues, and leaves nothing behind.
//! `tests/fixtures/README.md` tells where the files come from.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use segstream::codec::changelog;
use segstream::codec::changelog::Said;
use segstream::codec::key::StateKey;
use segstream::domain::ids::CustomerId;
use segstream::domain::ids::Partition;
use segstream::domain::offsets::AppliedOffsets;
use segstream::engine::state::table::DefinitionTable;
use segstream::faults::Faults;
use segstream::log;
use segstream::log::ChangelogChunk;
use segstream::log::PartitionCommit;
use segstream::log::PartitionFacts;
use segstream::log::StateRecord;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::worker::Worker;
use tempfile::TempDir;

use crate::support;
use crate::support::Life;
use crate::support::Sizing;
use crate::support::log_view::LogView;
use crate::support::log_view::Viewed;
use segstream::config::store::Engine;

const PARTITIONS: u32 = 3;
const SIZING: Sizing = Sizing {
    commit_records: 20,
    flush_records: 1000,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2000,
    cache_bytes: 1 << 20,
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format3")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).unwrap()
}

/// A copy of the log and the stores as the earlier version left them.
fn left(format: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for (from, to) in [("store", "store"), ("log", "store-log")] {
        let from = fixtures.join(format).join(from);
        support::copy_directory(&from, &root.path().join(to));
    }
    root
}

fn segstream(root: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(arguments)
        .args([
            "--set",
            &format!("store.directory={}", root.join("store").display()),
        ])
        .args(["--set", "embedded.partitions=3", "--set", "log.filter=warn"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Changes without the wall time at which they were emitted, and without their pulls, which had no bound near a border before;
/// by partition and offset as they were published.
fn changes(lines: &str) -> Vec<serde_json::Value> {
    let parsed = lines.lines().map(|line| {
        let mut change: serde_json::Value = serde_json::from_str(line).unwrap();
        change.as_object_mut().unwrap().remove("emitted_at");
        for feature in change["explanation"].as_array_mut().unwrap() {
            feature.as_object_mut().unwrap().remove("pull");
        }
        change
    });
    parsed.collect()
}

/// The feed, the exports and the changes are the same whichever format the state was left in.
/// Earlier versions exported customers as of their last evaluation.
const AS_EVALUATED: [&str; 4] = ["state", "export", "--as-of", "evaluated"];

fn exports_the_same_and_goes_on(format: &str) {
    let root = left(format);
    assert_eq!(
        segstream(root.path(), &AS_EVALUATED),
        support::as_evaluated(&text("export_before.jsonl"))
    );
    let published = segstream(root.path(), &["state", "changes"]);
    assert_eq!(changes(&published), changes(&text("changes_before.jsonl")));
    let after = fixtures().join("after.jsonl");
    let replay = [
        "replay",
        "--input",
        after.to_str().unwrap(),
        "--format",
        "jsonl",
        // Some of these events are wrong on purpose.
        "--max-rejected",
        "1000",
    ];
    segstream(root.path(), &replay);
    // The earlier version's own continuation: the next sequences, nothing twice.
    assert_eq!(
        segstream(root.path(), &AS_EVALUATED),
        support::as_evaluated(&text("export_after.jsonl"))
    );
    let published = segstream(root.path(), &["state", "changes"]);
    assert_eq!(changes(&published), changes(&text("changes_after.jsonl")));
    segstream(root.path(), &["state", "recount"]);
    // Made again from the log alone.
    std::fs::remove_dir_all(root.path().join("store")).unwrap();
    assert_eq!(
        segstream(root.path(), &AS_EVALUATED),
        support::as_evaluated(&text("export_after.jsonl"))
    );
}

#[test]
fn state_of_format_3_exports_the_same_and_goes_on_without_a_trace() {
    exports_the_same_and_goes_on("format3");
}

#[test]
fn state_of_format_4_exports_the_same_and_goes_on_without_a_trace() {
    exports_the_same_and_goes_on("format4");
}

/// A life on the log of format 3, laid where a life has it.
fn life(root: &Path) -> Life {
    support::copy_directory(&fixtures().join("log"), &root.join("log"));
    Life::begin(root, PARTITIONS, SIZING, &Faults::none())
}

/// The latest value of every key of all partitions.
fn replayed(log: &EmbeddedLog) -> BTreeMap<(Partition, Vec<u8>), Option<Vec<u8>>> {
    let mut worker = log.worker(0, 1);
    let mut latest = BTreeMap::new();
    for partition in (0..PARTITIONS).map(Partition) {
        worker.facts(partition).unwrap();
        let chunk = worker.read_changelog(partition, 0, 100_000).unwrap();
        for record in chunk.records {
            latest.insert((partition, record.key), record.value);
        }
    }
    latest
}

/// The customers that a full restore would find.
fn restored(log: &EmbeddedLog) -> Vec<String> {
    let mut table = DefinitionTable::default();
    let mut found = BTreeMap::new();
    for ((_, key), value) in replayed(log) {
        if let Said::Customer(id, put) = changelog::read(&key, value, &mut table).unwrap() {
            let is_there = matches!(put, changelog::Put::Entry(_));
            let known: &mut bool = found.entry(id.to_string()).or_default();
            *known |= is_there;
        }
    }
    let there = found.into_iter().filter(|(_, is_there)| *is_there);
    there.map(|(id, _)| id).collect()
}

fn customers_before() -> Vec<String> {
    let lines = text("export_before.jsonl");
    let ids = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["customer_id"].as_str().unwrap().to_owned()
    });
    ids.collect()
}

/// Runs until every partition is restored and nothing is left to do, then deletes a customer.
fn deleted(life: &mut Life, id: &str) {
    life.run_to_end().unwrap();
    life.worker.delete(&CustomerId::new(id)).unwrap();
    life.run_to_end().unwrap();
}

#[test]
fn a_customer_of_format_3_who_is_deleted_leaves_no_key_behind() {
    let root = tempfile::tempdir().unwrap();
    let mut life = life(root.path());
    let all = customers_before();
    let gone = &all[3];
    deleted(&mut life, gone);
    let mut expected = all.clone();
    expected.retain(|id| id != gone);
    let found: Vec<String> = life.records().into_keys().collect();
    assert_eq!(found, expected);
    life.assert_counts();
    // Also where a compaction has removed every tombstone.
    assert_eq!(restored(&life.log), expected);
    let old_key = StateKey::OldRecord(CustomerId::new(gone.as_str())).encode();
    let kept = replayed(&life.log);
    let of_old_key: Vec<_> = kept
        .iter()
        .filter(|((_, key), _)| *key == old_key)
        .collect();
    assert!(
        of_old_key.iter().all(|(_, value)| value.is_none()),
        "its old key"
    );
    assert_eq!(of_old_key.len(), 1);
    // And from an empty store, and from the store as it was left.
    for keeps_store in [true, false] {
        let next = tempfile::tempdir().unwrap();
        support::copy_directory(root.path(), next.path());
        if !keeps_store {
            std::fs::remove_dir_all(next.path().join("store")).unwrap();
        }
        let mut life = Life::begin(next.path(), PARTITIONS, SIZING, &Faults::none());
        life.run_to_end().unwrap();
        let found: Vec<String> = life.records().into_keys().collect();
        assert_eq!(found, expected, "keeps its store: {keeps_store}");
        life.assert_counts();
    }
}

/// A log whose tombstones are removed between the first reading of a changelog and its end.
struct Compacted {
    inner: EmbeddedWorker,
    /// The partitions that were read once.
    compacted: BTreeSet<Partition>,
}

impl LogView for Compacted {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, log::Error> {
        let facts = self.inner.facts(partition)?;
        Ok(facts.map(|facts| PartitionFacts {
            tombstones_from: if self.compacted.contains(&partition) {
                facts.changelog_end
            } else {
                0
            },
            ..facts
        }))
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, log::Error> {
        let mut chunk = self.inner.read_changelog(partition, from, records)?;
        // The first reader has read what the tombstones delete; a later one finds neither.
        let deleted: BTreeSet<Vec<u8>> = chunk
            .records
            .iter()
            .filter(|record| record.value.is_none())
            .map(|record| record.key.clone())
            .collect();
        let is_compacted = !self.compacted.insert(partition);
        chunk.records.retain(|record| {
            let is_gone = is_compacted && deleted.contains(&record.key);
            record.value.is_some() && !is_gone
        });
        Ok(chunk)
    }
}

#[test]
fn a_restore_during_which_tombstones_are_removed_begins_anew() {
    let root = tempfile::tempdir().unwrap();
    support::copy_directory(&fixtures().join("log"), &root.path().join("log"));
    let mut life = Life::begin(root.path(), PARTITIONS, SIZING, &Faults::none());
    let all = customers_before();
    let gone = &all[3];
    deleted(&mut life, gone);
    let mut expected = all.clone();
    expected.retain(|id| id != gone);
    drop(life);
    std::fs::remove_dir_all(root.path().join("store")).unwrap();
    let life = Life::begin(root.path(), PARTITIONS, SIZING, &Faults::none());
    let view = Compacted {
        inner: life.log.worker(0, 1),
        compacted: BTreeSet::new(),
    };
    let mut worker = Worker::new(Viewed(view), Arc::clone(&life.shared));
    for _ in 0..100 {
        worker.turn().unwrap();
    }
    let found: Vec<String> = life.records().into_keys().collect();
    assert_eq!(found, expected);
}

#[test]
fn the_first_checkpoint_and_the_first_rewrite_remove_the_old_keys() {
    let root = tempfile::tempdir().unwrap();
    let mut life = life(root.path());
    let after = text("after.jsonl");
    let records = after.lines().map(|line| {
        // Some lines are damaged, as a feed has them.
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        InputRecord::new(
            Some(support::at("2026-11-01T00:00:00Z")),
            event["customer_id"]
                .as_str()
                .map(|id| id.as_bytes().to_vec()),
            line.as_bytes().to_vec(),
        )
    });
    life.log.append(records.collect(), None).unwrap();
    life.run_to_end().unwrap();
    let latest = replayed(&life.log);
    for ((partition, key), value) in &latest {
        match StateKey::decode(key).unwrap() {
            StateKey::OldCheckpoint => {
                assert!(value.is_none(), "the old checkpoint of {partition}");
            }
            StateKey::OldRecord(id) => {
                let head = (*partition, StateKey::Head(id.clone()).encode());
                assert_eq!(value.is_none(), latest.contains_key(&head), "{id}");
            }
            StateKey::Checkpoint | StateKey::Table | StateKey::Head(_) | StateKey::Part(..) => {
                assert!(value.is_some());
            }
        }
    }
    let checkpoints = latest
        .keys()
        .filter(|(_, key)| *key == StateKey::Checkpoint.encode());
    assert_eq!(checkpoints.count(), 3);
}

#[test]
fn a_record_of_a_newer_kind_stops_the_restore_with_a_sentence() {
    let root = tempfile::tempdir().unwrap();
    let mut life = Life::begin(root.path(), 1, SIZING, &Faults::none());
    life.run_to_end().unwrap();
    let newer = StateRecord {
        key: vec![0xFF, 1, 2],
        value: Some(b"of tomorrow".to_vec()),
    };
    let transaction = Transaction {
        partitions: vec![PartitionCommit {
            partition: Partition(0),
            offsets: AppliedOffsets::default(),
            state: vec![newer],
        }],
        ..Transaction::default()
    };
    let mut log = life.log.worker(0, 1);
    log.commit(&transaction).unwrap();
    life.worker = Worker::new(life.log.worker(0, 1), Arc::clone(&life.shared));
    let mut turns = (0..10).map(|_| life.worker.turn());
    let error = turns.find_map(Result::err).unwrap();
    let error = anyhow::Error::from(error);
    let sentence = format!("{error:#}");
    assert!(sentence.contains("run the newer version"), "{sentence}");
}

/// Names, and the bytes of each file, of a directory without those below it.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let named = files.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    });
    named.collect()
}

/// What an earlier version does first: it takes a database without a watermark for a damaged log.
fn is_refused_by_earlier_versions(directory: &Path) -> bool {
    directory.join("db").exists() && !directory.join("watermark").exists()
}

#[test]
fn a_log_of_formats_1_and_2_is_converted_beside_the_former_one_which_is_kept() {
    for format in ["format3", "format4"] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        let fixture = fixtures().parent().unwrap().join(format).join("log");
        support::copy_directory(&fixture, &path);
        // A kill while an earlier version opened the log leaves this, and sled alone refuses to open beside it.
        std::fs::write(path.join("snap.00000000FFFFFFFF.generating"), b"").unwrap();
        let open = || EmbeddedLog::open(&path, PARTITIONS, Faults::none()).unwrap();
        let seen = |log: &EmbeddedLog| {
            let inputs: Vec<_> = log.inputs().map(Result::unwrap).collect();
            let changes: Vec<_> = log.changes().map(Result::unwrap).collect();
            let letters: Vec<_> = log.dead_letters().map(Result::unwrap).collect();
            let current: Vec<_> = log.current().map(Result::unwrap).collect();
            (inputs, changes, letters, current)
        };
        let log = open();
        let before = seen(&log);
        // As many lines as the earlier version was given, and as many changes as it printed.
        let lines = std::fs::read(fixtures().join("before.jsonl")).unwrap();
        let lines = lines.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(before.0.len(), lines);
        assert_eq!(before.1.len(), text("changes_before.jsonl").lines().count());
        assert!(!before.3.is_empty());
        let state = replayed(&log);
        let added = InputRecord {
            payload: None,
            headers: vec![("name".into(), None)],
            ..before.0[0].1.clone()
        };
        let added_at = log.append(vec![added.clone()], None).unwrap()[0];
        drop(log);
        let log = open();
        let after = seen(&log);
        let mut expected = before.0.clone();
        expected.push((added_at, added));
        expected.sort_by_key(|(position, _)| *position);
        assert_eq!(
            (after.0, after.1, after.2, after.3),
            (expected, before.1, before.2, before.3)
        );
        assert_eq!(replayed(&log), state);
        // The former log has all its files, under their names but one.
        let kept = contents(&path);
        for (name, bytes) in contents(&fixture) {
            if name == "watermark" {
                assert_eq!(kept["watermark.converted"], bytes);
            } else {
                assert_eq!(kept[&name].len(), bytes.len(), "{name}");
            }
        }
        for entry in std::fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            // The lock is empty.
            let name = entry.file_name();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert!(mode & 0o077 == 0 || name == "lock", "{name:?} {mode:o}");
        }
        assert!(is_refused_by_earlier_versions(&path));
    }
}

/// The conversion is cut at each of its steps by leaving what is on disk then.
#[test]
fn a_conversion_that_was_cut_is_done_again() {
    let root = tempfile::tempdir().unwrap();
    let fixture = fixtures().join("log");
    let whole = root.path().join("whole");
    support::copy_directory(&fixture, &whole);
    let open = |path: &Path| EmbeddedLog::open(path, PARTITIONS, Faults::none()).unwrap();
    let inputs = |log: &EmbeddedLog| -> Vec<_> { log.inputs().map(Result::unwrap).collect() };
    let log = open(&whole);
    let expected = (inputs(&log), replayed(&log));
    drop(log);
    for cut in ["before its name", "before the former one was retired"] {
        let path = root.path().join(cut);
        support::copy_directory(&fixture, &path);
        let name = match cut {
            "before its name" => "segments.new",
            _ => "segments",
        };
        support::copy_directory(&whole.join("segments"), &path.join(name));
        if name == "segments.new" {
            std::fs::remove_file(path.join(name).join("identity")).unwrap();
        }
        let log = open(&path);
        assert_eq!((inputs(&log), replayed(&log)), expected, "{cut}");
        assert!(is_refused_by_earlier_versions(&path), "{cut}");
        assert!(!path.join("segments.new").exists(), "{cut}");
    }
}
