//! Files of orders and of lines of orders through `replay` and `churn fit`: what becomes of each row.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::support::replaying::Replayed;
use crate::support::replaying::exported;
use crate::support::replaying::program;
use crate::support::replaying::replay;

const ORDERS: &[&str] = &["--format", "orders"];
const LINES: &[&str] = &["--format", "orders", "--lines", "sum"];
const ROW_IDS: &[&str] = &["--format", "orders", "--order-id", "row"];

struct Shop {
    root: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Replays a file with this content.
    fn replay(&self, text: &str, arguments: &[&str]) -> Replayed {
        replay(self.path(), &self.file("file.csv", text), arguments)
    }

    fn customers(&self) -> std::collections::BTreeMap<String, Value> {
        exported(self.path(), &[])
    }
}

/// Orders and spending of each customer, as `id orders spending`.
fn spending(shop: &Shop) -> Vec<String> {
    let customers = shop.customers();
    let customers = customers.iter().map(|(id, customer)| {
        let spending = customer["total_spending"].as_str().unwrap();
        format!("{id} {} {spending}", customer["orders"])
    });
    customers.collect()
}

/// By hand: the file, the call, and what each customer has then.
#[test]
fn lines_of_an_order_add_up() {
    for (what, text, spent) in [
        (
            "two lines of one day",
            "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-08,261.96\nc1,o1,2018-11-08,731.94\n",
            vec!["c1 1 993.90"],
        ),
        (
            "lines far apart in the file, over midnight, the earliest last",
            "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-09T00:01:00Z,1\nc2,o2,2018-11-08,7\n\
             c1,o3,2018-11-10,2\nc1,o1,2018-11-08T23:59:00Z,4\n",
            vec!["c1 2 7.00", "c2 1 7.00"],
        ),
        (
            "three lines of half a cent are rounded once",
            "customer_id,order_id,occurred_at,quantity,price\nc1,o1,2018-11-08,1,0.005\nc1,o1,2018-11-08,1,0.005\n\
             c1,o1,2018-11-08,0.5,0.01\n",
            vec!["c1 1 0.02"],
        ),
        (
            "a quantity of zero, a fraction of a quantity, and a line that is taken back",
            "customer_id,order_id,occurred_at,quantity,price\nc1,o1,2018-11-08,0,9.99\nc1,o2,2018-11-08,0.333,2.99\n\
             c2,o3,2018-11-08,3,5\nc2,o3,2018-11-08,-1,5\n",
            vec!["c1 2 1.00", "c2 1 10.00"],
        ),
        (
            "exactly zero is an order",
            "customer_id,order_id,occurred_at,quantity,price\nc1,o1,2018-11-08,3,0.1\nc1,o1,2018-11-08,-1,0.3\n",
            vec!["c1 1 0.00"],
        ),
        (
            "equal lines are two of a thing",
            "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-08,3\nc1,o1,2018-11-08,3\n",
            vec!["c1 1 6.00"],
        ),
        (
            "the order id of another customer is another order",
            "customer_id,order_id,occurred_at,revenue\nc1,1,2018-11-08,3\nc2,1,2018-11-08,4\nc1,1,2018-11-08,5\n",
            vec!["c1 1 8.00", "c2 1 4.00"],
        ),
    ] {
        let shop = Shop::new();
        let replayed = shop.replay(text, LINES);
        assert_eq!(replayed.code, 0, "{what}: {}", replayed.said());
        assert_eq!(spending(&shop), spent, "{what}");
        let rows = text.lines().count() as u64 - 1;
        assert_eq!(replayed.file("rows"), rows, "{what}");
        // The same file once more changes nothing.
        let again = shop.replay(text, LINES);
        assert_eq!(again.verdict("applied"), 0, "{what}: {}", again.said());
        assert_eq!(spending(&shop), spent, "{what}");
    }
}

#[test]
fn the_time_of_an_order_is_that_of_its_earliest_line_and_its_categories_are_summed() {
    let shop = Shop::new();
    let text = "customer_id,order_id,occurred_at,quantity,price,category,discount\n\
                c1,o1,2018-11-09T00:01:00Z,2,4,wine,1\nc1,o1,2018-11-08T23:59:00Z,1,1.5,bread,\n\
                c1,o1,2018-11-08T23:59:30Z,1,2,wine,0.5\n";
    let replayed = shop.replay(text, LINES);
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    let customer = &shop.customers()["c1"];
    assert_eq!(customer["first_purchase_at"], "2018-11-08T23:59:00.000Z");
    assert_eq!(customer["last_purchase_at"], "2018-11-08T23:59:00.000Z");
    // 2 x 4 + 2 and 1.5.
    assert_eq!(
        customer["spend_by_category"],
        json!({"bread": "1.50", "wine": "10.00"})
    );
    assert_eq!(customer["total_spending"], "11.50");
    assert_eq!(customer["deal_purchases"], 1);
}

