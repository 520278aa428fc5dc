//! Directories that are not what they are named for are refused, and nothing in them changes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::disk::CATCH_UP;
use crate::disk::assert_untouched;
use crate::disk::done;
use crate::disk::errors;
use crate::disk::run;
use crate::disk::segstream;
use crate::disk::shop;
use crate::disk::snapshot;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The service refuses what a test has laid out, says so in these words, and changes nothing.
fn assert_refused(root: &Path, settings: &[&str], code: i32, said: &[&str]) {
    std::fs::create_dir_all(root.join("tmp")).unwrap();
    let before = snapshot(root);
    let mut arguments = CATCH_UP.to_vec();
    arguments.extend(settings);
    let output = run(root, &arguments);
    let text = errors(&output);
    assert_eq!(output.status.code(), Some(code), "{said:?}: {text}");
    for said in said {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
    assert_untouched(root, &before, &text);
}

#[test]
fn a_directory_with_other_files_is_no_store() {
    for (names, said) in [
        (
            &["store/thesis.tex", "store/.bashrc"][..],
            "it holds .bashrc, thesis.tex",
        ),
        (
            &["store/partition-00000/part-0.parquet"],
            "it holds part-0.parquet",
        ),
        (
            &[
                "store/partition-00000/tree/current",
                "store/partition-00000/notes",
            ],
            "it holds notes",
        ),
        (&["store/db", "store/conf"], "it holds conf, db"),
        (
            &["store/instance.lock", "store/segments/identity"],
            "it holds segments",
        ),
        (&["store"], "it is a file"),
    ] {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            write(&root.path().join(name), "precious");
        }
        // Nothing of a log is made either.
        assert_refused(
            root.path(),
            &[],
            4,
            &["is not a store", said, "Nothing was changed"],
        );
    }
}

#[test]
fn a_directory_with_other_files_is_no_log() {
    for (names, said) in [
        (&["store-log/thesis.tex"][..], "it holds thesis.tex"),
        (
            &[
                "store-log/lock",
                "store-log/a",
                "store-log/b",
                "store-log/c",
                "store-log/d",
            ],
            "it holds a, b, c and 1 more",
        ),
        (
            &[
                "store-log/instance.lock",
                "store-log/partition-00000/tree.lock",
            ],
            "it holds instance.lock, partition-00000",
        ),
        (&["store-log"], "it is a file"),
    ] {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            write(&root.path().join(name), "precious");
        }
        assert_refused(
            root.path(),
            &[],
            4,
            &["it is no log", said, "Nothing was changed"],
        );
    }
}

/// A mount has `lost+found`; a process that was killed while it made the log has left the others.
#[test]
fn an_empty_directory_is_made_a_log_and_a_store() {
    let root = tempfile::tempdir().unwrap();
    for name in [
        "store/lost+found/x",
        "store-log/lost+found/x",
        "store-log/segments.new/input/acknowledged",
        "store-log/lock",
    ] {
        write(&root.path().join(name), "");
    }
    done(root.path(), &CATCH_UP);
    assert!(root.path().join("store-log/segments/identity").exists());
    assert!(root.path().join("store/partition-00000/tree").exists());
}

#[test]
fn a_store_whose_log_is_not_there_is_refused_with_both_paths() {
    for case in ["gone", "empty", "typo", "half made"] {
        let root = tempfile::tempdir().unwrap();
        shop(root.path(), &[]);
        let log = root.path().join("store-log");
        let elsewhere = root.path().join("store-lgo");
        let typo = format!("embedded.directory={}", elsewhere.display());
        let mut settings = Vec::new();
        let expected = if case == "typo" { &elsewhere } else { &log };
        match case {
            "gone" => std::fs::remove_dir_all(&log).unwrap(),
            "empty" => {
                std::fs::remove_dir_all(&log).unwrap();
                std::fs::create_dir(&log).unwrap();
            }
            "typo" => settings.extend(["--set", &typo]),
            _ => std::fs::rename(log.join("segments"), log.join("segments.new")).unwrap(),
        }
        let (store, log) = (root.path().join("store"), expected);
        let said = [
            format!("there is no log at {}", log.display()),
            format!("the store at {} holds state", store.display()),
        ];
        assert_refused(root.path(), &settings, 4, &[&said[0], &said[1]]);
    }
}

