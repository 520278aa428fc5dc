//! Times, amounts, ids, missing values and the names of columns.

use segstream::dataset::DecimalSign;
use segstream::domain::money::Currency;

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
use super::with_columns;

fn instants(times: &[&str], options: &Options) -> Result<Vec<String>, String> {
    let rows = read("orders.csv", of_times(times).as_bytes(), options)?;
    Ok(part(&rows, 3).into_iter().map(str::to_owned).collect())
}

fn amounts(amounts: &[&str], options: &Options) -> Result<Vec<String>, String> {
    let rows = read("orders.csv", of_amounts(amounts).as_bytes(), options)?;
    Ok(rows
        .iter()
        .map(|row| row.split(' ').skip(4).collect::<Vec<_>>().join(" "))
        .collect())
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
        "99/99/99",
    ] {
        assert_says(
            &refused(of_times(&[text]).as_bytes(), &options()),
            &["line 2", "occurred_at", text, "2013-09-04"],
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
        (vec!["1-2-13", "13-2-13 10:00"], "2013-02-01"),
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
        &["\"13/2/2013\" in line 3", "\"2/14/2013\" in line 4"],
    );
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
    assert_says(
        &refused(of_times(&["2013-02-01"]).as_bytes(), &with("%m/%d/%Y")),
        &["line 2", "2013-02-01", "--date-format", "%m/%d/%Y"],
    );
}

#[test]
fn amounts_are_read_in_every_form_that_exports_have() {
    for (texts, expected) in [
        (vec!["1,234.50", "7"], vec!["1234.50", "7"]),
        (vec!["1.234,50", "1.234"], vec!["1234.50", "1234"]),
        (vec!["1,234", "0.5"], vec!["1234", "0.5"]),
        (vec!["1,234", "2,5"], vec!["1.234", "2.5"]),
        (
            vec!["1 234,50", "1\u{a0}234,5", "1\u{202f}234"],
            vec!["1234.50", "1234.5", "1234"],
        ),
        (vec!["1'234.50"], vec!["1234.50"]),
        (vec!["1,234,567"], vec!["1234567"]),
        (
            vec!["(12.50)", "-12.50", "12.50-", "\u{2212}12.50"],
            vec!["-12.50"; 4],
        ),
        (
            vec![
                "$ (5.00)",
                "$1,234.50",
                "-$5.00",
                "($5.00)",
                "USD 12.50",
                "12.50 USD",
            ],
            vec![
                "-5.00 USD",
                "1234.50 USD",
                "-5.00 USD",
                "-5.00 USD",
                "12.50 USD",
                "12.50 USD",
            ],
        ),
        (
            vec!["12,50 \u{20ac}", "EUR 1.234,00"],
            vec!["12.50 EUR", "1234.00 EUR"],
        ),
        (vec!["\u{a3}5", "\u{a3}5.5"], vec!["5 GBP", "5.5 GBP"]),
        (vec![".5", "1e3"], vec!["0.5", "1e3"]),
        (vec!["NULL", "", "N/A", "-5.5"], vec!["-", "-", "-", "-5.5"]),
    ] {
        assert_eq!(amounts(&texts, &options()).unwrap(), expected, "{texts:?}");
    }
}