/// The file, the call, the lines that are rejected, what is said, and what the customers have from the rest.
#[test]
fn an_order_that_contradicts_itself_is_rejected_with_its_lines_and_the_rest_is_taken() {
    let header = "customer_id,order_id,occurred_at,revenue,currency";
    for (rows, call, rejected, says, spent) in [
        (
            "c1,o1,2018-11-08,261.96,\nc1,o1,2018-11-08,731.94,\nc2,o2,2018-11-08,5,",
            ORDERS,
            2,
            vec!["line 2", "line 3", "--lines sum", "261.96", "731.94"],
            vec!["c2 1 5.00"],
        ),
        (
            "c1,o1,2018-11-08,5,\nc2,o2,2018-11-08,5,\nc1,o1,2018-11-09,5,",
            ORDERS,
            2,
            vec!["line 2", "line 4", "occurred_at", "--lines sum"],
            vec!["c2 1 5.00"],
        ),
        (
            "c1,o1,2018-11-08,5,USD\nc1,o1,2018-11-08,5,EUR\nc2,o2,2018-11-08,5,",
            ORDERS,
            2,
            vec!["currency", "USD", "EUR", "--lines sum"],
            vec!["c2 1 5.00"],
        ),
        (
            "c1,o1,2018-11-08,5,USD\nc2,o2,2018-11-08,5,\nc1,o1,2018-11-08,6,EUR",
            LINES,
            2,
            vec![
                "USD",
                "line 2",
                "EUR",
                "line 4",
                "\"currency\":{\"count\":2",
            ],
            vec!["c2 1 5.00"],
        ),
        (
            // The last line of the output names what is wrong, and not what is refused because of it.
            "c1,o1,2018-11-08,5,\nc1,o1,2018-11-08,five,\nc2,o2,2018-11-08,5,",
            LINES,
            2,
            vec![
                "five",
                "its line 3",
                "were taken; line 3: revenue: \"five\"",
            ],
            vec!["c2 1 5.00"],
        ),
        (
            "c1,o1,2018-11-08,5,\n,o1,2018-11-08,seven,\nc2,o2,2018-11-08,5,",
            LINES,
            2,
            vec!["\"seven\" is not", "\"o1\" has customer \"c1\" here"],
            vec!["c2 1 5.00"],
        ),
        (
            "c1,o1,2018-11-08,5,\nc1,o1,,5,\nc2,o2,2018-11-08,5,",
            LINES,
            2,
            vec!["occurred_at", "its line 3"],
            vec!["c2 1 5.00"],
        ),
        (
            "c1,o1,2018-11-08,5,\n,o1,2018-11-08,5,\nc2,o2,2018-11-08,5,",
            LINES,
            2,
            vec!["no customer", "line 3"],
            vec!["c2 1 5.00"],
        ),
        (
            // Whose the second line is, nobody knows.
            "c1,o1,2018-11-08,5,\n#REF!,o1,2018-11-08,7,\nc2,o2,2018-11-08,5,",
            LINES,
            2,
            vec!["customer_id: \"#REF!\"", "its line 3"],
            vec!["c2 1 5.00"],
        ),
        (
            "c1,o1,2018-11-08,5,\n0,o1,2018-11-08,7,\nc2,o2,2018-11-08,5,",
            LINES,
            2,
            vec!["no customer", "line 3"],
            vec!["c2 1 5.00"],
        ),
        (
            "c1,,2018-11-08,5,\nc2,o2,2018-11-08,5,",
            LINES,
            1,
            vec!["order_id", "it is missing"],
            vec!["c2 1 5.00"],
        ),
    ] {
        let shop = Shop::new();
        let text = format!("{header}\n{rows}\n");
        let mut call = call.to_vec();
        call.extend(["--set", "money.rates.EUR=1.1"]);
        let replayed = shop.replay(&text, &call);
        assert_eq!(replayed.code, 3, "{rows}: {}", replayed.said());
        assert_eq!(
            replayed.file("rejected_rows"),
            rejected,
            "{rows}: {}",
            replayed.said()
        );
        let said = replayed.said().replace("\\\"", "\"");
        for text in says {
            assert!(said.contains(text), "{text:?} in {said}");
        }
        assert_eq!(spending(&shop), spent, "{rows}");
        assert_eq!(replayed.verdict("duplicate"), 0, "{rows}");
    }
}

#[test]
fn a_line_with_a_quantity_but_no_price_rejects_its_order() {
    let shop = Shop::new();
    let text = "customer_id,order_id,occurred_at,quantity,price\nc1,o1,2018-11-08,2,\nc1,o1,2018-11-08,2,3\nc1,o2,2018-11-08,2,3\n";
    let replayed = shop.replay(text, LINES);
    assert_eq!(replayed.code, 3, "{}", replayed.said());
    assert_eq!(replayed.file("rejected_rows"), 2);
    assert!(
        replayed.said().contains("price: it is missing"),
        "{}",
        replayed.said()
    );
    assert_eq!(spending(&shop), ["c1 1 6.00"]);
}

#[test]
fn equal_rows_of_one_order_are_one_order_and_counted() {
    let shop = Shop::new();
    let text = "customer_id,order_id,occurred_at,revenue,note\nc1,o1,2018-11-08,5,a\nc1,o1,2018-11-08,5,a\n,g1,2018-11-08,5,a\n,g1,2018-11-08,5,a\n";
    let replayed = shop.replay(text, ORDERS);
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    assert_eq!(replayed.file("repeated_rows"), 2);
    assert_eq!(replayed.file("orders"), 2);
    assert_eq!(
        (
            replayed.verdict("applied"),
            replayed.verdict("duplicate"),
            replayed.verdict("guest")
        ),
        (1, 1, 1)
    );
    // Values are compared, and not how they are written.
    let shop = Shop::new();
    let text = "customer_id,order_id,occurred_at,quantity,price,note,channel\nc1,o1,2018-11-08,1,6,a,web\n\
                c1,o1,2018-11-08T12:00:00Z,1.0,6.00,a,web\n";
    let replayed = shop.replay(text, ORDERS);
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    assert_eq!(
        (replayed.verdict("applied"), replayed.verdict("duplicate")),
        (1, 1)
    );
    // Columns may have one name, or that of a column that another one stands for. Of each row the column is named that differs.
    let note = "customer_id,order_id,occurred_at,revenue,note,note\nc1,o1,2018-11-08,5,X,A\n";
    for (text, flags, says) in [
        (
            format!("{note}c1,o1,2018-11-08,5,X,B\n"),
            vec![],
            vec!["(note: \"A\" and \"B\")", "(note: \"B\" and \"A\")"],
        ),
        (
            format!("{note}c1,o1,2018-11-08,5,A,X\n"),
            vec![],
            vec!["(note: \"X\" and \"A\")", "(note: \"A\" and \"X\")"],
        ),
        (
            format!("{note}c1,o1,2018-11-08,5,X,A\nc1,o1,2018-11-08,5,X,\n"),
            vec![],
            vec![
                "in line 3 and in line 4, which are not equal (note: \"A\" and \"\")",
                "in line 4 and in line 2, which are not equal (note: \"\" and \"A\")",
            ],
        ),
        (
            "customer_id,order_id,occurred_at,revenue,Net\nc1,o1,2018-11-08,6,5\nc1,o1,2018-11-08,7,5\n".to_owned(),
            vec!["--columns", "revenue=Net"],
            vec!["(revenue: \"6\" and \"7\")"],
        ),
        (
            "customer_id,order_id,occurred_at,quantity,price,zone\nc1,o1,2018-11-08,2,3.0,X\nc1,o1,2018-11-08,2,3,Y\n".to_owned(),
            vec![],
            vec!["(zone: \"X\" and \"Y\")"],
        ),
        (
            "customer_id,order_id,occurred_at,revenue,price\nc1,o1,2018-11-08,5,free\nc1,o1,2018-11-08,5,gift\n".to_owned(),
            vec![],
            vec!["(price: \"free\" and \"gift\")"],
        ),
    ] {
        let replayed = Shop::new().replay(&text, &[ORDERS, flags.as_slice()].concat());
        assert_eq!(replayed.code, 3, "{text}: {}", replayed.said());
        let said = replayed.said().replace("\\\"", "\"");
        for says in says {
            assert!(said.contains(says), "{says} in {said}");
        }
    }
    // What has no name is not compared, such as the number of the row.
    let nameless =
        "customer_id,order_id,occurred_at,revenue,\nc1,o1,2018-11-08,5,0\nc1,o1,2018-11-08,5,1\n";
    let replayed = Shop::new().replay(nameless, ORDERS);
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    let notes = replayed.summary["file"]["notes"].to_string();
    assert!(notes.contains("in every column that has a name"), "{notes}");
    // What differs may be another thing of the same price, and is named; the amounts would both count.
    for (from, to, says) in [
        ("6.00,a", "6.00,b", "(note: \"a\" and \"b\")"),
        ("1.0,6.00", "2,3", "(price: \"6\" and \"3\")"),
        (
            "a,web\nc1",
            "a,store\nc1",
            "(channel: \"store\" and \"web\")",
        ),
    ] {
        let shop = Shop::new();
        let replayed = shop.replay(&text.replacen(from, to, 1), ORDERS);
        assert_eq!(replayed.code, 3, "{to}: {}", replayed.said());
        assert_eq!(replayed.file("rejected_rows"), 2, "{to}");
        for says in [says, "--lines sum adds their amounts up (6 + 6)"] {
            let said = replayed.said().replace("\\\"", "\"");
            assert!(said.contains(says), "{says} in {said}");
        }
    }
}