#[test]
fn commands_that_read_a_state_say_that_it_is_not_there_and_end_with_4() {
    for (case, said) in [
        ("nothing", "there is no log at"),
        ("no log", "there is no log at"),
        ("no store", "there is no store at"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let mut arguments = vec!["state", "export"];
        match case {
            "no log" => {
                shop(root.path(), &[]);
                std::fs::remove_dir_all(root.path().join("store-log")).unwrap();
            }
            "no store" => arguments.extend(["--set", "kafka.brokers=127.0.0.1:1"]),
            _ => {}
        }
        let output = run(root.path(), &arguments);
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(4), "{case}: {text}");
        assert!(text.contains(said), "{case}: {text}");
    }
}

/// Of another shop, whose log has as many partitions. A store of the other engine would be made anew.
#[test]
fn the_store_of_another_log_is_refused_whatever_its_engine_and_kept() {
    let engines = ["store.engine=fjall", "store.engine=sled"];
    for (made, run_with) in engines
        .iter()
        .flat_map(|made| engines.map(|run| (*made, run)))
    {
        let what = format!("{made}, run with {run_with}");
        let root = tempfile::tempdir().unwrap();
        shop(root.path(), &["--set", made]);
        let other = root.path().join("other");
        shop(&other, &[]);
        let log = format!("embedded.directory={}", other.join("store-log").display());
        let export = ["state", "export", "--set", made];
        let before = done(root.path(), &export);
        let mut arguments = CATCH_UP.to_vec();
        arguments.extend(["--set", run_with, "--set", &log]);
        let output = run(root.path(), &arguments);
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(4), "{what}: {text}");
        assert!(text.contains("was made from another log"), "{what}: {text}");
        assert_eq!(done(root.path(), &export), before, "{what}");
        let as_left = [
            "state",
            "recount",
            "--set",
            made,
            "--set",
            "kafka.brokers=127.0.0.1:1",
        ];
        let recounted = done(root.path(), &as_left);
        assert!(
            recounted.contains("\"equal\":true"),
            "{what}: the store is whole"
        );
    }
}

#[test]
fn log_and_store_that_are_one_or_within_each_other_are_refused_also_by_links() {
    for case in ["one", "log in store", "store in log", "link"] {
        let root = tempfile::tempdir().unwrap();
        let store = root.path().join("store");
        let (store, log) = match case {
            "one" => (store.clone(), store),
            "log in store" => (store.clone(), store.join("log")),
            "store in log" => (store.join("store"), store),
            _ => {
                std::fs::create_dir(&store).unwrap();
                let link = root.path().join("link");
                std::os::unix::fs::symlink(&store, &link).unwrap();
                (store, link.join("log"))
            }
        };
        let (store, log) = (
            format!("store.directory={}", store.display()),
            format!("embedded.directory={}", log.display()),
        );
        let settings = ["--set", &store, "--set", &log];
        assert_refused(root.path(), &settings, 2, &["store.directory"]);
    }
}

/// Begun under the most generous rule there is.
fn open_to_all(root: &Path, arguments: &[&str]) -> Command {
    let program = segstream(root, arguments);
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args())
        .env("TMPDIR", root.join("tmp"))
        .stdin(Stdio::null());
    command
}

fn assert_private(path: &Path) {
    let mode = path.symlink_metadata().unwrap().permissions().mode();
    let expected = if path.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(mode & 0o777, expected, "{} has {mode:o}", path.display());
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            assert_private(&entry.unwrap().path());
        }
    }
}

#[test]
fn directories_are_0700_and_files_0600_whatever_the_umask() {
    for engine in ["store.engine=fjall", "store.engine=sled"] {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("events.jsonl");
        crate::disk::events(&file, 60);
        let input = file.to_str().unwrap();
        let replay = [
            "replay", "--input", input, "--format", "jsonl", "--set", engine,
        ];
        let output = open_to_all(root.path(), &replay).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        let mut caught_up = CATCH_UP.to_vec();
        caught_up.extend(["--set", engine]);
        assert!(
            open_to_all(root.path(), &caught_up)
                .status()
                .unwrap()
                .success()
        );
        assert_private(&root.path().join("store"));
        assert_private(&root.path().join("store-log"));
    }
}

/// The version before made them under the umask of its caller.
#[test]
fn what_others_could_read_is_closed_to_them() {
    let root = tempfile::tempdir().unwrap();
    shop(root.path(), &[]);
    let open = |name: &str| {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(root.path().join(name), mode).unwrap();
    };
    let mode = |name: &str| {
        root.path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    let inner = ["store-log/segments", "store/partition-00000"];
    for name in ["store", "store-log"].iter().chain(&inner) {
        open(name);
    }
    done(root.path(), &CATCH_UP);
    assert_eq!(inner.map(mode), [0o700; 2]);
    assert_eq!(
        ["store", "store-log"].map(mode),
        [0o755; 2],
        "their owner may have set it"
    );
}
