//! What the program does to the directories of log and store: it takes nothing for its own that is not, reading changes
//! nothing, and a full disk or a kill at any moment loses nothing that was accepted.

mod full;
mod kills;
mod leftovers;
mod places;
mod reading;
mod small_disk;
mod work;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use segstream::faults::Faults;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::InputRecord;

use crate::support;

/// Few, so that opening is short.
const PARTITIONS: u32 = 3;

/// The program on `store` and `store-log` of a directory, with its temporary files in `tmp`.
fn segstream(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    let temporary = root.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    command
        .args(arguments)
        .args([
            "--set",
            &format!("store.directory={}", root.join("store").display()),
        ])
        .args(["--set", &format!("embedded.partitions={PARTITIONS}")])
        .args(["--set", "log.filter=warn"])
        .env("TMPDIR", temporary)
        .stdin(Stdio::null());
    command
}

fn run(root: &Path, arguments: &[&str]) -> Output {
    segstream(root, arguments).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The output of a command that has to succeed.
fn done(root: &Path, arguments: &[&str]) -> String {
    let output = run(root, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        errors(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Ends once everything is committed and written.
const CATCH_UP: [&str; 6] = [
    "run",
    "--until-caught-up",
    "--set",
    "http.address=",
    "--set",
    "time.clock=event",
];

/// A shop's events, and the customers of it.
fn events(file: &Path, customers: u32) {
    let customers = customers.to_string();
    let made = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args([
            "simulate",
            "--customers",
            &customers,
            "--days",
            "60",
            "--clean",
            "--out",
        ])
        .arg(file)
        .status()
        .unwrap();
    assert!(made.success());
}

/// A state of a shop of 60 customers.
fn shop(root: &Path, settings: &[&str]) {
    std::fs::create_dir_all(root).unwrap();
    let file = root.join("events.jsonl");
    events(&file, 60);
    let input = file.to_str().unwrap();
    let mut replay = vec!["replay", "--input", input, "--format", "jsonl"];
    replay.extend(settings);
    done(root, &replay);
    std::fs::remove_file(file).unwrap();
}

/// The n-th order of the n-th customer.
fn order(number: u64) -> String {
    format!(
        "{{\"event_id\":\"e-{number}\",\"type\":\"order.completed\",\"occurred_at\":\"2026-11-01T10:00:00Z\",\
         \"customer_id\":\"c-{number}\",\"order_id\":\"o-{number}\",\"currency\":\"USD\",\"revenue\":\"20.50\"}}"
    )
}

/// Accepts orders into a log that no process holds.
fn accept(log: &Path, numbers: std::ops::Range<u64>) {
    let log = EmbeddedLog::open(log, PARTITIONS, Faults::none()).unwrap();
    let records = numbers.map(|number| {
        InputRecord::new(
            Some(support::at("2026-11-01T10:00:00Z")),
            Some(format!("c-{number}").into_bytes()),
            order(number).into_bytes(),
        )
    });
    log.append(records.collect(), None).unwrap();
}

/// The orders of each customer of an export.
fn orders_of(export: &str) -> BTreeMap<String, u64> {
    let customers = export.lines().map(|line| {
        let customer: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = customer["customer_id"].as_str().unwrap().to_owned();
        (id, customer["orders"].as_u64().unwrap_or(0))
    });
    customers.collect()
}

/// What is known of a file without reading when it was read last.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    mode: u32,
    modified_ns: i128,
    /// Of mode, owner and links too.
    changed_ns: i128,
    content: Vec<u8>,
}

/// Everything below a directory but `tmp`; nothing where there is none.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, Known> {
    let mut known = BTreeMap::new();
    add(root, &root.join("tmp"), &mut known);
    known
}

fn add(path: &Path, except: &Path, known: &mut BTreeMap<PathBuf, Known>) {
    let Ok(found) = path.symlink_metadata() else {
        return;
    };
    if path == except {
        return;
    }
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let content = if found.is_file() {
        std::fs::read(path).unwrap()
    } else {
        Vec::new()
    };
    known.insert(
        path.to_owned(),
        Known {
            mode: found.mode(),
            modified_ns: nanoseconds(found.mtime(), found.mtime_nsec()),
            changed_ns: nanoseconds(found.ctime(), found.ctime_nsec()),
            content,
        },
    );
    if found.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            add(&entry.unwrap().path(), except, known);
        }
    }
}

/// Nothing is other than before, and nothing temporary is left.
fn assert_untouched(root: &Path, before: &BTreeMap<PathBuf, Known>, what: &str) {
    let after = snapshot(root);
    let names =
        |known: &BTreeMap<PathBuf, Known>| -> Vec<PathBuf> { known.keys().cloned().collect() };
    assert_eq!(names(&after), names(before), "{what}");
    for (path, known) in &after {
        assert!(
            known == &before[path],
            "{what}: {} has changed",
            path.display()
        );
    }
    let left: Vec<_> = std::fs::read_dir(root.join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{what}: {left:?}");
}

/// Whether the long counts are asked for.
fn is_long() -> bool {
    std::env::var("SEGSTREAM_TEST_LONG").is_ok_and(|value| value == "1")
}

/// A tenth of a long count, unless all of it is asked for.
fn count(all: u64) -> u64 {
    if is_long() { all } else { all / 10 }
}

fn seed(test: &str) -> u64 {
    let given = std::env::var("SEGSTREAM_TEST_SEED").ok();
    let seed = given.and_then(|text| text.parse().ok()).unwrap_or(5);
    println!("replay: SEGSTREAM_TEST_SEED={seed} cargo test --test suite {test}");
    seed
}