/// A file in which lines contradict what they seem to be, and the note about it.
#[test]
fn what_lines_do_not_say_is_noted_with_what_to_do() {
    for (text, code, says) in [
        (
            "customer_id,order_id,occurred_at,revenue\n,0001,2013-01-02 10:00,5\n,0001,2013-03-02 10:00,7\n",
            0,
            "1 order has lines that are more than a day apart",
        ),
        (
            "customer_id,order_id,occurred_at,revenue\nc1,o1,2013-01-02,5\nc1,o1,2013-01-02,\n",
            3,
            "--lines sum --columns quantity=COLUMN,price=COLUMN",
        ),
    ] {
        let replayed = Shop::new().replay(text, LINES);
        assert_eq!(replayed.code, code, "{}", replayed.said());
        let notes = replayed.summary["file"]["notes"].to_string();
        assert!(notes.contains(says), "{says} in {notes}");
    }
}

/// By hand: three lines of one order in a currency without a rate.
#[test]
fn rejected_orders_count_as_their_rows_and_are_not_among_those_taken() {
    let text = "customer_id,order_id,occurred_at,revenue,currency\n\
                c1,o1,2018-11-08,5,GBP\nc1,o1,2018-11-08,5,GBP\nc1,o1,2018-11-08,6,GBP\n";
    for (more, max, code, others) in [
        (
            "",
            "2",
            3,
            "there are no others; --set money.base_currency=",
        ),
        ("c2,o2,2018-11-08,1,USD\n", "2", 3, "all others"),
        ("", "3", 0, ""),
    ] {
        for mode in ["--dry-run", "--json"] {
            let shop = Shop::new();
            let call = [
                LINES,
                &["--max-rejected", max, mode][..if mode == "--json" { 2 } else { 3 }],
            ]
            .concat();
            let replayed = shop.replay(&format!("{text}{more}"), &call);
            assert_eq!(replayed.code, code, "{more}{max}: {}", replayed.said());
            let taken = u64::from(!more.is_empty());
            assert_eq!(
                (
                    replayed.file("orders"),
                    replayed.file("customers"),
                    replayed.file("rejected_orders")
                ),
                (taken, taken, 1)
            );
            let errors = &replayed.errors;
            if code == 3 {
                assert!(
                    errors.contains("3 rows were rejected (unknown_currency 3)"),
                    "{errors}"
                );
                assert!(errors.contains(others), "{others}: {errors}");
            }
            if taken == 1 {
                let done = if mode == "--json" {
                    "were taken"
                } else {
                    "would be taken"
                };
                assert!(errors.contains(done), "{done}: {errors}");
            }
        }
    }
}

/// The header, the call, what the message says and what it does not say.
#[test]
fn a_missing_column_is_answered_with_what_may_be_meant() {
    let shopify = "Name,Email,Currency,Total,Created at,Lineitem quantity,Lineitem price,Id";
    for (header, call, says, never) in [
        (
            shopify,
            vec![],
            "--columns 'customer_id=Email,order_id=Name,occurred_at=Created at,quantity=Lineitem quantity,price=Lineitem \
             price,currency=Currency', and --lines sum",
            "=Id",
        ),
        (
            "id,order_id,occurred_at,revenue",
            vec![],
            "--columns NAME=COLUMN",
            "=id",
        ),
        (
            "customer_id,occurred_at,revenue",
            vec![],
            "--order-id row makes them",
            "Perhaps",
        ),
        (
            "customer_id,order_id,occurred_at,revenue",
            vec!["--columns", "quantity=revenue"],
            "has no column \"price\"",
            "Perhaps",
        ),
        (
            "customer_id,order_id,occurred_at,revenue",
            vec!["--columns", "order_id=customer_id"],
            "--columns order_id=customer_id takes away the column \"customer_id\"",
            "has no column",
        ),
        (
            "customer_id,order_id,occurred_at,revenue,chanel",
            vec!["--columns", "channel="],
            "did you mean \"chanel\"?",
            "NAME=",
        ),
        (
            "customer_id,order_id,occurred_at,revenue",
            vec!["--columns", "revenue="],
            "--columns revenue= takes away the column \"revenue\"",
            "has no column",
        ),
        (
            "Kundennr;Bon-Nr;Datum;Umsatz EUR",
            vec![],
            "customer_id=Kundennr,order_id=Bon-Nr,occurred_at=Datum,revenue=Umsatz EUR",
            "--order-id",
        ),
        (
            "customer_id,email,income,updated_at",
            vec![],
            "--format customers reads them",
            "Perhaps",
        ),
        (
            "CustomerID,InvoiceNo,InvoiceDate,Total_(EUR)",
            vec![],
            "--columns 'customer_id=CustomerID,order_id=InvoiceNo,occurred_at=InvoiceDate,revenue=Total_(EUR)'",
            "NAME=",
        ),
        (
            "customer_id,Invoice'No,occurred_at,revenue",
            vec![],
            r"--columns 'order_id=Invoice'\''No'",
            "NAME=",
        ),
        (
            "clientId,order_id,occurred_at,revenue",
            vec![],
            "customer_id=clientId",
            "NAME=",
        ),
    ] {
        let shop = Shop::new();
        let fields = header.split([',', ';']).count();
        let separator = if header.contains(';') { ";" } else { "," };
        let text = format!("{header}\n{}\n", vec!["1"; fields].join(separator));
        let replayed = shop.replay(&text, &[ORDERS, call.as_slice()].concat());
        // Where a pair takes a column away, the call alone is wrong.
        let code = if says.contains("takes away") { 2 } else { 3 };
        assert_eq!(replayed.code, code, "{header}: {}", replayed.said());
        let errors = &replayed.errors;
        assert!(errors.contains(says), "{says} in {errors}");
        assert!(!errors.contains(never), "{never} in {errors}");
    }
}

