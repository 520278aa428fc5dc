//! Times, ids, missing and long values.

use super::Options;
use super::assert_says;
use super::file;
use super::in_zone;
use super::of_amounts;
use super::of_times;
use super::options;
use super::part;
use super::read;
use super::read_with_notes;
use super::refused;

fn instants(times: &[&str], options: &Options) -> Result<Vec<String>, String> {
    let rows = read("orders.csv", of_times(times).as_bytes(), options)?;
    Ok(part(&rows, 3).into_iter().map(str::to_owned).collect())
}

/// The case naive-datetime, and its kind. London was an hour ahead of UTC on these days of 2011 and not in December 2010.
#[test]
fn local_times_are_of_the_business_zone() {
    let london = in_zone("Europe/London");
    for (text, expected) in [
        ("2011-10-06 16:20:00", "2011-10-06T15:20:00.000Z"),
        ("2011-10-06T16:20", "2011-10-06T15:20:00.000Z"),
        ("2011-10-06 16:20:00.250", "2011-10-06T15:20:00.250Z"),
        ("2011-10-06 16:20:00,250", "2011-10-06T15:20:00.250Z"),
        ("2011-10-06 04:20 PM", "2011-10-06T15:20:00.000Z"),
        ("2011-10-06 4.20 PM", "2011-10-06T15:20:00.000Z"),
        ("2011-10-06 16.20", "2011-10-06T15:20:00.000Z"),
        ("2011-10-06 16.20.30", "2011-10-06T15:20:30.000Z"),
        ("2011-10-06 16.20+02:00", "2011-10-06T14:20:00.000Z"),
        ("2011-10-06 16:20:00Z", "2011-10-06T16:20:00.000Z"),
        ("2011-10-06 16:20:00+00:00", "2011-10-06T16:20:00.000Z"),
        ("2011-10-06T16:20:00 -0500", "2011-10-06T21:20:00.000Z"),
        ("2011-10-06 16:20:00 UTC", "2011-10-06T16:20:00.000Z"),
        ("20111006", "2011-10-06T11:00:00.000Z"),
        ("2011/10/06", "2011-10-06T11:00:00.000Z"),
        ("06.10.2011 16:20", "2011-10-06T15:20:00.000Z"),
        ("6-Oct-11", "2011-10-06T11:00:00.000Z"),
        ("06-OCT-2011", "2011-10-06T11:00:00.000Z"),
        ("Oct 6, 2011 4:20 pm", "2011-10-06T15:20:00.000Z"),
        ("31/12/2010 8:26", "2010-12-31T08:26:00.000Z"),
        ("12/31/2010 12:00 AM", "2010-12-31T00:00:00.000Z"),
        // POSIX: 69 to 99 are of the last century.
        ("31/12/68", "2068-12-31T12:00:00.000Z"),
        ("31/12/69", "1969-12-31T11:00:00.000Z"),
        // The hour that is skipped: jiff's "compatible" goes on by its length. The one that comes twice: the first.
        ("2011-03-27 01:30", "2011-03-27T01:30:00.000Z"),
        ("2011-10-30 01:30", "2011-10-30T00:30:00.000Z"),
    ] {
        assert_eq!(instants(&[text], &london).unwrap(), [expected], "{text}");
    }
}

#[test]
fn what_is_no_time_is_refused_with_line_and_value() {
    for text in [
        "2011-02-29",
        "2011-13-01",
        "32/13/2011",
        "2011-10-06 25:00",
        "2011-10-06 16:20 XX",
        "2011-10-06 16",
        "2011-10-06 10:30.45",
        "2011-10-06 10.5",
        "2011-10-06 10.30:45",
        "13:20",
        "yesterday",
        "2011-10",
        "0",
        "1381104000",
        "6/10/111",
        "2011-10-06 13:20 PM",
        "2011-10-06 10:61",
        "2011-10-06 10:30 +:0:2:00",
        "2011-10-06 10:30 +0:200",
        "2011-10-06 10:30 +19:00",
        "99/12/31",
        "99/99/99",
    ] {
        assert_says(
            &refused(of_times(&[text]).as_bytes(), &options()),
            &["line 2", "occurred_at", text, "2013-09-04"],
        );
    }
    for (text, more) in [
        ("9999-12-31", "to 9999-12-30T22:00:00Z"),
        ("1381104000", "--date-format %s"),
        ("1381104000000", "milliseconds"),
        ("4 Dez 2013", "--date-format says how"),
    ] {
        assert_says(
            &refused(of_times(&[text]).as_bytes(), &options()),
            &["line 2", text, more],
        );
    }
    // The number that a spreadsheet keeps for 2013-01-01.
    assert_says(
        &refused(of_times(&["41275"]).as_bytes(), &options()),
        &["line 2", "41275", "spreadsheet"],
    );
    assert_says(
        &refused(of_times(&["41275.5"]).as_bytes(), &options()),
        &["spreadsheet"],
    );
}