#[test]
fn amounts_that_are_wrong_or_can_be_read_in_two_ways_are_refused() {
    let asked = |sign: DecimalSign| Options {
        decimal: Some(sign),
        ..options()
    };
    let in_euros = Options {
        currency: Currency::parse("EUR"),
        ..options()
    };
    for (texts, options, parts) in [
        (
            vec!["1,234", "2,345"],
            options(),
            vec!["line 2", "1,234", "--decimal"],
        ),
        (
            vec!["1.234"],
            options(),
            vec!["line 2", "1.234", "--decimal"],
        ),
        (
            vec!["1,5", "1.5"],
            options(),
            vec!["\"1,5\" in line 2", "\"1.5\" in line 3"],
        ),
        (
            vec!["1,5"],
            asked(DecimalSign::Point),
            vec!["line 2", "1,5", "1234.50"],
        ),
        (
            vec!["1.5"],
            asked(DecimalSign::Comma),
            vec!["line 2", "1.5", "decimal comma"],
        ),
        (vec!["1,23,4.5"], options(), vec!["line 2"]),
        (vec!["12 34"], options(), vec!["line 2"]),
        (vec!["--5"], options(), vec!["line 2"]),
        (vec!["12%"], options(), vec!["line 2"]),
        (vec!["twelve"], options(), vec!["line 2", "twelve"]),
        (vec!["1e999"], options(), vec!["line 2"]),
        (
            vec!["1234567890.123456789"],
            options(),
            vec!["line 2", "18 digits"],
        ),
        (vec!["$5"], in_euros.clone(), vec!["line 2", "$5", "EUR"]),
        (vec!["USD 5"], in_euros, vec!["USD 5", "EUR"]),
        (vec!["\u{a5}500"], options(), vec!["--currency", "JPY, CNY"]),
    ] {
        println!("{texts:?}");
        assert_says(&refused(of_amounts(&texts).as_bytes(), &options), &parts);
    }
    assert_eq!(
        amounts(&["1,234"], &asked(DecimalSign::Point)).unwrap(),
        ["1234"]
    );
    assert_eq!(
        amounts(&["1,234"], &asked(DecimalSign::Comma)).unwrap(),
        ["1.234"]
    );
    let yen = Options {
        currency: Currency::parse("JPY"),
        ..options()
    };
    assert_eq!(amounts(&["\u{a5}500"], &yen).unwrap(), ["500 JPY"]);
}

#[test]
fn a_sign_that_contradicts_the_currency_of_its_row_is_refused() {
    let text = "customer_id;order_id;occurred_at;revenue;currency\nc;o1;2013-02-13;$5;CAD\nc;o2;2013-02-13;\u{20ac}5;USD\n";
    assert_says(
        &refused(text.as_bytes(), &options()),
        &["line 3", "\u{20ac}5", "USD"],
    );
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
        // Ids of programs have what they have.
        (vec!["1.0", "1.1"], vec!["1.0", "1.1"], "kept as they are"),
        (
            vec!["17850.0", "C17850"],
            vec!["17850.0", "C17850"],
            "kept as they are",
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

#[test]
fn columns_have_the_names_of_the_call_and_what_is_missing_comes_with_a_guess() {
    let uci = "InvoiceNo,CustomerID,InvoiceDate,Total\n1,2,2013-02-13,5\n";
    let call = "customer_id=CustomerID,order_id=InvoiceNo,occurred_at=InvoiceDate,revenue=Total";
    assert_eq!(
        read("f.csv", uci.as_bytes(), &with_columns(call)).unwrap(),
        ["2 2 1 2013-02-13T12:00:00.000Z 5"]
    );
    let problem = refused(uci.as_bytes(), &options());
    assert_says(
        &problem,
        &[
            "no column \"customer_id\"",
            "InvoiceNo, CustomerID, InvoiceDate, Total",
            "--columns",
            call,
        ],
    );
    // A name that differs in letters or spaces only.
    let spaced = "Customer ID;Order ID;Occurred At;REVENUE\n1;2;2013-02-13;5\n";
    assert_says(
        &refused(spaced.as_bytes(), &options()),
        &["customer_id=Customer ID,order_id=Order ID,occurred_at=Occurred At,revenue=REVENUE"],
    );
    for (call, parts) in [
        ("custmer_id=CustomerID", vec!["custmer_id", "customer_id"]),
        ("customer_id=CustomerId", vec!["CustomerId", "CustomerID"]),
    ] {
        assert_says(&refused(uci.as_bytes(), &with_columns(call)), &parts);
    }
    // The column of the call comes before one of the same name.
    let both = "customer_id,order_id,occurred_at,revenue,net\nc,o,2013-02-13,5,4\n";
    assert_eq!(
        part(
            &read("f.csv", both.as_bytes(), &with_columns("revenue=net")).unwrap(),
            4
        ),
        ["4"]
    );
    let twice = "customer_id,order_id,occurred_at,revenue,revenue\nc,o,2013-02-13,5,6\n";
    assert_says(
        &refused(twice.as_bytes(), &options()),
        &["revenue", "more than once"],
    );
    let unused = twice
        .replace("revenue,revenue", "revenue,x,x")
        .replace("5,6", "5,6,7");
    assert_eq!(
        part(&read("f.csv", unused.as_bytes(), &options()).unwrap(), 4),
        ["5"]
    );
    for wrong in ["customer_id", "=x", "=", "a=b,a=c", "a=,a=c"] {
        assert!(options().columns.add(wrong).is_err(), "{wrong}");
    }
}
