//! Workbooks: cells are what the sheet shows, and lines are its rows.

use super::Options;
use super::assert_says;
use super::file;
use super::in_zone;
use super::options;
use super::read;
use super::read_with_notes;
use super::workbook::archive;
use super::workbook::row;
use super::workbook::workbook;

const HEADER: [&str; 5] = [
    "customer_id",
    "order_id",
    "occurred_at",
    "revenue",
    "category",
];

/// A workbook of one sheet with the header in its first row.
fn book(rows: &[&[&str]]) -> Vec<u8> {
    let rows = (2..).zip(rows).map(|(number, cells)| row(number, cells));
    let rows: String = std::iter::once(row(1, &HEADER)).chain(rows).collect();
    workbook(&[("Orders", &rows)], false)
}

/// Days are counted from 30 December 1899: 41318 is 13 February 2013.
#[test]
fn cells_are_what_the_sheet_shows() {
    let bytes = book(&[
        &[
            "n:17850",
            "n:536365",
            "t:41318.351388888892",
            "n:2.5499999999999998",
            "x",
        ],
        &["n:17850", "o2", "t:41318", "f:1234.5", ""],
        &["c3", "o3", "2013-02-13 08:26", "1,234.50", "e:#N/A"],
        &["b:1", "n:123456789012345", "d:41318", "n:1e3", "n:5"],
    ]);
    let (rows, notes) =
        read_with_notes(&file("orders.xlsx", &bytes), &in_zone("America/New_York")).unwrap();
    assert_eq!(
        rows,
        [
            "2 17850 536365 2013-02-13T13:26:00.000Z 2.55 x",
            // A day in a column that has times is its midnight, not its noon.
            "3 17850 o2 2013-02-13T05:00:00.000Z 1234.5",
            "4 c3 o3 2013-02-13T13:26:00.000Z 1234.50",
            "5 true 123456789012345 2013-02-13T05:00:00.000Z 1000 5",
        ]
    );
    assert_says(&notes, &["sheet: \"Orders\""]);
    // Content decides, not the name.
    assert_eq!(
        read("orders.csv", &bytes, &in_zone("America/New_York")).unwrap(),
        rows
    );
    let days = book(&[&["c", "o", "d:41318", "n:5"]]);
    assert_eq!(
        read("f.xlsx", &days, &options()).unwrap(),
        ["2 c o 2013-02-13T12:00:00.000Z 5"]
    );
}

/// Counted from 1 January 1904 a day has 1462 less.
#[test]
fn days_of_a_workbook_from_1904_are_four_years_later() {
    let rows = row(1, &HEADER) + &row(2, &["c", "o", "d:39856", "n:5"]);
    let bytes = workbook(&[("S", &rows)], true);
    assert_eq!(
        read("f.xlsx", &bytes, &options()).unwrap(),
        ["2 c o 2013-02-13T12:00:00.000Z 5"]
    );
}