#[test]
fn a_column_with_channels_of_ones_own_can_be_left_out() {
    let text = "customer_id,order_id,occurred_at,revenue,channel\nc1,o1,2018-11-08,5,Store\n";
    let replayed = Shop::new().replay(text, ORDERS);
    assert_eq!(replayed.code, 3, "{}", replayed.said());
    let said = replayed.said();
    for says in ["marketplace, phone, unknown", "did you mean"] {
        assert!(said.contains(says), "{says} in {said}");
    }
    let shop = Shop::new();
    let replayed = shop.replay(text, &[ORDERS, &["--columns", "channel="]].concat());
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    assert_eq!(spending(&shop), ["c1 1 5.00"]);
}

/// By hand: whether an order with this discount is a deal.
#[test]
fn of_a_discount_only_whether_there_is_one_matters() {
    for (discount, deals) in [
        ("-1.00", 1),
        ("10%", 1),
        ("\"12,5 %\"", 1),
        ("0.2", 1),
        ("0%", 0),
        ("-0.00", 0),
        ("", 0),
    ] {
        let shop = Shop::new();
        let text = format!(
            "customer_id,order_id,occurred_at,revenue,discount\nc1,o1,2018-11-08,5,{discount}\n"
        );
        let replayed = shop.replay(&text, ORDERS);
        assert_eq!(replayed.code, 0, "{discount}: {}", replayed.said());
        assert_eq!(
            shop.customers()["c1"]["deal_purchases"],
            deals,
            "{discount}"
        );
    }
}

#[test]
fn a_day_without_orders_is_a_file_without_rows() {
    for format in ["orders", "customers"] {
        let shop = Shop::new();
        let text = "customer_id,order_id,occurred_at,revenue\n";
        let replayed = shop.replay(text, &["--format", format]);
        assert_eq!(replayed.code, 0, "{}", replayed.said());
        assert_eq!(replayed.file("rows"), 0);
    }
}

#[test]
fn order_ids_may_be_as_long_as_an_order_id_may_be() {
    // The event id has six characters more, and 128 at most.
    for (length, code) in [(122, 0), (123, 0), (128, 0), (129, 3)] {
        let shop = Shop::new();
        let id = "o".repeat(length);
        let text = format!("customer_id,order_id,occurred_at,revenue\nc1,{id},2018-11-08,5\n");
        let replayed = shop.replay(&text, ORDERS);
        assert_eq!(replayed.code, code, "{length}: {}", replayed.said());
        let again = shop.replay(&text, ORDERS);
        assert_eq!(again.verdict("applied"), 0, "{length}: {}", again.said());
    }
}

/// Attributes that a reader would take for features, in files and in events.
#[test]
fn attributes_with_the_name_of_a_computed_feature_are_not_taken_in_silence() {
    for (text, flags, code, says) in [
        (
            "customer_id,updated_at,age\nc1,2021-05-06,44\n",
            vec![],
            2,
            "computes age from birth_year",
        ),
        (
            "customer_id,updated_at,Age\nc1,2021-05-06,44\n",
            vec![],
            2,
            "--columns Age= leaves",
        ),
        (
            "customer_id,updated_at,age\nc1,2021-05-06,44\n",
            vec!["--columns", "age="],
            0,
            "\"applied\":1",
        ),
        (
            "customer_id,updated_at,age\nc1,2021-05-06,1977\n",
            vec!["--columns", "birth_year=age"],
            0,
            "\"applied\":1",
        ),
        (
            "customer_id,updated_at,age,birth_year\nc1,2021-05-06,44,1977\n",
            vec![],
            0,
            "no model reads these attributes",
        ),
        (
            "customer_id,updated_at,orders,order_id,total\nc1,2021-05-06,4,o1,5\n",
            vec![],
            0,
            "attributes: orders: segstream computes",
        ),
        (
            "customer_id;updated_at;score\nc1;2021-05-06;12,5\n",
            vec![],
            0,
            "in line 2, which is taken as a text: --decimal says",
        ),
        (
            "customer_id;updated_at;score\nc1;2021-05-06;7\nc1;2021-05-07;12.5\n",
            vec!["--decimal", "comma"],
            0,
            "in line 3, which is taken as a text: it is no number with --decimal comma",
        ),
        (
            "customer_id,updated_at,order_id,total\nc1,2021-05-06,o1,5\n",
            vec![],
            0,
            "--format orders reads orders",
        ),
    ] {
        let shop = Shop::new();
        let call = [&["--format", "customers"], flags.as_slice()].concat();
        let replayed = shop.replay(text, &call);
        assert_eq!(replayed.code, code, "{text}: {}", replayed.said());
        assert!(
            replayed.said().contains(says),
            "{says}: {}",
            replayed.said()
        );
    }
    let event = json!({
        "event_id": "p-1", "type": "customer.updated", "occurred_at": "2021-05-06T07:08:09Z", "customer_id": "c1",
        "profile": {"attributes": {"age": 44, "pets": 2}},
    });
    let replayed = Shop::new().replay(&event.to_string(), &["--format", "jsonl"]);
    let unknown = &replayed.summary["unknown_fields"]["names"];
    assert_eq!(unknown[0]["name"], "profile.attributes.age", "{unknown}");
    assert_eq!(unknown[0]["did_you_mean"], "profile.birth_year");
    assert_eq!(unknown.as_array().unwrap().len(), 1, "{unknown}");
}