/// The case us-dates, and its kind.
#[test]
fn dates_that_can_be_read_in_two_ways_are_settled_by_their_column_or_refused() {
    let us = "customer_id,order_id,occurred_at,revenue\nc1,o1,1/2/2013,10\nc1,o2,2/3/2013,20\nc2,o3,3/4/2013,5\n";
    assert_says(
        &refused(us.as_bytes(), &options()),
        &["line 2", "1/2/2013", "--date-format", "%m/%d/%Y"],
    );
    for (times, expected) in [
        (vec!["1/2/2013", "2/13/2013"], "2013-01-02"),
        (vec!["1/2/2013", "13/2/2013"], "2013-02-01"),
        // Of two digits the last number may be a day, unless a row shows that it is none.
        (vec!["1-2-13", "13-2-68 10:00"], "2013-02-01"),
        (vec!["13/10/06", "31/12/99"], "2006-10-13"),
        (vec!["3/4/06", "4/13/06"], "2006-03-04"),
        (vec!["06/06/06"], "2006-06-06"),
        (vec!["05/05/68"], "2068-05-05"),
        (vec!["05/05/2013", "06/06/2013"], "2013-05-05"),
        (vec!["1.2.2013", "2.3.2013"], "2013-02-01"),
        // A missing value and an instant settle nothing and do not disturb.
        (
            vec!["1/2/2013", "NULL", "2013-01-01T00:00:00Z", "12/25/2013"],
            "2013-01-02",
        ),
    ] {
        let found = instants(&times, &options()).unwrap();
        assert!(found[0].starts_with(expected), "{times:?}: {found:?}");
    }
    let both = of_times(&["1/2/2013", "13/2/2013", "2/14/2013"]);
    assert_says(
        &refused(both.as_bytes(), &options()),
        &[
            "\"13/2/2013\" in line 3",
            "\"2/14/2013\" in line 4",
            "with --date-format, such as %d/%m/%Y, all rows are read that way",
        ],
    );
    for times in [
        vec!["13/10/06"],
        vec!["13/11/25", "14/01/31"],
        vec!["05/05/06"],
        vec!["1-2-13", "13-2-13 10:00"],
    ] {
        assert_says(
            &refused(of_times(&times).as_bytes(), &options()),
            &["line 2", times[0], "%y/%m/%d", "%d/%m/%Y"],
        );
    }
    let with = |format: &str| Options {
        date_format: Some(format.to_owned()),
        ..options()
    };
    for (format, text, expected) in [
        ("%m/%d/%Y", "1/2/2013", "2013-01-02T12:00:00.000Z"),
        (
            "%d/%m/%Y %H:%M",
            "1/2/2013 8:26",
            "2013-02-01T08:26:00.000Z",
        ),
        ("%y/%m/%d", "13/02/01", "2013-02-01T12:00:00.000Z"),
        ("%s", "1381104000", "2013-10-07T00:00:00.000Z"),
        (
            "%d.%m.%Y %I:%M %p",
            "01.02.2013 08:26 PM",
            "2013-02-01T20:26:00.000Z",
        ),
        (
            "%Y-%m-%dT%H:%M:%S%:z",
            "2013-02-01T08:26:00+02:00",
            "2013-02-01T06:26:00.000Z",
        ),
        (
            "%Y-%m-%d %H:%M %Q",
            "2013-07-01 08:26 Europe/Berlin",
            "2013-07-01T06:26:00.000Z",
        ),
    ] {
        assert_eq!(
            segstream::dataset::check_date_format(format),
            Ok(()),
            "{format}"
        );
        assert_eq!(
            instants(&[text], &with(format)).unwrap(),
            [expected],
            "{format}"
        );
    }
    for (format, problem) in [
        ("%d/%m/%Y %I:%M", "%p must say"),
        ("%d/%m/%Y %l", "%p must say"),
        ("%d/%m/%Y %M", "a part of a time"),
        ("%d/%m/%Y %H %S", "a part of a time"),
        ("%d/%m/%Y %p", "no hour"),
        ("%d/%m", "year, month and day"),
    ] {
        let refused = segstream::dataset::check_date_format(format).unwrap_err();
        assert_says(&refused, &[format, problem]);
    }
    assert_says(
        &refused(of_times(&["2013-02-01"]).as_bytes(), &with("%m/%d/%Y")),
        &["line 2", "2013-02-01", "--date-format", "%m/%d/%Y"],
    );
}

