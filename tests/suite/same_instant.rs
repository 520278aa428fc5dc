//! Events of one instant, as files with dates alone have them: none of them is older than another, so none is late.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::at;

/// The most that a record remembers.
const REMEMBERED_MAX: usize = 4096;
const NOON: &str = "2024-01-05T12:00:00Z";

/// Replays orders of one customer, each with its id and its time; how many were applied, duplicates and late.
fn replayed(ids: &str, rows: impl IntoIterator<Item = (String, String)>) -> [u64; 3] {
    let root = tempfile::tempdir().unwrap();
    let mut content = "customer_id,order_id,occurred_at,revenue\n".to_owned();
    for (id, occurred_at) in rows {
        content.push_str(&format!("walkin,{id},{occurred_at},1\n"));
    }
    summary_of(root.path(), ids, &content)
}

fn summary_of(root: &Path, ids: &str, content: &str) -> [u64; 3] {
    let file = root.join("orders.csv");
    std::fs::write(&file, content).unwrap();
    let store = format!("store.directory={}", root.join("store").display());
    let ids = format!("deduplication.ids={ids}");
    let output = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(["replay", "--json", "--format", "orders", "--input"])
        .arg(&file)
        .args(["--set", &store, "--set", &ids])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |verdict: &str| summary["verdicts"][verdict].as_u64().unwrap_or(0);
    [of("applied"), of("duplicate"), of("late")]
}

fn orders(count: usize, occurred_at: &str) -> Vec<(String, String)> {
    let ids = (1..=count).map(|number| (format!("o{number}"), occurred_at.to_owned()));
    ids.collect()
}

#[test]
fn eighteen_orders_of_one_day_are_applied_where_sixteen_ids_are_remembered() {
    assert_eq!(replayed("16", orders(18, "2024-01-05")), [18, 0, 0]);
}

#[test]
fn orders_of_one_day_are_applied_whatever_their_number_by_the_default() {
    assert_eq!(replayed("512", orders(514, "2024-01-05")), [514, 0, 0]);
    assert_eq!(replayed("512", orders(2_000, NOON)), [2_000, 0, 0]);
}

#[test]
fn orders_of_one_day_that_come_again_are_duplicates() {
    let mut rows = orders(40, "2024-01-05");
    rows.extend(orders(40, "2024-01-05"));
    assert_eq!(replayed("16", rows), [40, 40, 0]);
}

/// The two last instants have 10 and 10 orders: with 16 remembered, neither can go without too few being left.
#[test]
fn an_instant_is_forgotten_as_a_whole_and_only_where_enough_others_are_remembered() {
    let numbered = |from: usize, count: usize, day: &str| -> Vec<(String, String)> {
        let ids = (from..from + count).map(|number| (format!("o{number}"), day.to_owned()));
        ids.collect()
    };
    let mut rows = numbered(0, 20, "2024-01-05");
    rows.extend(numbered(100, 10, "2024-01-06"));
    rows.extend(numbered(200, 5, "2024-01-07"));
    // A replay is in the order of time: those of the fifth come before.
    rows.extend(numbered(0, 3, "2024-01-05"));
    assert_eq!(replayed("16", rows.clone()), [35, 3, 0]);
    // One more, and the others are 16: those of the fifth are forgotten, and the next that is sent again is late.
    let root = tempfile::tempdir().unwrap();
    let content = |rows: &[(String, String)]| {
        let lines = rows
            .iter()
            .map(|(id, day)| format!("walkin,{id},{day},1\n"));
        format!(
            "customer_id,order_id,occurred_at,revenue\n{}",
            lines.collect::<String>()
        )
    };
    rows.push(("o300".to_owned(), "2024-01-07".to_owned()));
    assert_eq!(summary_of(root.path(), "16", &content(&rows)), [36, 3, 0]);
    let again = [
        ("o5", "2024-01-05"),
        ("new", "2024-01-05"),
        ("o105", "2024-01-06"),
    ];
    let again = again.map(|(id, day)| (id.to_owned(), day.to_owned()));
    assert_eq!(summary_of(root.path(), "16", &content(&again)), [0, 1, 2]);
}

#[test]
fn more_of_one_instant_than_a_record_can_remember_are_late_and_none_counts_twice() {
    let mut rows = orders(REMEMBERED_MAX + 3, NOON);
    rows.extend(orders(5, NOON));
    // A later one: all of noon are forgotten.
    let later = at(NOON).plus_milliseconds(1);
    rows.push(("later".to_owned(), later.to_string()));
    let max = u64::try_from(REMEMBERED_MAX).unwrap();
    assert_eq!(replayed("16", rows), [max + 1, 5, 3]);
}
