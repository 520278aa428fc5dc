//! A disk that fills up, at many sizes: while a log is made, while it is opened, and while the service works. The disk is a
//! tmpfs of its own. What was accepted is there once there is room, and until then the program says what is missing.
//!
//! Twenty sizes with `SEGSTREAM_TEST_LONG=1`, else two of them; `SEGSTREAM_TEST_SEED=n` chooses others. Where no disk can be mounted
//! the tests are skipped and say so; with `SEGSTREAM_REQUIRE_DISK=1` they fail instead.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::disk::CATCH_UP;
use crate::disk::count;
use crate::disk::errors;
use crate::disk::orders_of;
use crate::disk::seed;
use crate::disk::segstream;
use crate::disk::small_disk::PAGE_BYTES;
use crate::disk::small_disk::SmallDisk;
use crate::disk::small_disk::sizes;
use crate::support;
use crate::support::Chance;
use crate::support::serving::is_ready;

const PATIENCE: Duration = Duration::from_secs(60);
/// So many times as much with sled, which takes half a megabyte for each store at once.
const SLED_FACTOR: u64 = 8;
const BATCH_ORDERS: u64 = 100;
/// More than the largest disk takes.
const BATCHES_MAX: u64 = 400;

/// A service, which ends with the test.
struct Service {
    child: Child,
    errors: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }
}

impl Service {
    fn begin(disk: &SmallDisk, settings: &[&str]) -> Self {
        let errors = disk.elsewhere.path().join("errors");
        let file = std::fs::File::create(&errors).unwrap();
        let mut command = disk.segstream(&["run"], settings);
        command.args([
            "--set",
            "http.address=127.0.0.1:0",
            "--set",
            "store.flush_records=300",
        ]);
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, errors }
    }

    /// Where it answers, once it takes events; `None` once it has ended.
    fn address(&mut self, disk: &SmallDisk) -> Option<String> {
        let begun = Instant::now();
        let note = disk.root().join("store/http.address");
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return None;
            }
            if let Some(address) = std::fs::read_to_string(&note)
                .ok()
                .filter(|text| !text.is_empty() && is_ready(text.trim()))
            {
                return Some(address);
            }
            assert!(begun.elapsed() < PATIENCE, "it neither answers nor ends");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// It ended because the disk is full, and says so.
    fn assert_said_full(&mut self, what: &str) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: it does not end");
            std::thread::park_timeout(Duration::from_millis(5));
        };
        let text = std::fs::read_to_string(&self.errors).unwrap();
        assert_eq!(status.code(), Some(4), "{what}: {text}");
        assert!(text.contains("is full"), "{what}: {text}");
        for advice in ["backup", "elsewhere", "empty director"] {
            assert!(
                !text.contains(advice),
                "{what}: nothing is damaged, but it says {text}"
            );
        }
    }
}

/// Orders that hardly compress.
fn batch(first: u64, chance: &mut Chance) -> String {
    let lines = (first..first + BATCH_ORDERS).map(|number| {
        let (one, two, three) = (chance.next(), chance.next(), chance.next());
        format!(
            "{{\"event_id\":\"e-{number}\",\"type\":\"order.completed\",\"occurred_at\":\"2026-11-01T10:00:00Z\",\
             \"customer_id\":\"c-{number}\",\"order_id\":\"o-{one:016x}{two:016x}{three:016x}\",\"currency\":\"USD\",\
             \"revenue\":\"20.50\"}}\n"
        )
    });
    lines.collect()
}

/// Sends orders until one batch is not accepted. The numbers of those that were.
fn fill(address: &str, next: &mut u64, chance: &mut Chance) -> Vec<u64> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false);
    let agent = ureq::Agent::new_with_config(config.build());
    let mut accepted = Vec::new();
    for _ in 0..BATCHES_MAX {
        let body = batch(*next, chance);
        let numbers = *next..*next + BATCH_ORDERS;
        *next += BATCH_ORDERS;
        match agent
            .post(&format!("http://{address}/v1/events"))
            .send(&body)
        {
            Ok(answer) if answer.status() == 202 => accepted.extend(numbers),
            Ok(_) | Err(_) => break,
        }
    }
    accepted
}

