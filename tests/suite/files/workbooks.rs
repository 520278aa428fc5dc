//! Workbooks: cells are what the sheet shows, and lines are its rows.

use super::Options;
use super::assert_says;
use super::file;
use super::in_zone;
use super::options;
use super::read;
use super::read_with_notes;
use super::workbook::archive;
use super::workbook::long_archive;
use super::workbook::row;
use super::workbook::workbook;
use super::workbook::workbook_of;

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
        (
            vec!["f:", "o", "d:41318", "n:5"],
            vec!["line 2", "customer_id", "=SUM(A1)", "computed", "save it"],
        ),
        (
            vec!["c", "o", "d:41318", "n:5", "f:"],
            vec!["line 2", "category", "computed"],
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
    // As many bytes as a row may have, and one more.
    let category = "x".repeat((1 << 20) - 100);
    let row_of = |customer: &str| book(&[&[customer, "o", "d:41318", "n:5", &category]]);
    let whole = read("f.xlsx", &row_of("cccc"), &options()).unwrap();
    assert_eq!(
        whole[0].len(),
        "2 cccc o 2013-02-13T12:00:00.000Z 5 ".len() + category.len()
    );
    assert_says(
        &read("f.xlsx", &row_of(&"c".repeat(200)), &options()).unwrap_err(),
        &["line 2", "more than the 1048576 bytes"],
    );
    // A formula may give no text, and a cell may have a form and nothing in it.
    for cell in ["s:", "-"] {
        let bytes = book(&[&[cell, "o", "d:41318", "n:5"]]);
        assert_eq!(
            read("f.xlsx", &bytes, &options()).unwrap(),
            ["2 - o 2013-02-13T12:00:00.000Z 5"]
        );
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
        &[
            "title: rows 1 to 5",
            "cells: 1 value right of the header was left out",
        ],
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
        &[
            "has no sheet \"february\"",
            "did you mean \"February\"",
            "January, February, Empty",
        ],
    );
    assert_says(
        &read_with_notes(&file, &with(Some("Empty"))).unwrap_err(),
        &["sheet \"Empty\"", "has no rows"],
    );
}

#[test]
fn messages_name_the_sheet_and_the_others_and_hidden_and_empty_ones_are_not_taken() {
    let orders = row(1, &HEADER) + &row(2, &["c", "o", "d:41318", "n:5"]);
    let bad = row(1, &HEADER) + &row(2, &["c", "o", "d:41318", "n:5", "e:#REF!"]);
    let title = row(1, &["Sales report"]) + &row(2, &["n:2013"]);
    for (sheets, expected) in [
        (
            vec![("Cover", ""), ("Data", &orders)],
            Ok("of 2 sheets: Cover, Data"),
        ),
        (
            vec![("hidden 1", &bad), ("Data", &orders)],
            Ok("\"Data\", of 2 sheets: hidden 1, Data"),
        ),
        (vec![("hidden 1", &orders)], Ok("sheet: \"hidden 1\"")),
        (
            vec![("Cover", &title), ("Data", &orders)],
            Err(vec![
                "sheet \"Cover\"",
                "no column \"customer_id\"",
                "it has Sales report",
                "--sheet",
                "\"Data\"",
            ]),
        ),
        (
            vec![("One", &bad), ("Two", &orders)],
            Err(vec!["f.xlsx, sheet \"One\", line 2", "#REF!"]),
        ),
        (vec![("One", ""), ("Two", "")], Err(vec!["has no rows"])),
    ] as [(Vec<(&str, &str)>, Result<&str, Vec<&str>>); 6]
    {
        let bytes = workbook(&sheets, false);
        match (
            read_with_notes(&file("f.xlsx", &bytes), &options()),
            expected,
        ) {
            (Ok((rows, notes)), Ok(part)) => {
                assert_eq!(rows, ["2 c o 2013-02-13T12:00:00.000Z 5"]);
                assert_says(&notes, &[part]);
            }
            (Err(problem), Err(parts)) => assert_says(&problem, &parts),
            (read, expected) => panic!("{read:?} and not {expected:?}"),
        }
    }
}