#[test]
fn a_file_of_another_format_is_named_and_lines_without_a_time_have_none() {
    let table = "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-08,5\n";
    let planned = Shop::new().replay(table, &["--format", "jsonl", "--dry-run"]);
    assert_eq!(planned.code, 3, "{}", planned.said());
    assert!(
        planned.errors.contains("--format orders"),
        "{}",
        planned.errors
    );
    assert_eq!(
        planned.summary["first_at"],
        Value::Null,
        "{}",
        planned.said()
    );
}

#[test]
fn orders_below_zero_are_returns_and_change_nothing() {
    for (what, call, text, returns, spent) in [
        (
            "an invoice of its own",
            LINES,
            "customer_id,order_id,occurred_at,quantity,price\nc1,536378,2010-12-01T09:37:00Z,6,4.25\n\
             c1,C536379,2010-12-01T09:41:00Z,-1,4.25\n",
            1,
            vec!["c1 1 25.50"],
        ),
        (
            "more is taken back than bought in one invoice",
            LINES,
            "customer_id,order_id,occurred_at,quantity,price\nc1,o1,2010-12-01,1,4\nc1,o1,2010-12-01,-2,4\nc1,o2,2010-12-01,1,1\n",
            1,
            vec!["c1 1 1.00"],
        ),
        (
            "a guest's, and a price below zero",
            LINES,
            "customer_id,order_id,occurred_at,quantity,price\n,A563186,2011-08-12T14:51:00Z,1,-11062.06\nc1,o2,2010-12-01,1,1\n",
            1,
            vec!["c1 1 1.00"],
        ),
        (
            "less than half a cent below zero is zero",
            LINES,
            "customer_id,order_id,occurred_at,revenue\nc1,o1,2010-12-01,-0.004\n",
            0,
            vec!["c1 1 0.00"],
        ),
    ] {
        let shop = Shop::new();
        let replayed = shop.replay(text, call);
        assert_eq!(replayed.code, 0, "{what}: {}", replayed.said());
        assert_eq!(replayed.file("returns"), returns, "{what}");
        assert_eq!(spending(&shop), spent, "{what}");
        if returns > 0 {
            assert!(
                replayed.said().contains("does not process refunds"),
                "{what}"
            );
        }
    }
}

/// A row that is an order and below zero may be a return or a mistake.
#[test]
fn rows_below_zero_that_are_not_lines_are_rejected_with_their_line() {
    for (what, call, text, line) in [
        (
            "an order",
            ORDERS,
            "customer_id,order_id,occurred_at,revenue\nc1,o1,2010-12-01,1\nc1,o2,2010-12-01,-27.50\n",
            3,
        ),
        (
            "without an order id",
            ROW_IDS,
            "customer_id,occurred_at,revenue\nc1,2010-12-01,-3\nc1,2010-12-01,1\n",
            2,
        ),
        (
            "a quantity below zero",
            ORDERS,
            "customer_id,order_id,occurred_at,quantity,price\nc1,o1,2010-12-01,-1,4\nc1,o2,2010-12-01,1,1\n",
            2,
        ),
    ] {
        let shop = Shop::new();
        let replayed = shop.replay(text, call);
        assert_eq!(replayed.code, 3, "{what}: {}", replayed.said());
        assert_eq!(spending(&shop), ["c1 1 1.00"], "{what}");
        let rejection = &replayed.summary["rejections"][0];
        assert_eq!(rejection["reason"], "revenue", "{what}");
        assert_eq!(rejection["first"][0]["line"], line, "{what}");
        let notes = replayed.summary["file"]["notes"].to_string();
        // Lines have order ids.
        let has_ids = call != ROW_IDS;
        assert_eq!(notes.contains("--lines sum"), has_ids, "{what}: {notes}");
        assert_eq!(
            (replayed.file("orders"), replayed.file("rejected_orders")),
            (1, 1),
            "{what}"
        );
        let allowed = [call, &["--max-rejected", "1"]].concat();
        assert_eq!(shop.replay(text, &allowed).code, 0, "{what}");
    }
}

#[test]
fn rows_without_a_customer_are_guests() {
    // The last two as `events.customer_ids_ignored` has them; WooCommerce writes 0.
    for missing in ["", "NULL", "NaN", "None", "\\N", "0", "undefined"] {
        let shop = Shop::new();
        let text = format!(
            "customer_id,order_id,occurred_at,revenue\n{missing},o1,2018-11-08,261.96\nc2,o2,2018-11-08,1\n"
        );
        let replayed = shop.replay(&text, ORDERS);
        assert_eq!(replayed.code, 0, "{missing:?}: {}", replayed.said());
        assert_eq!(
            (replayed.verdict("guest"), replayed.verdict("applied")),
            (1, 1),
            "{missing:?}"
        );
        assert_eq!((replayed.file("orders"), replayed.file("guests")), (2, 1));
        assert_eq!(spending(&shop), ["c2 1 1.00"], "{missing:?}");
    }
    let shop = Shop::new();
    let text = "customer_id,order_id,occurred_at,revenue\n,o1,2018-11-08,5\n0,o1,2018-11-08,6\nc2,o2,2018-11-08,1\n";
    let replayed = shop.replay(text, LINES);
    assert_eq!(
        (replayed.verdict("guest"), replayed.file("guests")),
        (1, 1),
        "{}",
        replayed.said()
    );
}

