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
    replayed_with(root, ids, &[], content).0
}

fn replayed_with(root: &Path, ids: &str, settings: &[&str], content: &str) -> ([u64; 3], Value) {
    let file = root.join("orders.csv");
    std::fs::write(&file, content).unwrap();
    let store = format!("store.directory={}", root.join("store").display());
    let ids = format!("deduplication.ids={ids}");
    let output = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(["replay", "--json", "--format", "orders", "--input"])
        .arg(&file)
        .args(["--set", &store, "--set", &ids])
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |verdict: &str| summary["verdicts"][verdict].as_u64().unwrap_or(0);
    let verdicts = [of("applied"), of("duplicate"), of("late")];
    (verdicts, summary)
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

/// Days 5, 6 and 7 have 20, 10 and 16 orders: with 16 remembered, those of the fifth are forgotten when the others are enough,
/// and those of the seventh stay.
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

fn content(rows: &[(String, String)]) -> String {
    let lines = rows
        .iter()
        .map(|(id, day)| format!("walkin,{id},{day},1\n"));
    let lines = lines.collect::<String>();
    format!("customer_id,order_id,occurred_at,revenue\n{lines}")
}

/// Orders of one day at different times, from a second after `from` on.
fn spread(count: usize, from: &str) -> Vec<(String, String)> {
    let start = at(from);
    let each = (1..=count).map(|number| {
        let after_ms = i64::try_from(number).unwrap() * 1000;
        let occurred_at = start.plus_milliseconds(after_ms);
        (format!("{}-{number}", occurred_at), occurred_at.to_string())
    });
    each.collect()
}

/// A file that comes later has the earlier half of the day.
#[test]
fn orders_of_the_newest_day_may_come_in_any_order() {
    let root = tempfile::tempdir().unwrap();
    let afternoon = spread(600, "2024-01-05T13:00:00Z");
    let morning = spread(600, "2024-01-05T08:00:00Z");
    assert_eq!(
        summary_of(root.path(), "16", &content(&afternoon)),
        [600, 0, 0]
    );
    assert_eq!(
        summary_of(root.path(), "16", &content(&morning)),
        [600, 0, 0]
    );
    let both = [morning, afternoon].concat();
    assert_eq!(
        summary_of(root.path(), "16", &content(&both)),
        [0, 1_200, 0]
    );
}

/// With 16 remembered, the 600 of the fifth are forgotten once the sixth has 16.
#[test]
fn the_day_before_the_newest_is_forgotten_as_the_setting_says() {
    let root = tempfile::tempdir().unwrap();
    let fifth = spread(600, "2024-01-05T08:00:00Z");
    let sixth = spread(16, "2024-01-06T08:00:00Z");
    assert_eq!(summary_of(root.path(), "16", &content(&fifth)), [600, 0, 0]);
    assert_eq!(summary_of(root.path(), "16", &content(&sixth)), [16, 0, 0]);
    let again = [&fifth[..], &sixth[..]].concat();
    assert_eq!(
        summary_of(root.path(), "16", &content(&again)),
        [0, 16, 600]
    );
}

/// A day of the business zone: 23:30 UTC of the fourth and 00:30 UTC of the fifth are one day in Berlin.
#[test]
fn the_newest_day_is_one_of_the_business_zone() {
    let root = tempfile::tempdir().unwrap();
    let late = spread(40, "2024-01-05T00:30:00Z");
    let early = spread(40, "2024-01-04T23:30:00Z");
    let zone = ["time.business_zone=Europe/Berlin"];
    assert_eq!(
        replayed_with(root.path(), "16", &zone, &content(&late)).0,
        [40, 0, 0]
    );
    assert_eq!(
        replayed_with(root.path(), "16", &zone, &content(&early)).0,
        [40, 0, 0]
    );
    let (again, _) = replayed_with(root.path(), "16", &zone, &content(&early));
    assert_eq!(again, [0, 40, 0]);
    // In UTC the fourth is the day before, and each of its orders is forgotten at once, as there are 40 later ones.
    let root = tempfile::tempdir().unwrap();
    assert_eq!(summary_of(root.path(), "16", &content(&late)), [40, 0, 0]);
    assert_eq!(summary_of(root.path(), "16", &content(&early)), [40, 0, 0]);
    assert_eq!(summary_of(root.path(), "16", &content(&early)), [0, 0, 40]);
}

/// 4,096 of 4,106 are kept; an eleventh of the oldest second cannot be told from the first.
#[test]
fn of_a_day_with_more_orders_than_can_be_remembered_the_oldest_are_late_with_a_reason_of_their_own()
{
    let root = tempfile::tempdir().unwrap();
    let day = spread(REMEMBERED_MAX + 10, "2024-01-05T08:00:00Z");
    let max = u64::try_from(REMEMBERED_MAX).unwrap();
    assert_eq!(
        summary_of(root.path(), "512", &content(&day)),
        [max + 10, 0, 0]
    );
    let (verdicts, summary) = replayed_with(root.path(), "512", &[], &content(&day));
    assert_eq!(verdicts, [0, max, 10]);
    let others = summary["not_applied"].as_array().unwrap();
    let late = others.iter().find(|one| one["verdict"] == "late").unwrap();
    assert_eq!(late["reason"], "too_many_of_one_day");
    assert_eq!(late["first"][0]["line"], 2);
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