fn exported(disk: &SmallDisk, settings: &[&str]) -> String {
    let output = disk.output(&["state", "export", "--as-of", "evaluated"], settings);
    assert!(output.status.success(), "{}", errors(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Twice on what is left of the disk, the second time on a disk that is full.
fn fill_and_restart(
    disk: &SmallDisk,
    settings: &[&str],
    (next, chance): (&mut u64, &mut Chance),
    what: &str,
) -> Vec<u64> {
    let mut accepted = Vec::new();
    for start in ["first", "second"] {
        let what = format!("{what}, {start} start");
        let mut service = Service::begin(disk, settings);
        let Some(address) = service.address(disk) else {
            service.assert_said_full(&what);
            continue;
        };
        accepted.extend(fill(&address, next, chance));
        // It ends by itself where a transaction does not fit, or goes on and refuses what does not fit.
        let (mut is_ended, begun) = (false, Instant::now());
        while !is_ended && begun.elapsed() < Duration::from_millis(400) {
            is_ended = service.child.try_wait().unwrap().is_some();
            std::thread::park_timeout(Duration::from_millis(20));
        }
        if is_ended {
            service.assert_said_full(&what);
        }
    }
    accepted
}

/// Log and store are made and used on what a disk has left, and used again when it has room.
fn assert_nothing_is_lost(
    disk: &SmallDisk,
    settings: &[&str],
    leave: impl Fn(&SmallDisk),
    what: &str,
) {
    let (mut next, mut chance) = (0, Chance(7));
    let mut accepted = BTreeSet::new();
    // On an empty disk, where log and store are made, then on one with both.
    for opening in ["a new log", "a log that is there"] {
        let what = format!("{what}, {opening}");
        leave(disk);
        let source = (&mut next, &mut chance);
        accepted.extend(fill_and_restart(disk, settings, source, &what));
        if disk.root().join("store-log/segments").exists() {
            exported(disk, settings);
        }
        disk.leave(128 << 20);
        disk.leave_files(100_000);
        let output = disk.output(&CATCH_UP, settings);
        assert!(output.status.success(), "{what}: {}", errors(&output));
        let orders = orders_of(&exported(disk, settings));
        for number in &accepted {
            let found = orders.get(&format!("c-{number}"));
            assert_eq!(found, Some(&1), "{what}: order {number}");
        }
        let is_once = orders.values().all(|orders| *orders == 1);
        assert!(is_once, "{what}: an order counts twice");
        let recounted = disk.output(&["state", "recount"], settings);
        assert!(recounted.status.success(), "{what}: {}", errors(&recounted));
    }
    println!("{what}: {} orders", accepted.len());
}

#[test]
fn everything_accepted_is_there_after_a_full_disk_and_a_restart_while_it_is_full() {
    for (engine, factor) in [
        ("store.engine=fjall", 1),
        ("store.engine=sled", SLED_FACTOR),
    ] {
        for pages in sizes() {
            let Some(disk) = SmallDisk::new() else {
                return;
            };
            let leave = |disk: &SmallDisk| disk.leave(pages * factor * PAGE_BYTES);
            let what = format!("{engine}, {pages} pages");
            assert_nothing_is_lost(&disk, &["--set", engine], leave, &what);
        }
    }
}

/// A file system also runs out of files, with the same error, where it has room for bytes.
#[test]
fn everything_accepted_is_there_after_a_disk_that_has_no_more_files() {
    for (engine, most) in [("store.engine=fjall", 60), ("store.engine=sled", 40)] {
        let mut chance = Chance(seed("disk::full"));
        for _ in 0..count(20) {
            let Some(disk) = SmallDisk::new() else {
                return;
            };
            let files = chance.below(most);
            let leave = |disk: &SmallDisk| {
                disk.leave(8 << 20);
                disk.leave_files(files);
            };
            let what = format!("{engine}, {files} files");
            assert_nothing_is_lost(&disk, &["--set", engine], leave, &what);
        }
    }
}

/// A log of the former kind, whose conversion needs room for all of it.
#[test]
fn a_conversion_on_a_full_disk_loses_nothing_and_is_done_once_there_is_room() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let expected = std::fs::read_to_string(fixtures.join("format3/export_before.jsonl")).unwrap();
    let expected = support::as_evaluated(&expected);
    for format in ["format3", "format4"] {
        for pages in sizes() {
            let Some(disk) = SmallDisk::new() else {
                return;
            };
            for (from, to) in [("store", "store"), ("log", "store-log")] {
                support::copy_directory(&fixtures.join(format).join(from), &disk.root().join(to));
            }
            disk.leave(pages * PAGE_BYTES);
            for start in ["first", "second"] {
                let output = disk.output(&CATCH_UP, &[]);
                let text = errors(&output);
                if !output.status.success() {
                    let what = format!("{format}, {pages} pages, {start} start: {text}");
                    assert_eq!(output.status.code(), Some(4), "{what}");
                    assert!(
                        text.contains("is full") && !text.contains("backup"),
                        "{what}"
                    );
                }
                assert_eq!(exported(&disk, &[]), expected, "{format}, {pages} pages");
            }
            disk.leave(128 << 20);
            let output = disk.output(&CATCH_UP, &[]);
            assert!(output.status.success(), "{}", errors(&output));
            assert!(disk.root().join("store-log/segments/identity").exists());
            assert_eq!(exported(&disk, &[]), expected, "{format}, {pages} pages");
        }
    }
}

/// A store that is made anew in the other engine while the disk is full.
#[test]
fn a_store_that_is_made_anew_on_a_full_disk_is_restored_once_there_is_room() {
    for pages in sizes() {
        let Some(disk) = SmallDisk::new() else {
            return;
        };
        let file = disk.elsewhere.path().join("events.jsonl");
        crate::disk::events(&file, 60);
        let input = file.to_str().unwrap();
        let replay = ["replay", "--input", input, "--format", "jsonl"];
        assert!(
            disk.output(&replay, &["--set", "store.engine=sled"])
                .status
                .success()
        );
        let expected = exported(&disk, &["--set", "store.engine=sled"]);
        for store in ["another engine", "none"] {
            if store == "none" {
                std::fs::remove_dir_all(disk.root().join("store")).unwrap();
            }
            disk.leave(pages * PAGE_BYTES);
            for _ in ["first", "second"] {
                let output = disk.output(&CATCH_UP, &[]);
                let text = errors(&output);
                let is_said = output.status.code() == Some(4) && text.contains("is full");
                assert!(
                    output.status.success() || is_said,
                    "{pages} pages, {store}: {text}"
                );
                assert_eq!(exported(&disk, &[]), expected, "{pages} pages, {store}");
            }
            disk.leave(128 << 20);
            let output = disk.output(&CATCH_UP, &[]);
            assert!(output.status.success(), "{}", errors(&output));
            assert_eq!(exported(&disk, &[]), expected, "{pages} pages, {store}");
        }
    }
}

/// A command that reads writes its copies elsewhere.
#[test]
fn reading_says_that_the_temporary_directory_is_full_and_leaves_nothing_in_it() {
    let Some(disk) = SmallDisk::new() else {
        return;
    };
    let root = disk.elsewhere.path();
    for engine in ["store.engine=fjall", "store.engine=sled"] {
        std::fs::remove_dir_all(root.join("store")).unwrap_or_default();
        crate::disk::shop(root, &["--set", engine]);
        let before: Vec<_> = std::fs::read_dir(disk.root()).unwrap().collect();
        disk.leave(3 * PAGE_BYTES);
        let mut command = segstream(root, &["state", "export", "--set", engine]);
        let output = command.env("TMPDIR", disk.root()).output().unwrap();
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(4), "{engine}: {text}");
        let place = format!("the disk of {}", disk.root().display());
        assert!(text.contains(&place) && text.contains("is full"), "{text}");
        let after = std::fs::read_dir(disk.root()).unwrap().count();
        assert_eq!(after, before.len(), "{engine}");
    }
}

#[test]
fn a_state_on_a_disk_that_is_read_only_is_read() {
    for engine in ["store.engine=fjall", "store.engine=sled"] {
        let Some(disk) = SmallDisk::new() else {
            return;
        };
        let file = disk.elsewhere.path().join("events.jsonl");
        crate::disk::events(&file, 60);
        let input = file.to_str().unwrap();
        let replay = ["replay", "--input", input, "--format", "jsonl"];
        let settings = ["--set", engine];
        assert!(disk.output(&replay, &settings).status.success());
        let expected = exported(&disk, &settings);
        disk.make_read_only();
        assert_eq!(exported(&disk, &settings), expected);
        for command in [["state", "recount"], ["state", "changes"]] {
            let output = disk.output(&command, &settings);
            assert!(output.status.success(), "{command:?}: {}", errors(&output));
        }
    }
}