/// By hand: files that come one after another, and what each customer has in the end.
#[test]
fn overlapping_files_without_order_ids_change_nothing() {
    let header = "customer_id,occurred_at,revenue";
    for (what, files, spent) in [
        (
            "a day that is exported twice, with more rows the second time",
            vec![
                format!("{header}\nc1,2018-11-08T10:00:00Z,5\nc2,2018-11-08T11:00:00Z,6\n"),
                format!(
                    "{header}\nc1,2018-11-08T10:00:00Z,5\nc2,2018-11-08T11:00:00Z,6\nc1,2018-11-08T12:00:00Z,7\n"
                ),
            ],
            vec!["c1 2 12.00", "c2 1 6.00"],
        ),
        (
            "equal purchases of one day, one more the second time",
            vec![
                format!("{header}\nc1,2018-11-08,5\nc1,2018-11-08,5\n"),
                format!(
                    "{header}\nc1,2018-11-08,5\nc2,2018-11-08,1\nc1,2018-11-08,5.00\nc1,2018-11-08,5\n"
                ),
            ],
            vec!["c1 3 15.00", "c2 1 1.00"],
        ),
        (
            "other columns, another order of columns, another separator and other zeros",
            vec![
                format!("{header}\nc1,2018-11-08T10:00:00Z,5\n"),
                "note;revenue;customer_id;occurred_at\nx;5.0;c1;2018-11-08T11:00:00+01:00\n"
                    .to_owned(),
            ],
            vec!["c1 1 5.00"],
        ),
        (
            "quantity and price instead of the amount",
            vec![
                format!("{header}\nc1,2018-11-08,7.5\n"),
                "customer_id,occurred_at,quantity,price\nc1,2018-11-08,3,2.50\n".to_owned(),
            ],
            vec!["c1 1 7.50"],
        ),
        (
            "days that overlap, in another order, with a byte order mark",
            vec![
                format!("{header}\nc1,2018-11-08T10:00:00Z,1\nc1,2018-11-09T10:00:00Z,2\n"),
                format!(
                    "\u{feff}{header}\r\nc1,2018-11-10T10:00:00Z,3\r\nc1,2018-11-09T10:00:00Z,2\r\n"
                ),
            ],
            vec!["c1 3 6.00"],
        ),
        (
            // The limit that the page states.
            "two equal purchases that come in two files are one",
            vec![
                format!("{header}\nc1,2018-11-08,5\n"),
                format!("{header}\nc1,2018-11-08,5\nc2,2018-11-09,1\n"),
            ],
            vec!["c1 1 5.00", "c2 1 1.00"],
        ),
    ] {
        let shop = Shop::new();
        for text in &files {
            let replayed = shop.replay(text, ROW_IDS);
            assert_eq!(replayed.code, 0, "{what}: {}", replayed.said());
        }
        assert_eq!(spending(&shop), spent, "{what}");
    }
}

#[test]
fn flags_that_contradict_each_other_or_the_format_are_refused() {
    for (arguments, says) in [
        (
            vec!["--format", "orders", "--lines", "sum", "--order-id", "row"],
            "--order-id row",
        ),
        (vec!["--format", "customers", "--lines", "sum"], "--lines"),
        (vec!["--format", "cdnow", "--order-id", "row"], "--order-id"),
        (vec!["--format", "jsonl", "--lines", "sum"], "--lines"),
        (
            vec!["--format", "orders", "--as-of", "2024-01-01T00:00:00Z"],
            "--as-of",
        ),
        (
            vec![
                "--format",
                "orders",
                "--order-id",
                "row",
                "--columns",
                "order_id=order_id",
            ],
            "--columns names one",
        ),
        (
            vec![
                "--format",
                "orders",
                "--columns",
                "revenue=revenue,price=revenue",
            ],
            "quantity x price",
        ),
        (vec!["--format", "orders", "--lines", "first"], "sum"),
    ] {
        let shop = Shop::new();
        let text = "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-08,5\n";
        let replayed = shop.replay(text, &arguments);
        assert_eq!(replayed.code, 2, "{arguments:?}: {}", replayed.said());
        assert!(
            replayed.errors.contains(says),
            "{says}: {}",
            replayed.errors
        );
        assert!(!shop.path().join("store").exists(), "{arguments:?}");
    }
}

#[test]
fn a_dry_run_says_what_would_become_of_the_file_and_writes_nothing() {
    for (what, call, text, code, orders) in [
        (
            "lines",
            LINES,
            "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-09,261.96\nc1,o1,2018-11-08,731.94\n,o2,2018-11-08,1\n\
             c2,o3,2018-11-08,-1\n",
            0,
            json!([2, 1, 1, 0, 0]),
        ),
        (
            "an amount that is none",
            ORDERS,
            "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-08,five\nc1,o2,2018-11-08,5\n",
            3,
            json!([1, 0, 0, 1, 0]),
        ),
        (
            "a currency without a rate, which the engine rejects",
            ORDERS,
            "customer_id,order_id,occurred_at,revenue,currency\nc1,o1,2018-11-08,5,GBP\nc1,o2,2018-11-08,5,USD\n",
            3,
            json!([1, 0, 0, 0, 1]),
        ),
    ] {
        let shop = Shop::new();
        let mut planned = call.to_vec();
        planned.push("--dry-run");
        let planned = shop.replay(text, &planned);
        assert_eq!(planned.code, code, "{what}: {}", planned.said());
        assert!(!shop.path().join("store").exists(), "{what}");
        let members = [
            "orders",
            "guests",
            "returns",
            "rejected_rows",
            "rejected_orders",
        ];
        let counts: Vec<u64> = members.iter().map(|member| planned.file(member)).collect();
        assert_eq!(json!(counts), orders, "{what}");
        assert_eq!(planned.summary["dry_run"], true);
        let first = &planned.summary["first_events"][0];
        assert_eq!(
            first["type"],
            "order.completed",
            "{what}: {}",
            planned.said()
        );
        assert_eq!(first["occurred_at"], "2018-11-08T12:00:00.000Z", "{what}");
        assert!(
            !planned.summary["found"].as_array().unwrap().is_empty(),
            "{what}"
        );
        let replayed = shop.replay(text, call);
        assert_eq!(replayed.code, code, "{what}: {}", replayed.said());
        assert_eq!(replayed.summary["file"], planned.summary["file"], "{what}");
    }
}

#[test]
fn a_dry_run_names_the_columns_the_zone_and_the_currency() {
    for (text, arguments, says) in [
        (
            "Kunde,order_id,occurred_at,revenue,Notiz,Filiale\nc1,o1,2018-11-08,5,x,y\n",
            vec![
                "--format",
                "orders",
                "--columns",
                "customer_id=Kunde",
                "--currency",
                "USD",
            ],
            vec![
                (
                    "columns used",
                    "customer_id is Kunde, order_id, occurred_at, revenue",
                ),
                ("columns not used", "Notiz, Filiale"),
                ("zone of local times", "UTC (time.business_zone)"),
                ("currency of amounts without one", "USD (--currency)"),
            ],
        ),
        (
            "customer_id,updated_at,colour\nc1,2018-11-08,red\n",
            vec![
                "--format",
                "customers",
                "--set",
                "time.business_zone=Asia/Tokyo",
            ],
            vec![
                ("columns used", "customer_id, updated_at"),
                ("attributes", "colour"),
                ("zone of local times", "Asia/Tokyo (time.business_zone)"),
                (
                    "currency of amounts without one",
                    "USD (money.base_currency)",
                ),
            ],
        ),
        (
            "00001 19970101 1 11.77\n",
            vec!["--format", "cdnow"],
            vec![("zone of local times", "UTC (time.business_zone)")],
        ),
    ] {
        let shop = Shop::new();
        let mut call = arguments.clone();
        call.push("--dry-run");
        let planned = shop.replay(text, &call);
        assert_eq!(planned.code, 0, "{}", planned.said());
        let found = planned.summary["found"].as_array().unwrap();
        for (about, what) in says {
            let fact = json!({"about": about, "what": what});
            assert!(found.contains(&fact), "{fact} in {found:?}");
        }
    }
}

