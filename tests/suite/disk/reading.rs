//! Commands that read create, wipe and upgrade nothing, whatever they find.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::disk::CATCH_UP;
use crate::disk::accept;
use crate::disk::assert_untouched;
use crate::disk::done;
use crate::disk::errors;
use crate::disk::run;
use crate::disk::shop;
use crate::disk::snapshot;
use crate::support;

/// Every command that reads a state. The last ones read no state.
const COMMANDS: [&[&str]; 8] = [
    &["state", "export"],
    &["state", "recount"],
    &["state", "changes"],
    &["state", "get", "c-7"],
    &[
        "train",
        "--format",
        "state",
        "--k",
        "3",
        "--out",
        "/dev/null",
    ],
    &["churn", "fit", "--format", "state"],
    &["config", "check"],
    &["topics", "check"],
];

/// A process that was killed leaves all of this beside a state.
fn leave_the_traces_of_a_kill(root: &Path) {
    for part in ["input", "changes", "state"] {
        let directory = root.join("store-log/segments").join(part);
        let mut segments: Vec<PathBuf> = std::fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|found| found == "segment"))
            .collect();
        segments.sort();
        let mut options = std::fs::OpenOptions::new();
        let mut last = options.append(true).open(segments.last().unwrap()).unwrap();
        last.write_all(&[7; 300]).unwrap();
        std::fs::write(directory.join("first.new"), [1; 5]).unwrap();
    }
    let store = root.join("store");
    std::fs::write(store.join("http.address"), "127.0.0.1:1").unwrap();
    let tree = store.join("partition-00000/tree");
    if tree.exists() {
        std::fs::write(tree.join("tables/99999"), [3; 100]).unwrap();
        std::fs::write(tree.join("v99999"), [3; 100]).unwrap();
        std::fs::write(tree.join(".tmpAbCdEf"), [3; 100]).unwrap();
    } else {
        let generating = "partition-00000/snap.00000000FFFFFFFF.generating";
        std::fs::write(store.join(generating), []).unwrap();
    }
}

fn assert_reads(root: &Path, settings: &[&str], export: Option<&str>, what: &str) {
    let before = snapshot(root);
    for command in COMMANDS {
        let what = format!("{what}: {command:?}");
        let mut arguments = command.to_vec();
        arguments.extend(settings);
        let output = run(root, &arguments);
        assert_untouched(root, &before, &what);
        let reads_state = command[0] == "state" || command[0] == "train" || command[0] == "churn";
        let is_known = export.is_some_and(|export| export.contains("\"c-7\""));
        let code = match command {
            ["topics", ..] => 2,
            _ if reads_state && export.is_none() => 4,
            ["state", "get", ..] if !is_known => 1,
            _ => 0,
        };
        assert_eq!(
            output.status.code(),
            Some(code),
            "{what}: {}",
            errors(&output)
        );
        if let (["state", "export"], Some(export)) = (command, export) {
            assert!(output.stdout == export.as_bytes(), "{what}: another state");
        }
    }
}

#[test]
fn reading_changes_nothing_of_a_state_and_of_the_traces_of_a_kill() {
    for engine in ["store.engine=fjall", "store.engine=sled"] {
        let root = tempfile::tempdir().unwrap();
        let settings = ["--set", engine];
        shop(root.path(), &settings);
        accept(&root.path().join("store-log"), 0..10);
        let mut catch_up = CATCH_UP.to_vec();
        catch_up.extend(settings);
        support::copy_directory(&root.path().join("store"), &root.path().join("before"));
        done(root.path(), &catch_up);
        let export = done(root.path(), &["state", "export", "--set", engine]);
        assert!(export.contains("\"c-7\""), "{export}");
        assert_reads(root.path(), &settings, Some(&export), engine);
        // Whole pieces that were not acknowledged, and what does not belong to anything.
        leave_the_traces_of_a_kill(root.path());
        assert_reads(
            root.path(),
            &settings,
            Some(&export),
            &format!("{engine}, killed"),
        );
        // The log has ten customers whom the store lacks.
        std::fs::remove_dir_all(root.path().join("store")).unwrap();
        std::fs::rename(root.path().join("before"), root.path().join("store")).unwrap();
        assert_reads(
            root.path(),
            &settings,
            Some(&export),
            &format!("{engine}, lagging"),
        );
        let other = if engine.ends_with("sled") {
            "store.engine=fjall"
        } else {
            "store.engine=sled"
        };
        assert_reads(
            root.path(),
            &["--set", other],
            Some(&export),
            &format!("{engine} by {other}"),
        );
        for partition in 0..3 {
            damage(&root.path().join(format!("store/partition-{partition:05}")));
        }
        assert_reads(
            root.path(),
            &settings,
            Some(&export),
            &format!("{engine}, damaged"),
        );
        std::fs::remove_dir_all(root.path().join("store")).unwrap();
        assert_reads(
            root.path(),
            &settings,
            Some(&export),
            &format!("{engine}, lost"),
        );
    }
}

/// Changes a byte in the middle of the largest file of a store.
fn damage(partition: &Path) {
    let mut files = Vec::new();
    let mut directories = vec![partition.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push((path.metadata().unwrap().len(), path));
            }
        }
    }
    let (_, largest) = files.into_iter().max().unwrap();
    let mut bytes = std::fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[..middle].fill(0xa5);
    std::fs::write(largest, bytes).unwrap();
}

