//! `state export` and `state get`: as of when they are, what they say then, and how a CSV reads back.

mod as_of;
mod csv;
mod output;

use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

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

fn run(root: &Path, arguments: &[&str]) -> Output {
    segstream(root, arguments).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn done(root: &Path, arguments: &[&str]) -> String {
    let output = run(root, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        errors(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Replays events, each recorded when it occurred.
fn replay(root: &Path, events: &[Value], settings: &[&str]) {
    let file = root.join("events.jsonl");
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let input = file.to_str().unwrap();
    let mut arguments = vec!["replay", "--input", input, "--format", "jsonl"];
    arguments.extend(settings);
    done(root, &arguments);
}

fn parsed(lines: &str) -> Vec<Value> {
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The customers as of an instant.
fn export(root: &Path, as_of: &str, settings: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["state", "export", "--as-of", as_of];
    arguments.extend(settings);
    parsed(&done(root, &arguments))
}

fn order(number: u64, customer_id: &str, occurred_at: &str, revenue: &str) -> Value {
    json!({
        "event_id": format!("e-{number}"), "type": "order.completed", "occurred_at": occurred_at,
        "customer_id": customer_id, "order_id": format!("o-{number}"), "currency": "USD", "revenue": revenue,
        "channel": if number.is_multiple_of(2) { "store" } else { "web" },
    })
}

fn profile(number: u64, customer_id: &str, occurred_at: &str) -> Value {
    json!({
        "event_id": format!("p-{number}"), "type": "customer.updated", "occurred_at": occurred_at,
        "customer_id": customer_id,
        "profile": {"birth_year": 1979, "income": "58138", "joined_at": "2024-02-27T00:00:00Z"},
    })
}

/// One customer with two orders; the last evaluation is the last order.
fn one_customer() -> Vec<Value> {
    vec![
        profile(1, "c-1", "2024-06-01T08:00:00Z"),
        order(2, "c-1", "2024-06-15T09:30:00Z", "829.50"),
        order(3, "c-1", "2026-05-20T09:30:00Z", "264"),
    ]
}