#[test]
fn a_dry_run_for_a_topic_asks_no_broker() {
    let shop = Shop::new();
    let text = "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-08,5\n";
    let to_topic = [
        "--format",
        "orders",
        "--to",
        "kafka://retail.events.v1",
        "--dry-run",
    ];
    let without = shop.replay(text, &to_topic);
    assert_eq!(without.code, 2, "{}", without.said());
    assert!(
        without.errors.contains("kafka.brokers"),
        "{}",
        without.errors
    );
    let mut call = to_topic.to_vec();
    call.extend(["--set", "kafka.brokers=127.0.0.1:1"]);
    let planned = shop.replay(text, &call);
    assert_eq!(planned.code, 0, "{}", planned.said());
    assert_eq!(planned.summary["accepted"], 1);
}

#[test]
fn customers_hold_as_of_the_time_that_is_stated() {
    for (what, text, arguments, evaluated_at) in [
        (
            "a column that is found",
            "customer_id,updated_at,income\nc1,2021-05-06T07:08:09Z,5\n",
            vec![],
            "2021-05-06T07:08:09.000Z",
        ),
        (
            "a column that is named, with a day",
            "customer_id,Stand,income\nc1,2021-05-06,5\n",
            vec!["--columns", "occurred_at=Stand"],
            "2021-05-06T12:00:00.000Z",
        ),
        (
            "the flag",
            "customer_id,income\nc1,5\n",
            vec!["--as-of", "2022-01-02T03:04:05Z"],
            "2022-01-02T03:04:05.000Z",
        ),
        (
            "the flag for a row that has no time",
            "customer_id,updated_at,income\nc1,,5\n",
            vec!["--as-of", "2022-01-02T03:04:05Z"],
            "2022-01-02T03:04:05.000Z",
        ),
    ] {
        let shop = Shop::new();
        let mut call = vec!["--format", "customers"];
        call.extend(arguments);
        let replayed = shop.replay(text, &call);
        assert_eq!(replayed.code, 0, "{what}: {}", replayed.said());
        let customers = shop.customers();
        assert_eq!(customers["c1"]["evaluated_at"], evaluated_at, "{what}");
        let again = shop.replay(text, &call);
        assert_eq!(
            (again.verdict("applied"), again.verdict("duplicate")),
            (0, 1),
            "{what}: {}",
            again.said()
        );
        // The same facts on another line of another file are the same event; other facts are not.
        let (header, row) = text.split_once('\n').unwrap();
        let longer = format!("{header}\n{}{row}", row.replacen("c1", "c0", 1));
        let again = shop.replay(&longer, &call);
        assert_eq!(
            (again.verdict("applied"), again.verdict("duplicate")),
            (1, 1),
            "{what}: {}",
            again.said()
        );
        let other = shop.replay(&text.replace(",5", ",6"), &call);
        assert_eq!(other.verdict("applied"), 1, "{what}: {}", other.said());
    }
}

/// Profiles hold an income in the base currency, here USD.
#[test]
fn an_income_of_another_currency_is_rejected_and_the_rest_is_taken() {
    let header = "customer_id,updated_at,income,currency\nc0,2021-05-06,40000,USD\n";
    for (row, flags, says) in [
        ("c1,2021-05-06,52000,EUR", vec![], "an income in USD"),
        (
            "c1,2021-05-06,\"52,000.00 EUR\",",
            vec![],
            "the base currency; it is stated in EUR",
        ),
        ("c1,2021-05-06,\u{a3}52000,", vec![], "it is stated in GBP"),
        (
            "c1,2021-05-06,52000,",
            vec!["--currency", "EUR"],
            "it is stated in EUR",
        ),
    ] {
        let shop = Shop::new();
        let call = [&["--format", "customers"], flags.as_slice()].concat();
        let replayed = shop.replay(&format!("{header}{row}\n"), &call);
        assert_eq!(replayed.code, 3, "{row}: {}", replayed.said());
        assert!(replayed.said().contains(says), "{row}: {}", replayed.said());
        assert_eq!(
            (replayed.file("rejected_rows"), replayed.verdict("applied")),
            (1, 1),
            "{row}"
        );
        assert_eq!(
            shop.customers()["c0"]["features"]["income"],
            40_000.0,
            "{row}"
        );
    }
}

#[test]
fn customers_without_a_time_are_refused_and_the_message_says_how_to_give_one() {
    let shop = Shop::new();
    let replayed = shop.replay("customer_id,income\nc1,5\n", &["--format", "customers"]);
    assert_eq!(replayed.code, 2, "{}", replayed.said());
    for text in ["--as-of", "--columns occurred_at=", "updated_at"] {
        assert!(
            replayed.errors.contains(text),
            "{text}: {}",
            replayed.errors
        );
    }
    let text = "customer_id,updated_at,income\nc1,,5\nc2,2021-05-06,5\n";
    let replayed = shop.replay(text, &["--format", "customers"]);
    assert_eq!(replayed.code, 3, "{}", replayed.said());
    assert_eq!(
        (replayed.file("rejected_rows"), replayed.verdict("applied")),
        (1, 1)
    );
}

#[test]
fn local_times_are_of_the_business_zone() {
    // By the rules of each zone: offsets, the gap of spring and the hour that comes twice, of which the first is meant.
    for (zone, local, instant) in [
        (
            "Europe/London",
            "2011-10-06 16:20:00",
            "2011-10-06T15:20:00.000Z",
        ),
        (
            "Europe/London",
            "2011-01-06 16:20",
            "2011-01-06T16:20:00.000Z",
        ),
        (
            "Europe/London",
            "2011-03-27 01:30:00",
            "2011-03-27T01:30:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2024-10-27T02:30:00",
            "2024-10-27T00:30:00.000Z",
        ),
        (
            "Asia/Kolkata",
            "2011-10-06 00:10:00",
            "2011-10-05T18:40:00.000Z",
        ),
        (
            "Europe/London",
            "2011-10-06 16:20:00+02:00",
            "2011-10-06T14:20:00.000Z",
        ),
        ("UTC", "2011-10-06 16:20:00.250", "2011-10-06T16:20:00.250Z"),
    ] {
        let shop = Shop::new();
        let text = format!("customer_id,order_id,occurred_at,revenue\nc1,o1,{local},10\n");
        let zone = format!("time.business_zone={zone}");
        let replayed = shop.replay(&text, &["--format", "orders", "--set", &zone]);
        assert_eq!(replayed.code, 0, "{local}: {}", replayed.said());
        assert_eq!(
            shop.customers()["c1"]["first_purchase_at"],
            instant,
            "{local} {zone}"
        );
    }
}

