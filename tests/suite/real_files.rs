//! Files of the shapes that people have, one documented command each: what segstream counts is what another program counts
//! (`tests/fixtures/files/recount.py`, whose answers are in `expected/`).
//!
//! `recount.py` is run where there is a `python3`; with `SEGSTREAM_REQUIRE_PYTHON=1` it must be there.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::replaying::exported;
use crate::support::replaying::replay;

/// A file, the call that docs/FILES.md has for it, and the settings.
struct Shape {
    file: &'static str,
    call: &'static str,
    settings: &'static [&'static str],
}

const UCI_COLUMNS: &str = "customer_id=CustomerID,order_id=InvoiceNo,occurred_at=InvoiceDate,quantity=Quantity,price=UnitPrice";
const LONDON: &[&str] = &[
    "time.business_zone=Europe/London",
    "money.base_currency=GBP",
];
const SHAPES: [Shape; 11] = [
    Shape {
        file: "online_retail.csv",
        call: "--format orders --lines sum --encoding latin1 --date-format %m/%d/%Y+%H:%M --columns UCI",
        settings: LONDON,
    },
    Shape {
        file: "online_retail.xlsx",
        call: "--format orders --lines sum --columns UCI",
        settings: LONDON,
    },
    Shape {
        file: "online_retail_II.csv",
        call: "--format orders --lines sum --columns \
               customer_id=Customer+ID,order_id=Invoice,occurred_at=InvoiceDate,quantity=Quantity,price=Price",
        settings: LONDON,
    },
    Shape {
        file: "superstore.csv",
        call: "--format orders --lines sum --encoding latin1 --date-format %m/%d/%Y --columns \
               customer_id=Customer+ID,order_id=Order+ID,occurred_at=Order+Date,revenue=Sales,category=Category,discount=Discount",
        settings: &["time.business_zone=America/New_York"],
    },
    Shape {
        file: "semicolon.csv",
        call: "--format orders --columns \
               customer_id=Kunde,order_id=Rechnung,occurred_at=Datum,revenue=Umsatz,channel=Kanal",
        settings: &[
            "time.business_zone=Europe/Berlin",
            "money.base_currency=EUR",
        ],
    },
    Shape {
        file: "utf16.txt",
        call: "--format orders --decimal point",
        settings: &["time.business_zone=Asia/Tokyo", "money.base_currency=JPY"],
    },
    Shape {
        file: "latin1.csv",
        call: "--format orders --encoding latin1 --columns \
               customer_id=client,order_id=facture,occurred_at=date,revenue=montant,category=rayon",
        settings: &["time.business_zone=Europe/Paris", "money.base_currency=EUR"],
    },
    Shape {
        file: "pandas.csv",
        call: "--format orders --lines sum --columns \
               customer_id=customer,order_id=order,occurred_at=time,quantity=n,price=price",
        settings: &[],
    },
    Shape {
        file: "shopify.csv",
        call: "--format orders --lines sum --columns customer_id=Email,order_id=Name,occurred_at=Created+at,\
               quantity=Lineitem+quantity,price=Lineitem+price,currency=Currency,discount=Discount+Amount",
        settings: &["money.base_currency=EUR"],
    },
    Shape {
        file: "woocommerce.csv",
        call: "--format orders --columns customer_id=customer_user,occurred_at=order_date,revenue=order_total,\
               currency=order_currency,discount=cart_discount",
        settings: &["time.business_zone=Europe/Rome", "money.base_currency=EUR"],
    },
    Shape {
        file: "cdnow_sample.txt",
        call: "--format cdnow",
        settings: &[],
    },
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/files")
}

/// The words of a call; `+` stands for a space where a column or a format has one.
fn arguments(shape: &Shape) -> Vec<String> {
    let words = shape.call.split_ascii_whitespace().map(|word| match word {
        "UCI" => UCI_COLUMNS.to_owned(),
        word => word.replace('+', " "),
    });
    let mut words: Vec<String> = words.collect();
    for setting in shape.settings {
        words.extend(["--set".to_owned(), (*setting).to_owned()]);
    }
    words
}

