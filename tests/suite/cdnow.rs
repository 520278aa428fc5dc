//! The CDNOW purchases through the program as a user runs it: replayed, killed, damaged, exported.
//!
//! `SEGSTREAM_TEST_SEED=n` replays the moments of the kills; `SEGSTREAM_TEST_LONG=1` kills twenty times, else four times.

use crate::support;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use sha2::Digest;
use sha2::Sha256;

use crate::support::Chance;
use crate::support::cdnow::assert_oracle;
use crate::support::cdnow::assert_sequences;
use crate::support::cdnow::comparable_changes;

/// How often a replay is killed, and the events a second that it sends meanwhile: about a second of sending a kill.
fn kills() -> (u64, &'static str) {
    if std::env::var("SEGSTREAM_TEST_LONG").is_ok_and(|value| value == "1") {
        (20, "4000/s")
    } else {
        (4, "16000/s")
    }
}

fn segstream(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    let store = root.join("store");
    command
        .args(arguments)
        .args(["--set", &format!("store.directory={}", store.display())])
        .args(["--set", "log.filter=warn"])
        .stdin(Stdio::null());
    command
}

fn replay_command(root: &Path, file: &Path, extra: &[&str]) -> Command {
    let input = file.to_str().unwrap();
    let mut arguments = vec![
        "replay", "--input", input, "--format", "cdnow", "--to", "embedded", "--json",
    ];
    arguments.extend(extra);
    segstream(root, &arguments)
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn export(root: &Path) -> String {
    output(segstream(root, &["state", "export"]))
}

/// The changes without the wall time at which they were emitted.
fn changes(root: &Path) -> Vec<serde_json::Value> {
    let lines = output(segstream(root, &["state", "changes"]));
    comparable_changes(lines.lines())
}

#[test]
fn a_replay_equals_the_oracle_and_a_second_one_changes_nothing() {
    let Some(file) = support::data_file("cdnow_master.txt") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let first = output(replay_command(root.path(), &file, &[]));
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["verdicts"], serde_json::json!({"applied": 69_659}));
    let exported = export(root.path());
    assert_oracle(&exported, &file);
    let published = changes(root.path());
    assert_sequences(&published);
    let second = output(replay_command(root.path(), &file, &[]));
    let second: serde_json::Value = serde_json::from_str(&second).unwrap();
    assert_eq!(second["verdicts"], serde_json::json!({"duplicate": 69_659}));
    assert_eq!(second["changes"], 0);
    assert!(
        exported == export(root.path()),
        "the export is the same, byte for byte"
    );
    assert_eq!(published, changes(root.path()));
    output(segstream(root.path(), &["state", "recount"]));
    for damage in [
        Damage::None,
        Damage::Deleted,
        Damage::Flipped,
        Damage::Truncated,
    ] {
        killed_replay_leaves_no_trace(&file, damage, &[], (&exported, &published));
    }
    let rarely = [
        "--set",
        "store.flush_interval=1d",
        "--set",
        "store.flush_records=100000000",
    ];
    killed_replay_leaves_no_trace(&file, Damage::None, &rarely, (&exported, &published));
    let always = ["--set", "store.flush_records=0"];
    killed_replay_leaves_no_trace(&file, Damage::None, &always, (&exported, &published));
}

/// SHA-256 of the lines as they are, or, where their order does not matter, sorted.
fn digest(mut lines: Vec<String>, is_sorted: bool) -> String {
    if is_sorted {
        lines.sort_unstable();
    }
    let mut hash = Sha256::new();
    for line in &lines {
        hash.update(line);
        hash.update("\n");
    }
    format!("{:x}", hash.finalize())
}

/// A line of `state changes` without the wall time at which it was emitted, and without its pulls, which had no bound near a
/// border before.
fn comparable(line: &str) -> String {
    let (before, rest) = line.split_once(",\"emitted_at\":\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    let line = format!("{before}{after}");
    let mut parts = line.split(",\"pull\":");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |line, part| {
        line + part.trim_start_matches(|one| one != '}')
    })
}

