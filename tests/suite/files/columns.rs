//! The names of columns, and times that stand in two of them.

use segstream::dataset::Column;
use segstream::dataset::Kind;
use segstream::dataset::Others;
use segstream::dataset::Rows;

use super::assert_says;
use super::file;
use super::options;
use super::part;
use super::read;
use super::read_with_notes;
use super::refused;
use super::with_columns;

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
    for wrong in [
        "customer_id",
        "=x",
        "=",
        "a=,a=c",
        "a=b,a=c",
        "",
        " ",
        ",",
        "a=b\nc",
    ] {
        assert!(options().columns.add(wrong).is_err(), "{wrong}");
    }
    // A line may break between pairs.
    for text in ["a=b,c=d\ne=f", "a=b\nc=d,e=f\n", "a=b,\r\nc=d,\r\ne=f"] {
        let pairs = with_columns(text).columns.pairs;
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, column)| format!("{name}={column}"))
            .collect();
        assert_eq!(pairs, ["a=b", "c=d", "e=f"], "{text:?}");
    }
    // Of two attributes of one name one would be lost.
    let file = file("f.csv", b"customer_id,city,x,city\nc,Rome,1,Milan\n");
    for (others, is_refused) in [(Others::Read, true), (Others::Ignored, false)] {
        let mut rows = Rows::open(&file.path, &options()).unwrap();
        let read = rows.expect(&[Column::required("customer_id", Kind::Id)], others);
        assert_eq!(read.is_err(), is_refused, "{others:?}");
        if let Err(error) = read {
            assert_says(&error.to_string(), &["\"city\"", "more than once"]);
        }
    }
}

/// Tills write a column of days and one of times.
#[test]
fn a_time_may_stand_in_two_columns() {
    let text = "customer_id;order_id;Datum;Uhrzeit;revenue\nc;o1;13.02.2013;8:26;5\nc;o2;14.02.2013;;5\nc;o3;;9:00;5\n";
    let joined = with_columns("occurred_at=Datum+Uhrzeit");
    let (rows, notes) = read_with_notes(&file("f.csv", text.as_bytes()), &joined).unwrap();
    assert_eq!(
        part(&rows, 3),
        ["2013-02-13T08:26:00.000Z", "2013-02-14T12:00:00.000Z", "-"]
    );
    assert!(!notes.contains("times:"), "{notes}");
    let (_, notes) = read_with_notes(
        &file("f.csv", text.as_bytes()),
        &with_columns("occurred_at=Datum"),
    )
    .unwrap();
    assert_says(
        &notes,
        &[
            "times: Uhrzeit",
            "Datum (occurred_at)",
            "occurred_at=DATE+TIME",
        ],
    );
    // What is no time of the day is not one, and where times are there already no other is missed.
    for (from, to) in [
        ("8:26", "8.26"),
        ("13.02.2013", "13.02.2013 8:26"),
        ("9:00", "open"),
    ] {
        let text = text
            .replace(from, to)
            .replace("14.02.2013", "14.02.2013 8:26")
            .replace(";;9", ";14.02.2013 8:26;9");
        let (_, notes) = read_with_notes(
            &file("f.csv", text.as_bytes()),
            &with_columns("occurred_at=Datum"),
        )
        .unwrap();
        assert!(!notes.contains("times:"), "{notes}");
    }
    for (call, parts) in [
        (
            "customer_id=Datum+Uhrzeit",
            vec!["two columns make a time", "customer_id"],
        ),
        (
            "occurred_at=Datum+Zeit",
            vec!["no column \"Datum+Zeit\"", "Uhrzeit"],
        ),
    ] {
        assert_says(&refused(text.as_bytes(), &with_columns(call)), &parts);
    }
}