/// How often a row says what another one says in every column; the orders of customers among them are duplicates.
fn expected(file: &str) -> Value {
    let path = folder().join("expected").join(format!("{file}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn assert_counts(shape: &Shape) {
    let file = shape.file;
    let root = tempfile::tempdir().unwrap();
    let words = arguments(shape);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let expected = expected(file);
    let mut planned = words.clone();
    planned.push("--dry-run");
    let planned = replay(root.path(), &folder().join(file), &planned);
    assert!(
        !root.path().join("store").exists(),
        "{file}: a dry run writes nothing"
    );
    let replayed = replay(root.path(), &folder().join(file), &words);
    assert_eq!(replayed.code, 0, "{file}: {}", replayed.said());
    assert_eq!(planned.code, 0, "{file}: {}", planned.said());
    for member in ["rows", "orders", "guests", "returns", "customers"] {
        let counted = expected[member].as_u64().unwrap();
        assert_eq!(
            replayed.file(member),
            counted,
            "{file}, {member}: {}",
            replayed.said()
        );
        assert_eq!(planned.file(member), counted, "{file}, {member}, planned");
    }
    let customers = exported(root.path(), &[]);
    let counted = expected["by_customer"].as_object().unwrap();
    assert_eq!(customers.len(), counted.len(), "{file}");
    for (id, counted) in counted {
        let customer = &customers[id];
        for (member, counted) in [
            ("orders", &counted["orders"]),
            ("total_spending", &counted["revenue"]),
            ("first_purchase_at", &counted["first"]),
            ("last_purchase_at", &counted["last"]),
        ] {
            assert_eq!(&customer[member], counted, "{file}, {id}, {member}");
        }
    }
    let again = replay(root.path(), &folder().join(file), &words);
    assert_eq!(again.code, 0, "{file}: {}", again.said());
    assert_eq!(
        again.verdict("applied"),
        0,
        "{file} again changes nothing: {}",
        again.said()
    );
    assert_eq!(
        exported(root.path(), &[]),
        customers,
        "{file} again changes nothing"
    );
}

#[test]
fn files_that_people_have_add_up_to_what_another_program_counts() {
    for shape in &SHAPES {
        assert_counts(shape);
    }
}

#[test]
fn a_workbook_and_its_csv_are_the_same_orders() {
    let [csv, workbook] = [&SHAPES[0], &SHAPES[1]];
    let root = tempfile::tempdir().unwrap();
    let replayed = |shape: &Shape| {
        let words = arguments(shape);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        replay(root.path(), &folder().join(shape.file), &words)
    };
    assert_eq!(
        replayed(csv).verdict("applied"),
        expected(csv.file)["orders"].as_u64().unwrap() - 5
    );
    assert_eq!(
        replayed(workbook).verdict("applied"),
        0,
        "all of them are known"
    );
}

#[test]
fn the_other_program_counts_what_its_answers_say() {
    let python = Command::new("python3").arg("--version").output();
    if python.is_err() {
        let is_required = std::env::var("SEGSTREAM_REQUIRE_PYTHON").is_ok_and(|value| value == "1");
        assert!(!is_required, "python3 is required");
        eprintln!("skipped: there is no python3");
        return;
    }
    for shape in &SHAPES {
        let file = shape.file;
        let program = folder().join("recount.py");
        let output = Command::new("python3").arg(program).arg(file).output();
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {errors}");
        let counted: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(counted, expected(file), "{file}");
    }
}

#[test]
fn the_commands_of_the_page_are_those_that_are_tested() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FILES.md");
    let page = std::fs::read_to_string(page).unwrap().replace("\\\n", " ");
    for shape in &SHAPES {
        let commands: Vec<Vec<String>> = page
            .lines()
            .filter(|line| line.contains(&format!("--input {} ", shape.file)))
            .map(|line| {
                line.replace('"', "")
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect()
            })
            .collect();
        assert!(!commands.is_empty(), "no command for {}", shape.file);
        let words = arguments(shape).join(" ");
        let found = commands.iter().any(|command| {
            words
                .split_whitespace()
                .all(|word| command.iter().any(|known| known == word))
        });
        assert!(found, "{}: {words}\n{commands:?}", shape.file);
    }
}
