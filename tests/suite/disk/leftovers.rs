//! What a demo that was killed has left is removed by the next one.

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);

fn demo(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    command
        .args(["demo", "--customers", "20", "--set", "log.filter=warn"])
        .args(arguments)
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// The directories of demos.
fn directories(temporary: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(temporary).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A demo that is killed when it is dropped.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A demo that works, and its directory.
fn begun(temporary: &Path) -> (Demo, PathBuf) {
    let before = directories(temporary);
    let child = Demo(demo(temporary, &["--duration", "10m"]).spawn().unwrap());
    let begun = Instant::now();
    loop {
        let new = directories(temporary)
            .into_iter()
            .find(|path| !before.contains(path));
        if let Some(path) = new.filter(|path| path.join("store/partition-00000").exists()) {
            return (child, path);
        }
        assert!(begun.elapsed() < PATIENCE, "no demo");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_demo_removes_what_killed_ones_have_left_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let temporary = root.path();
    let (running, its) = begun(temporary);
    let (killed, left) = begun(temporary);
    drop(killed);
    assert!(left.join("log/segments").exists());
    let named = temporary.join("segstream-demo-0b4a9d63-4d0a-4f0f-8a39-3b7f0c5b1a77");
    let name = named.to_str().unwrap();
    assert!(
        demo(temporary, &["--duration", "1s", "--dir", name])
            .status()
            .unwrap()
            .success()
    );
    let mine = temporary.join("segstream-demo-mine");
    std::fs::create_dir_all(mine.join("store")).unwrap();
    assert!(
        demo(temporary, &["--duration", "1s"])
            .status()
            .unwrap()
            .success()
    );
    let mut expected = vec![its.clone(), named, mine];
    expected.sort();
    assert_eq!(directories(temporary), expected);
    drop(running);
}