#[test]
fn reading_upgrades_no_earlier_format() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for format in ["format3", "format4"] {
        let root = tempfile::tempdir().unwrap();
        for (from, to) in [("store", "store"), ("log", "store-log")] {
            support::copy_directory(&fixtures.join(format).join(from), &root.path().join(to));
        }
        let snapshot = "store-log/snap.00000000FFFFFFFF.generating";
        std::fs::write(root.path().join(snapshot), []).unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        let before = crate::disk::snapshot(root.path());
        for (command, expected) in [
            (
                &["state", "export", "--as-of", "evaluated"][..],
                Some("export_before.jsonl"),
            ),
            (&["state", "recount"], None),
            (&["state", "changes"], None),
            (&["churn", "fit", "--format", "state"], None),
        ] {
            let read = done(root.path(), command);
            assert_untouched(root.path(), &before, &format!("{format}: {command:?}"));
            if let Some(expected) = expected {
                let expected = fixtures.join("format3").join(expected);
                let expected = std::fs::read_to_string(expected).unwrap();
                assert_eq!(read, support::as_evaluated(&expected));
            }
        }
    }
}

#[test]
fn reading_makes_nothing_where_there_is_nothing() {
    for case in [
        "missing",
        "empty",
        "a store without a log",
        "a log that is being made",
    ] {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        match case {
            "missing" => {}
            "empty" => {
                std::fs::create_dir(root.path().join("store")).unwrap();
                std::fs::create_dir(root.path().join("store-log")).unwrap();
            }
            "a store without a log" => {
                shop(root.path(), &[]);
                std::fs::remove_dir_all(root.path().join("store-log")).unwrap();
            }
            _ => std::fs::create_dir_all(root.path().join("store-log/segments.new")).unwrap(),
        }
        assert_reads(root.path(), &[], None, case);
    }
}

/// Other files than those of a log or a store: they are named, not taken for an empty state.
#[test]
fn reading_refuses_what_is_no_log_and_no_store() {
    for (name, said) in [
        ("store/notes.txt", "is not a store"),
        ("store-log/notes.txt", "it is no log"),
    ] {
        let root = tempfile::tempdir().unwrap();
        shop(root.path(), &[]);
        let path = root.path().join(name);
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(path, "mine").unwrap();
        let before = snapshot(root.path());
        for command in &COMMANDS[..2] {
            let output = run(root.path(), command);
            assert_eq!(output.status.code(), Some(4), "{}", errors(&output));
            assert!(errors(&output).contains(said), "{}", errors(&output));
            assert_untouched(root.path(), &before, name);
        }
    }
}

/// An instance on Kafka has no log beside its store, so no broker is asked.
#[test]
fn the_store_of_an_instance_on_kafka_is_read_as_it_was_left() {
    for engine in ["store.engine=fjall", "store.engine=sled"] {
        let root = tempfile::tempdir().unwrap();
        let settings = ["--set", engine, "--set", "kafka.brokers=127.0.0.1:1"];
        shop(root.path(), &["--set", engine]);
        done(root.path(), &[&CATCH_UP[..], &["--set", engine]].concat());
        let export = done(root.path(), &["state", "export", "--set", engine]);
        leave_the_traces_of_a_kill(root.path());
        let before = snapshot(root.path());
        for command in [
            &["state", "export"][..],
            &["state", "recount"],
            &["churn", "fit", "--format", "state"],
        ] {
            let read = done(root.path(), &[command, &settings].concat());
            assert_untouched(root.path(), &before, &format!("{engine}: {command:?}"));
            assert!(command[1] != "export" || read == export);
        }
    }
}

/// Its mark says that the instance owned it: without it the answer would lack its customers.
#[test]
fn a_partition_that_is_gone_from_a_store_of_kafka_is_said_and_not_made() {
    let root = tempfile::tempdir().unwrap();
    shop(root.path(), &[]);
    done(root.path(), &CATCH_UP);
    std::fs::remove_dir_all(root.path().join("store/partition-00001")).unwrap();
    let before = snapshot(root.path());
    let arguments = ["state", "export", "--set", "kafka.brokers=127.0.0.1:1"];
    let output = run(root.path(), &arguments);
    assert_eq!(output.status.code(), Some(4), "{}", errors(&output));
    assert!(
        errors(&output).contains("partition-00001 cannot be trusted"),
        "{}",
        errors(&output)
    );
    assert!(output.stdout.is_empty());
    assert_untouched(root.path(), &before, "gone");
}

#[test]
fn reading_the_store_of_an_instance_on_kafka_makes_none_where_there_is_none() {
    for case in ["missing", "empty"] {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        if case == "empty" {
            std::fs::create_dir(root.path().join("store")).unwrap();
        }
        let before = snapshot(root.path());
        for command in [["state", "export"], ["state", "recount"]] {
            let settings = ["--set", "kafka.brokers=127.0.0.1:1"];
            let output = run(root.path(), &[command, settings].concat());
            assert_eq!(output.status.code(), Some(4), "{case}: {}", errors(&output));
            let said = "is store.directory right?";
            assert!(errors(&output).contains(said), "{}", errors(&output));
            assert_untouched(root.path(), &before, case);
        }
    }
}