/// The digests are those of the version that wrote format 3, under the same command.
#[test]
fn a_replay_exports_and_publishes_what_the_version_before_did() {
    let Some(file) = support::data_file("cdnow_master.txt") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let until = ["--advance-to", "2000-01-01T00:00:00Z"];
    output(replay_command(root.path(), &file, &until));
    let evaluated = ["state", "export", "--as-of", "evaluated"];
    let exported = output(segstream(root.path(), &evaluated));
    // That version had no as_of: its values were those of the evaluation.
    let without = |line: &str| {
        let (before, rest) = line.split_once(",\"as_of\":\"").unwrap();
        before.to_owned() + rest.split_once('"').unwrap().1
    };
    assert_eq!(
        digest(exported.lines().map(without).collect(), false),
        "926764c0fb2b11f6bd8336b3f9354ba2496540cf4fe865e65c062fd411a5f0d4",
        "the export"
    );
    let published = output(segstream(root.path(), &["state", "changes"]));
    let lines: Vec<String> = published.lines().map(comparable).collect();
    assert_eq!(lines.len(), 81_496);
    assert_eq!(
        digest(lines, true),
        "bf9bb9c8bb55af6aef3dc2f1000b1555846710d0b49eb4da90b37354dd96bcbb",
        "the changes"
    );
}

/// What happens to the store after each kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    Deleted,
    Flipped,
    Truncated,
}

impl Damage {
    fn strike(self, store: &Path, chance: &mut Chance) {
        match self {
            Self::None => {}
            Self::Deleted => std::fs::remove_dir_all(store).unwrap(),
            Self::Flipped => {
                for file in files(store) {
                    let mut bytes = std::fs::read(&file).unwrap();
                    if !bytes.is_empty() {
                        let place = usize::try_from(chance.below(bytes.len() as u64)).unwrap();
                        bytes[place] ^= 1 << chance.below(8);
                        std::fs::write(&file, bytes).unwrap();
                    }
                }
            }
            Self::Truncated => {
                let files = files(store);
                let file = &files[usize::try_from(chance.below(files.len() as u64)).unwrap()];
                let length = std::fs::metadata(file).unwrap().len();
                let handle = std::fs::File::options().write(true).open(file).unwrap();
                handle.set_len(chance.below(length)).unwrap();
            }
        }
    }
}

/// The files of all partitions' databases.
fn files(store: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for inner in std::fs::read_dir(path).unwrap() {
                let inner = inner.unwrap().path();
                if inner.is_file() {
                    found.push(inner);
                }
            }
        }
    }
    found.sort();
    found
}

fn killed_replay_leaves_no_trace(
    file: &Path,
    damage: Damage,
    settings: &[&str],
    (exported, published): (&str, &[serde_json::Value]),
) {
    let seed = std::env::var("SEGSTREAM_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(11);
    eprintln!(
        "{damage:?} {settings:?}; replay: SEGSTREAM_TEST_SEED={seed} cargo test --test suite cdnow"
    );
    let mut chance = Chance(seed);
    let total = 69_659;
    let (number, rate) = kills();
    let mut moments: Vec<u64> = (0..number)
        .map(|_| total / 10 + chance.below(total * 8 / 10))
        .collect();
    moments.sort_unstable();
    let root = tempfile::tempdir().unwrap();
    let mut kills = 0;
    let paced: Vec<&str> = [&["--rate", rate], settings].concat();
    for moment in moments {
        kills += u64::from(kill_at(replay_command(root.path(), file, &paced), moment));
        damage.strike(&root.path().join("store"), &mut chance);
    }
    assert_eq!(kills, number, "every kill hit a running replay");
    output(replay_command(root.path(), file, settings));
    assert!(
        exported == export(root.path()),
        "the export of {damage:?} is the same"
    );
    assert_eq!(
        published,
        changes(root.path()),
        "the changes of {damage:?} are the same"
    );
    let again = output(replay_command(root.path(), file, settings));
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["verdicts"], serde_json::json!({"duplicate": 69_659}));
    assert!(
        exported == export(root.path()),
        "a second replay after {damage:?} changes nothing"
    );
}

/// Kills a replay once it has told that it sent `moment` events; `false` if it had ended.
fn kill_at(mut command: Command, moment: u64) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (sender, progress) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let sent = line
                .strip_prefix("replayed ")
                .and_then(|rest| rest.split(' ').next());
            if let Some(sent) = sent.and_then(|sent| sent.parse::<u64>().ok()) {
                sender.send(sent).ok();
            } else if line.contains("error") {
                eprintln!("{line}");
            }
        }
    });
    loop {
        match progress.recv_timeout(Duration::from_secs(120)) {
            Ok(sent) if sent >= moment => break,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    let was_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    was_running
}
