//! A stop under load: the service ends with 0 within its deadline, and nothing that was committed is
//! done again.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

fn segstream(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    command.args(arguments).args([
        "--set",
        &format!("store.directory={}", root.join("store").display()),
    ]);
    command
}

#[test]
fn a_stop_under_load_ends_with_0_and_a_later_run_does_the_rest_once() {
    let root = tempfile::tempdir().unwrap();
    let events = root.path().join("events.jsonl");
    let made = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args([
            "simulate",
            "--customers",
            "2000",
            "--days",
            "60",
            "--clean",
            "--out",
        ])
        .arg(&events)
        .status()
        .unwrap();
    assert!(made.success());
    let lines = std::fs::read_to_string(&events).unwrap().lines().count();
    let input = events.to_str().unwrap();
    // Everything is in the log before the service starts, so that it stops in the middle of it.
    let log = segstream::log::embedded::EmbeddedLog::open(
        &root.path().join("store-log"),
        12,
        segstream::faults::Faults::none(),
    )
    .unwrap();
    let context = segstream::dataset::replay::Context::new(
        segstream::domain::money::Currency::parse("USD").unwrap(),
        segstream::domain::time::BusinessZone::UTC,
    );
    let format = segstream::dataset::replay::Format::Jsonl;
    let read = segstream::dataset::replay::read(
        Path::new(input),
        format,
        &context,
        &segstream::dataset::Options::default(),
    )
    .unwrap()
    .events;
    let records = read.into_iter().map(|event| {
        segstream::log::embedded::InputRecord::new(
            Some(event.record_time),
            event.key,
            event.payload,
        )
    });
    log.append(records.collect(), None).unwrap();
    drop(log);
    let run = [
        "run",
        "--set",
        "http.address=",
        "--set",
        "time.clock=event",
        "--set",
        "commit.records=20",
        "--set",
        "workers=1",
    ];
    let mut child = segstream(root.path(), &run)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap()).lines();
    let assigned = messages.find(|line| line.as_ref().is_ok_and(|line| line.contains("assigned")));
    assert!(assigned.is_some(), "the service has its partitions");
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let rest: Vec<String> = messages.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    let all = [
        "run",
        "--until-caught-up",
        "--set",
        "http.address=",
        "--set",
        "time.clock=event",
    ];
    let done = segstream(root.path(), &all)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success());
    let output = segstream(
        root.path(),
        &["state", "export", "--set", "log.filter=warn"],
    )
    .output()
    .unwrap();
    let export = String::from_utf8(output.stdout).unwrap();
    // A clean feed has one profile a customer that joined, the rest are orders: each counts once.
    let mut orders = 0;
    let mut customers = 0;
    for line in export.lines() {
        let customer: serde_json::Value = serde_json::from_str(line).unwrap();
        orders += customer["orders"].as_u64().unwrap();
        customers += 1;
    }
    assert_eq!(orders + customers, u64::try_from(lines).unwrap());
}
