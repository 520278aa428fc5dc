//! kill -9 at random moments while a log and its stores are opened: 200 times each with `SEGSTREAM_TEST_LONG=1`, else 20 times.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::disk::CATCH_UP;
use crate::disk::accept;
use crate::disk::count;
use crate::disk::done;
use crate::disk::errors;
use crate::disk::orders_of;
use crate::disk::run;
use crate::disk::seed;
use crate::disk::segstream;
use crate::disk::shop;
use crate::support;
use crate::support::Chance;

const KILLS: u64 = 200;

/// Runs a service and kills it within about the time that a whole run takes; whether it was still there.
fn kill_while_opening(
    root: &Path,
    settings: &[&str],
    whole: Duration,
    chance: &mut Chance,
) -> bool {
    let mut child = segstream(root, &CATCH_UP)
        .args(settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let longest = u64::try_from(whole.as_micros()).unwrap();
    std::thread::park_timeout(Duration::from_micros(chance.below(longest)));
    let is_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    is_running
}

/// How long a run takes that nobody ends.
fn whole(root: &Path, settings: &[&str]) -> Duration {
    let begun = Instant::now();
    done(root, &[&CATCH_UP[..], settings].concat());
    begun.elapsed()
}

/// The engine changes now and then, and the store is lost now and then, so that stores are also made anew and restored.
#[test]
fn everything_accepted_is_there_after_kills_while_log_and_stores_are_opened() {
    let mut chance = Chance(seed("disk::kills"));
    let root = tempfile::tempdir().unwrap();
    shop(root.path(), &[]);
    let before = orders_of(&done(root.path(), &["state", "export"]));
    let log = root.path().join("store-log");
    let engines = ["store.engine=fjall", "store.engine=sled"];
    let mut accepted = 1_000_000;
    let first = accepted;
    let mut killed = 0;
    let mut engine = engines[0];
    let mut kills = 0;
    while killed < count(KILLS) {
        accept(&log, accepted..accepted + 5);
        accepted += 5;
        if chance.below(4) == 0 {
            engine = engines[chance.below(2) as usize];
        }
        if chance.below(16) == 0 {
            std::fs::remove_dir_all(root.path().join("store")).unwrap_or_default();
        }
        let settings = ["--set", engine, "--set", "store.flush_records=20"];
        let longest = Duration::from_millis(400);
        killed += u64::from(kill_while_opening(
            root.path(),
            &settings,
            longest,
            &mut chance,
        ));
        kills += 1;
        assert!(kills < 20 * KILLS, "it ends before it is killed");
        if kills % 10 == 0 || killed == count(KILLS) {
            whole(root.path(), &settings);
            let orders = orders_of(&done(root.path(), &["state", "export", "--set", engine]));
            for number in first..accepted {
                assert_eq!(
                    orders.get(&format!("c-{number}")),
                    Some(&1),
                    "order {number} after {kills} kills"
                );
            }
            for (customer, expected) in &before {
                assert_eq!(
                    orders.get(customer),
                    Some(expected),
                    "{customer} after {kills} kills"
                );
            }
            assert_eq!(orders.len() as u64, before.len() as u64 + accepted - first);
            done(root.path(), &["state", "recount", "--set", engine]);
        }
    }
    println!("{killed} of {kills} were killed while they ran");
}

#[test]
fn a_log_that_is_being_made_is_made_after_kills() {
    let mut chance = Chance(seed("disk::kills"));
    for engine in ["store.engine=fjall", "store.engine=sled"] {
        let settings = ["--set", engine];
        let root = tempfile::tempdir().unwrap();
        let takes = whole(root.path(), &settings);
        for _ in 0..count(KILLS) {
            let root = tempfile::tempdir().unwrap();
            // The second one meets what the first one has left.
            for _ in 0..2 {
                kill_while_opening(root.path(), &settings, takes, &mut chance);
            }
            accept(&root.path().join("store-log"), 0..5);
            whole(root.path(), &settings);
            let orders = orders_of(&done(root.path(), &["state", "export", "--set", engine]));
            assert_eq!(orders.len(), 5);
        }
    }
}

#[test]
fn a_former_log_is_converted_after_kills_and_has_everything() {
    let mut chance = Chance(seed("disk::kills"));
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let expected = std::fs::read_to_string(fixtures.join("format3/export_before.jsonl")).unwrap();
    let expected = support::as_evaluated(&expected);
    let left = |format: &str| {
        let root = tempfile::tempdir().unwrap();
        for (from, to) in [("store", "store"), ("log", "store-log")] {
            support::copy_directory(&fixtures.join(format).join(from), &root.path().join(to));
        }
        root
    };
    for format in ["format3", "format4"] {
        let takes = whole(left(format).path(), &[]);
        for _ in 0..count(KILLS) {
            let root = left(format);
            for _ in 0..2 {
                kill_while_opening(root.path(), &[], takes, &mut chance);
            }
            // Read in between, whatever it is by now.
            let read = run(root.path(), &["state", "export", "--as-of", "evaluated"]);
            assert!(read.status.success(), "{}", errors(&read));
            assert_eq!(String::from_utf8(read.stdout).unwrap(), expected);
            whole(root.path(), &[]);
            assert_eq!(
                done(root.path(), &["state", "export", "--as-of", "evaluated"]),
                expected
            );
        }
    }
}