#[test]
fn what_a_workbook_has_lost_or_not_computed_is_refused_with_its_place() {
    for (cells, parts) in [
        (
            vec!["n:1234567890123456", "o", "d:41318", "n:5"],
            vec!["line 2", "customer_id", "15 digits"],
        ),
        (
            vec!["n:1.2345678901234568E+17", "o", "d:41318", "n:5"],
            vec!["line 2", "15 digits"],
        ),
        (
            vec!["e:#REF!", "o", "d:41318", "n:5"],
            vec!["line 2", "customer_id", "#REF!"],
        ),
        (
            vec!["c", "o", "d:41318", "e:#DIV/0!"],
            vec!["line 2", "revenue", "#DIV/0!"],
        ),
        (
            vec!["c", "o", "n:41318", "n:5"],
            vec!["line 2", "occurred_at", "spreadsheet"],
        ),
        (
            vec!["c", "o", "t:0.5", "n:5"],
            vec!["line 2", "occurred_at"],
        ),
        (vec!["c", "o", "n:5", "d:41318"], vec!["line 2"]),
        (
            vec!["c", "o", "d:41318", "d:41318"],
            vec!["line 2", "revenue"],
        ),
    ] {
        let problem = read("f.xlsx", &book(&[&cells]), &options()).unwrap_err();
        assert_says(&problem, &parts);
    }
    // In a column that is not read it does not matter.
    let rows = row(
        1,
        &["customer_id", "order_id", "occurred_at", "revenue", "note"],
    ) + &row(2, &["c", "o", "d:41318", "n:5", "e:#REF!"]);
    assert_eq!(
        read("f.xlsx", &workbook(&[("S", &rows)], false), &options())
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn the_header_is_found_below_titles_and_beside_empty_columns_and_hidden_rows_are_read() {
    let rows = row(3, &["", "Sales of the shop"])
        + &row(
            6,
            &["", "customer_id", "order_id", "occurred_at", "revenue"],
        )
        + &row(7, &["", "c1", "o1", "d:41318", "n:5", "", "beside"])
        + "<row r=\"8\"/>"
        + &row(9, &["", "c2", "o2", "d:41318", "n:6"]).replace("<row ", "<row hidden=\"1\" ");
    let (rows, notes) = read_with_notes(
        &file("f.xlsx", &workbook(&[("S", &rows)], false)),
        &options(),
    )
    .unwrap();
    assert_eq!(
        rows,
        [
            "7 c1 o1 2013-02-13T12:00:00.000Z 5",
            "9 c2 o2 2013-02-13T12:00:00.000Z 6"
        ]
    );
    assert_says(
        &notes,
        &["title: rows 1 to 3", "cells: 1 values right of the header"],
    );
}

#[test]
fn the_sheet_is_the_first_one_or_the_one_that_is_asked_for() {
    let of = |customer: &str| row(1, &HEADER) + &row(2, &[customer, "o", "d:41318", "n:5"]);
    let (first, second) = (of("first"), of("second"));
    let bytes = workbook(
        &[("January", &first), ("February", &second), ("Empty", "")],
        false,
    );
    let with = |sheet: Option<&str>| Options {
        sheet: sheet.map(str::to_owned),
        ..options()
    };
    let file = file("f.xlsx", &bytes);
    let (rows, notes) = read_with_notes(&file, &with(None)).unwrap();
    assert_says(&rows[0], &["first"]);
    assert_says(&notes, &["\"January\", of 3 sheets", "February"]);
    assert_says(
        &read_with_notes(&file, &with(Some("February"))).unwrap().0[0],
        &["second"],
    );
    assert_says(
        &read_with_notes(&file, &with(Some("february"))).unwrap_err(),
        &["no sheet \"february\"", "January, February, Empty"],
    );
    assert_says(
        &read_with_notes(&file, &with(Some("Empty"))).unwrap_err(),
        &["has no rows"],
    );
}

#[test]
fn a_sheet_of_one_column_is_no_title_with_nothing_below() {
    for count in [1, 3, 40] {
        let rows: String = (2..2 + count)
            .map(|number| row(number, &[&format!("c{number}")]))
            .collect();
        let file = file(
            "f.xlsx",
            &workbook(&[("S", &(row(1, &["customer_id"]) + &rows))], false),
        );
        let rows = segstream::dataset::Rows::open(&file.path, &options()).unwrap();
        assert!(rows.has("customer_id"));
        assert_eq!(rows.row_count(), u64::from(count));
    }
}

/// A cell in the last corner made the whole sheet of 17 thousand million cells; a count of strings made room for as many as it said.
#[test]
fn a_workbook_takes_no_more_memory_than_it_has_cells() {
    let rows = row(1, &HEADER)
        + &row(2, &["c", "o", "d:41318", "n:5"])
        + "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>";
    let (rows, notes) = read_with_notes(
        &file("f.xlsx", &workbook(&[("S", &rows)], false)),
        &options(),
    )
    .unwrap();
    assert_eq!(rows.len(), 1);
    assert_says(&notes, &["cells: 1 values"]);
    let strings = b"<sst uniqueCount=\"9000000000000000000\"></sst>";
    let problem = read(
        "f.xlsx",
        &archive(&[("xl/workbook.xml", b""), ("xl/sharedStrings.xml", strings)]),
        &options(),
    );
    assert_says(&problem.unwrap_err(), &["xl/sharedStrings.xml", "damaged"]);
}

#[test]
fn archives_that_are_no_workbook_say_what_they_are() {
    let good = book(&[&["c", "o", "d:41318", "n:5"]]);
    let half = good[..good.len() / 2].to_vec();
    for (bytes, parts) in [
        (
            archive(&[("orders.csv", b"a,b\n1,2\n")]),
            vec!["ZIP archive", "unpack"],
        ),
        (
            archive(&[("mimetype", b"x"), ("content.xml", b"<x/>")]),
            vec!["OpenDocument", "save it as .xlsx"],
        ),
        (archive(&[("xl/workbook.bin", b"x")]), vec![".xlsb"]),
        (archive(&[("xl/workbook.xml", b"x")]), vec!["workbook"]),
        (half, vec!["damaged", "cut off"]),
    ] {
        assert_says(&read("f.xlsx", &bytes, &options()).unwrap_err(), &parts);
    }
}