/// Days and times of the day: 0.351388888888 of a day is 8:26.
#[test]
fn a_time_of_a_workbook_may_stand_in_two_columns() {
    let header = ["customer_id", "order_id", "Day", "Time", "revenue"];
    let rows = row(1, &header)
        + &row(2, &["c", "o1", "d:41318", "t:0.351388888888889", "n:5"])
        + &row(3, &["c", "o2", "d:41319", "", "n:5"]);
    let bytes = workbook(&[("S", &rows)], false);
    for (call, expected, note) in [
        (
            "occurred_at=Day+Time",
            ["2013-02-13T08:26:00.000Z", "2013-02-14T12:00:00.000Z"],
            "sheet",
        ),
        (
            "occurred_at=Day",
            ["2013-02-13T12:00:00.000Z", "2013-02-14T12:00:00.000Z"],
            "times: Time has times of the day",
        ),
    ] {
        let (rows, notes) =
            read_with_notes(&file("f.xlsx", &bytes), &super::with_columns(call)).unwrap();
        assert_eq!(super::part(&rows, 3), expected);
        assert_says(&notes, &[note]);
    }
    // Without a format of times, or with [h]:mm, a time is a number: the part of the day.
    let joined = super::with_columns("occurred_at=Day+Time");
    let of = |day: &str, time: &str| {
        let rows = row(1, &header) + &row(2, &["c", "o1", day, time, "n:5"]);
        workbook(&[("S", &rows)], false)
    };
    for (day, time, expected) in [
        ("d:41318", "n:0.25", "2013-02-13T06:00:00.000Z"),
        ("d:41318", "n:0.5", "2013-02-13T12:00:00.000Z"),
        ("d:41318", "n:0.351388888888889", "2013-02-13T08:26:00.000Z"),
        ("d:41318", "n:0", "2013-02-13T00:00:00.000Z"),
        ("2013-02-13", "n:0.25", "2013-02-13T06:00:00.000Z"),
        ("n:20130213", "8:26", "2013-02-13T08:26:00.000Z"),
        ("n:20130213", "", "2013-02-13T12:00:00.000Z"),
    ] {
        let rows = read("f.xlsx", &of(day, time), &joined).unwrap();
        assert_eq!(super::part(&rows, 3), [expected], "{day} {time}");
    }
    for time in ["n:8.26", "n:1.25", "n:-0.25", "n:1"] {
        assert_says(
            &read("f.xlsx", &of("d:41318", time), &joined).unwrap_err(),
            &["line 2", "occurred_at", "is a number in the workbook"],
        );
    }
}

#[test]
fn a_workbook_with_long_numbers_in_its_directory_is_read() {
    let rows = row(1, &HEADER) + &row(2, &["c", "o", "d:41318", "n:5"]);
    let bytes = workbook_of(&[("S", &rows)], false, long_archive);
    assert_eq!(
        read("f.xlsx", &bytes, &options()).unwrap(),
        ["2 c o 2013-02-13T12:00:00.000Z 5"]
    );
    // Cut off, or with a number that points behind its end: that of the long end, or that of the directory in it.
    let end = bytes.len() - 22;
    assert_says(
        &read("f.xlsx", &bytes[..end - 1], &options()).unwrap_err(),
        &["damaged", "cut off"],
    );
    for place in [end - 12, end - 28] {
        for beyond in [u64::MAX, u64::MAX - 3, u64::MAX - 9, 1 << 62] {
            let mut bytes = bytes.clone();
            bytes[place..place + 8].copy_from_slice(&beyond.to_le_bytes());
            assert_says(
                &read("f.xlsx", &bytes, &options()).unwrap_err(),
                &["damaged", "cut off"],
            );
        }
    }
}

/// A header whose row is formatted to the right.
#[test]
fn empty_cells_behind_the_header_are_no_columns() {
    let cells = (5..16_384).map(|_| "<c s=\"1\"/>");
    let header = row(1, &HEADER).replace("</row>", &format!("{}</row>", cells.collect::<String>()));
    let rows: String = (2..1002)
        .map(|number| row(number, &["c", "o", "d:41318", "n:5"]))
        .collect();
    let bytes = workbook(&[("S", &(header + &rows))], false);
    let file = file("f.xlsx", &bytes);
    let rows = segstream::dataset::Rows::open(&file.path, &options()).unwrap();
    assert_eq!(rows.columns().count(), HEADER.len());
    assert_eq!(rows.row_count(), 1000);
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
    assert_says(&notes, &["cells: 1 value right"]);
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