#[test]
fn dates_that_can_be_read_in_two_ways_need_a_flag() {
    let text = "customer_id,order_id,occurred_at,revenue\nc1,o1,1/2/2013,10\nc1,o2,2/3/2013,20\nc2,o3,3/4/2013,5\n";
    let shop = Shop::new();
    let replayed = shop.replay(text, ORDERS);
    assert_eq!(replayed.code, 3, "{}", replayed.said());
    assert!(
        replayed.errors.contains("--date-format"),
        "{}",
        replayed.errors
    );
    // By hand: noon of the month first, and of the day first.
    for (format, first, last) in [
        (
            "%m/%d/%Y",
            "2013-01-02T12:00:00.000Z",
            "2013-02-03T12:00:00.000Z",
        ),
        (
            "%d/%m/%Y",
            "2013-02-01T12:00:00.000Z",
            "2013-03-02T12:00:00.000Z",
        ),
    ] {
        let shop = Shop::new();
        let replayed = shop.replay(text, &["--format", "orders", "--date-format", format]);
        assert_eq!(replayed.code, 0, "{}", replayed.said());
        let customer = &shop.customers()["c1"];
        assert_eq!(customer["first_purchase_at"], first);
        assert_eq!(customer["last_purchase_at"], last);
    }
    // A day above twelve in the column settles it.
    let shop = Shop::new();
    let replayed = shop.replay(&text.replace("3/4/2013", "3/14/2013"), ORDERS);
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    assert_eq!(
        shop.customers()["c1"]["first_purchase_at"],
        "2013-01-02T12:00:00.000Z"
    );
}

/// The numbers are those of a file with one row an order and no row of guests or returns.
#[test]
fn churn_learns_from_orders_and_not_from_their_lines_guests_or_returns() {
    let shop = Shop::new();
    let (mut orders, mut lines) = (
        "customer_id,order_id,occurred_at,revenue\n".to_owned(),
        "customer_id,order_id,occurred_at,revenue\n".to_owned(),
    );
    for number in 0..60 {
        let (customer, day) = (number % 23, 1 + number * 7 % 28);
        let (month, order) = (1 + number % 11, format!("c{customer},o{number}"));
        orders.push_str(&format!("{order},2021-{month:02}-{day:02},10\n"));
        // A line of the day after is of the order of the day before.
        lines.push_str(&format!(
            "{order},2021-{month:02}-{day:02},4\n{order},2021-{month:02}-{:02},6\n",
            day + 1
        ));
        lines.push_str(&format!(",g{number},2021-{month:02}-{day:02},4\nc{customer},C{number},2021-{month:02}-{day:02},-4\n"));
    }
    let fit = |file: PathBuf, arguments: &[&str]| {
        let mut command = program();
        command.args([
            "churn",
            "fit",
            "--json",
            "--format",
            "orders",
            "--until",
            "2021-11-22",
            "--input",
        ]);
        let output = command.arg(file).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let plain = fit(shop.file("orders.csv", &orders), &[]);
    let summed = fit(shop.file("lines.csv", &lines), &["--lines", "sum"]);
    assert_eq!(summed["models"], plain["models"]);
    assert_eq!(summed["customers"], plain["customers"]);
    // 60 orders and 60 of guests.
    let file = &summed["file"];
    assert_eq!((&file["rows"], &file["orders"]), (&json!(240), &json!(120)));
    assert_eq!(
        (&file["guests"], &file["returns"]),
        (&json!(60), &json!(60))
    );
}

#[test]
fn the_sample_of_cdnow_has_five_columns_and_the_whole_has_four() {
    let shop = Shop::new();
    let replayed = shop.replay(
        " 00004 0001 19970101  2   29.33\n 00004 0001 19970118  2   29.73\n",
        &["--format", "cdnow"],
    );
    assert_eq!(replayed.code, 0, "{}", replayed.said());
    assert_eq!(spending(&shop), ["00004 2 59.06"]);
    for (text, code, spent) in [
        (
            "00001 19970101 1 11.77\n00002 19970112 1 12.00\n",
            0,
            vec!["00001 1 11.77", "00002 1 12.00"],
        ),
        (
            "customer_id date number_of_cds dollar_value\n00001 19970101 1 11.77\n",
            0,
            vec!["00001 1 11.77"],
        ),
        (
            "00001 19970101 1\n00002 19970112 1 12.00\n",
            3,
            vec!["00002 1 12.00"],
        ),
        (
            "00001 19971301 1 11.77\n00002 19970112 1 12.00\n",
            3,
            vec!["00002 1 12.00"],
        ),
        (
            "00001 0001 19970101 1 eleven\n00002 0002 19970112 1 12.00\n",
            3,
            vec!["00002 1 12.00"],
        ),
    ] {
        let shop = Shop::new();
        let replayed = shop.replay(text, &["--format", "cdnow"]);
        assert_eq!(replayed.code, code, "{text}: {}", replayed.said());
        assert_eq!(spending(&shop), spent, "{text}");
    }
}

#[test]
fn orders_of_earlier_versions_are_known_again() {
    // The event that version 0.1.0 made of the row.
    let shop = Shop::new();
    let event = r#"{"channel":"unknown","currency":"USD","customer_id":"c1","event_id":"order-o1","occurred_at":"2018-11-08T12:00:00.000Z","order_id":"o1","revenue":"261.96","type":"order.completed"}"#;
    let replayed = shop.replay(event, &["--format", "jsonl"]);
    assert_eq!(replayed.verdict("applied"), 1, "{}", replayed.said());
    let again = shop.replay(
        "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-08,261.96\n",
        ORDERS,
    );
    assert_eq!(
        (again.verdict("applied"), again.verdict("duplicate")),
        (0, 1),
        "{}",
        again.said()
    );
}
