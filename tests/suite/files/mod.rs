//! One reader for every table that people have: what it takes, what it refuses, and the lines that it names. Expected values are by hand
//! unless a test says otherwise.

mod amounts;
mod calls;
mod columns;
mod texts;
mod values;
mod workbook;
mod workbooks;

use std::path::PathBuf;

use segstream::dataset::Column;
use segstream::dataset::Kind;
use segstream::dataset::Options;
use segstream::dataset::Others;
use segstream::dataset::Rows;
use segstream::domain::money::Currency;
use segstream::domain::time::BusinessZone;

/// A file in a directory of its own, which goes with it.
struct TestFile {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

fn file(name: &str, bytes: &[u8]) -> TestFile {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    TestFile {
        path,
        _directory: directory,
    }
}

/// Of a shop that counts in dollars and in UTC.
fn options() -> Options {
    Options {
        base: Currency::parse("USD"),
        ..Options::default()
    }
}

fn in_zone(name: &str) -> Options {
    Options {
        zone: BusinessZone::named(name).unwrap(),
        ..options()
    }
}

/// `--columns`.
fn with_columns(text: &str) -> Options {
    let mut options = options();
    options.columns.add(text).unwrap();
    options
}

fn columns() -> Vec<Column> {
    vec![
        Column::required("customer_id", Kind::Id),
        Column::required("order_id", Kind::Id),
        Column::required("occurred_at", Kind::Instant),
        Column::required("revenue", Kind::Amount),
        Column::optional("currency", Kind::Text),
        Column::optional("category", Kind::Text),
    ]
}

/// The rows of a table of orders, each as `LINE CUSTOMER ORDER INSTANT AMOUNT` with `-` for what is missing, and what was found.
fn read_with_notes(file: &TestFile, options: &Options) -> Result<(Vec<String>, String), String> {
    let said = |error: segstream::dataset::Error| error.to_string();
    let mut rows = Rows::open(&file.path, options).map_err(said)?;
    rows.expect(&columns(), Others::Ignored).map_err(said)?;
    let mut read = Vec::new();
    while let Some(row) = rows.next_row().map_err(said)? {
        row.refuse_broken().map_err(said)?;
        let text = |column: &str| row.text(column).unwrap_or("-").to_owned();
        let at = row.instant("occurred_at").map_err(said)?;
        let amount = row.amount("revenue").map_err(said)?;
        let mut parts = vec![
            row.line.to_string(),
            text("customer_id"),
            text("order_id"),
            at.map_or("-".to_owned(), |at| at.to_string()),
            amount
                .as_ref()
                .map_or("-", |amount| &amount.text)
                .to_owned(),
        ];
        parts.extend(
            amount
                .and_then(|amount| amount.currency)
                .map(|code| code.to_string()),
        );
        parts.extend(row.text("category").map(str::to_owned));
        read.push(parts.join(" "));
    }
    let notes = rows.found().facts.iter().map(ToString::to_string);
    Ok((read, notes.collect::<Vec<_>>().join("\n")))
}

fn read(name: &str, bytes: &[u8], options: &Options) -> Result<Vec<String>, String> {
    read_with_notes(&file(name, bytes), options).map(|(rows, _)| rows)
}

/// The message of a file that is refused.
fn refused(bytes: &[u8], options: &Options) -> String {
    match read("orders.csv", bytes, options) {
        Err(problem) => problem,
        Ok(rows) => panic!("{:?} is taken: {rows:?}", String::from_utf8_lossy(bytes)),
    }
}

fn assert_says(problem: &str, parts: &[&str]) {
    for part in parts {
        assert!(problem.contains(part), "no {part:?} in: {problem}");
    }
}

/// A file of one column of values beside ids and a day.
fn of_amounts(amounts: &[&str]) -> String {
    let rows = (1..)
        .zip(amounts)
        .map(|(order, amount)| format!("c\to{order}\t2013-02-13\t{amount}\n"));
    format!(
        "customer_id\torder_id\toccurred_at\trevenue\n{}",
        rows.collect::<String>()
    )
}

fn of_times(times: &[&str]) -> String {
    let rows = (1..)
        .zip(times)
        .map(|(order, time)| format!("c\to{order}\t{time}\t5\n"));
    format!(
        "customer_id\torder_id\toccurred_at\trevenue\n{}",
        rows.collect::<String>()
    )
}

/// One part of every row, from 0.
fn part(rows: &[String], place: usize) -> Vec<&str> {
    let rows = rows.iter();
    rows.map(|row| row.split(' ').nth(place).unwrap_or("none"))
        .collect()
}