/// A message shows the beginning of a value, however long it is.
#[test]
fn a_long_value_is_not_shown_whole() {
    let long = "x".repeat(50_000);
    let days = |year: &str| format!("1/2/{year}{}", " ".repeat(300) + &long);
    for text in [
        of_amounts(&[&long]),
        of_times(&[&long]),
        of_times(&[&days("2013")]),
        of_ids(&[&format!("{}E+12", "1".repeat(50_000))]),
        of_amounts(&[&format!("1,5{}", "0".repeat(50_000)), "1.5"]),
    ] {
        let problem = refused(text.as_bytes(), &options());
        assert!(problem.len() < 1000, "{} bytes", problem.len());
        assert_says(&problem, &["..."]);
    }
}

fn of_ids(ids: &[&str]) -> String {
    let rows = (1..)
        .zip(ids)
        .map(|(order, id)| format!("{id},o{order},2013-02-13,5\n"));
    format!(
        "customer_id,order_id,occurred_at,revenue\n{}",
        rows.collect::<String>()
    )
}

#[test]
fn ids_that_a_spreadsheet_has_made_numbers_are_ids_again_and_it_is_said() {
    for (ids, expected, note) in [
        (
            vec!["17850.0", "13047.0", ""],
            vec!["17850", "13047", "-"],
            "read as 17850",
        ),
        (
            vec!["17850", "13047.0", "NaN"],
            vec!["17850", "13047", "-"],
            "read as 13047",
        ),
        // Whatever stands beside it, as the next file has other ids.
        (vec!["1.0", "1.1"], vec!["1", "1.1"], "read as 1"),
        (
            vec!["C12", "17850.0", "C17850", "A.0"],
            vec!["C12", "17850", "C17850", "A.0"],
            "read as 17850",
        ),
        (vec!["007", "1E5", "1e+3a"], vec!["007", "1E5", "1e+3a"], ""),
        (vec!["123456789012345678"], vec!["123456789012345678"], ""),
    ] {
        let (rows, notes) =
            read_with_notes(&file("f.csv", of_ids(&ids).as_bytes()), &options()).unwrap();
        assert_eq!(part(&rows, 1), expected, "{ids:?}");
        assert_says(&notes, &[note]);
    }
    for id in [
        "1.23457E+12",
        "1,23457E+12",
        // R writes 100000 so, and pandas ids of 19 digits.
        "1e+05",
        "1.2345678901234568e+18",
    ] {
        let text = of_ids(&[id]).replacen(id, &format!("\"{id}\""), 1);
        assert_says(
            &refused(text.as_bytes(), &options()),
            &["line 2", "customer_id", id, "15 digits"],
        );
    }
}

#[test]
fn what_programs_write_for_no_value_is_missing_and_names_are_not() {
    for missing in [
        "", " ", "NULL", "null", "NaN", "nan", "None", "\\N", "<NA>", "NaT", "NA", "N/A", "n/a",
        "#N/A",
    ] {
        let rows = read("f.csv", of_ids(&[missing]).as_bytes(), &options()).unwrap();
        assert_eq!(part(&rows, 1), ["-"], "{missing:?}");
    }
    // Namibia; a surname is not quite a word of SQL.
    let text = "customer_id,order_id,occurred_at,revenue,category\nNullmann,o1,2013-02-13,5,NA\nnobody,o2,2013-02-13,5,None\n";
    let rows = read("f.csv", text.as_bytes(), &options()).unwrap();
    assert_eq!(
        rows,
        [
            "2 Nullmann o1 2013-02-13T12:00:00.000Z 5 NA",
            "3 nobody o2 2013-02-13T12:00:00.000Z 5"
        ]
    );
    for broken in ["#REF!", "#DIV/0!", "#NAME?"] {
        assert_says(
            &refused(of_ids(&[broken]).as_bytes(), &options()),
            &["line 2", "customer_id", broken],
        );
    }
}
