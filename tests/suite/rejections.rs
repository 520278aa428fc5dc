//! Commands that take events say which of them were rejected: how many of each reason, where the first are, the field and
//! what is allowed.

use std::fmt::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use segstream::faults::Faults;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::InputRecord;
use serde_json::Value;
use serde_json::json;

const SETTINGS: [&str; 2] = ["embedded.partitions=4", "http.address="];

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.root.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
        command.args(words);
        let store = format!("store.directory={}", self.root.path().join("x").display());
        for setting in SETTINGS.iter().copied().chain([store.as_str()]) {
            command.args(["--set", setting]);
        }
        command
    }

    fn replay(&self, file: &Path, format: &str, options: &[&str]) -> Output {
        let mut command = self.command(&["replay", "--format", format]);
        command.arg("--input").arg(file).args(options);
        command.output().unwrap()
    }

    /// Appends events that nobody has processed yet.
    fn append(&self, lines: &[String]) {
        let log = self.root.path().join("x-log");
        let log = EmbeddedLog::open(&log, 4, Faults::none()).unwrap();
        let records = lines.iter().enumerate().map(|(number, line)| {
            let at = crate::support::at("2026-05-31T12:00:00Z");
            let key = format!("c-{number}").into_bytes();
            InputRecord::new(Some(at), Some(key), line.clone().into_bytes())
        });
        log.append(records.collect(), None).unwrap();
    }

    /// The exit code, the summary and standard error of a replay of these lines.
    fn replayed(&self, lines: &[String], options: &[&str]) -> (i32, Value, String) {
        let file = self.file("events.jsonl", lines.join("\n"));
        let output = self.replay(&file, "jsonl", &[&["--json"], options].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        let summary = serde_json::from_slice(&output.stdout);
        let summary = summary.unwrap_or_else(|error| panic!("{error}: {errors}"));
        (output.status.code().unwrap(), summary, errors)
    }
}

fn order(number: usize, members: Value) -> String {
    let mut order = json!({
        "event_id": format!("e-{number}"), "type": "order.completed", "occurred_at": "2026-05-31T12:00:00Z",
        "customer_id": format!("c-{number}"), "order_id": format!("o-{number}"), "currency": "USD", "revenue": "12.5",
    });
    let all = order.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        if value == "absent" {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    order.to_string()
}

fn orders(members: &[Value]) -> Vec<String> {
    let numbered = members.iter().enumerate();
    numbered
        .map(|(number, members)| order(number, members.clone()))
        .collect()
}

fn rejection<'a>(summary: &'a Value, reason: &str) -> &'a Value {
    let all = summary["rejections"].as_array().unwrap();
    let found = all.iter().find(|one| one["reason"] == reason);
    found.unwrap_or_else(|| panic!("{reason} in {summary:#}"))
}

/// The file and its right result are those of a retailer who saw "rejected 2" and nothing else.
#[test]
fn a_file_with_a_negative_amount_is_taken_but_for_that_line_which_is_named_with_its_value() {
    let place = Place::new();
    let file = place.file(
        "orders.csv",
        "customer_id,order_id,occurred_at,revenue\nc1,o1,2018-11-08,-4\nc2,o2,2018-11-09,1\n",
    );
    let output = place.replay(&file, "orders", &[]);
    let shown = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    for part in ["orders.csv, line 2: revenue \"-4\"", "zero or more"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    for part in [
        "1 row was rejected (revenue 1)",
        "--max-rejected allows 0",
        "all others were taken",
    ] {
        assert!(errors.contains(part), "{part} in {errors}");
    }
    let again = place.replay(&file, "orders", &["--json", "--max-rejected", "1"]);
    assert_eq!(again.status.code(), Some(0));
    let summary: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(summary["verdicts"], json!({"duplicate": 1, "rejected": 1}));
    let first = &rejection(&summary, "revenue")["first"][0];
    assert_eq!(first["line"], 2);
    let shown = place.replay(&file, "orders", &[]).stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(
        shown.contains(
            "nothing was applied: 1 event or order with this id was taken before; the contents were not compared"
        ),
        "{shown}"
    );
}

#[test]
fn every_reason_has_its_count_its_first_three_lines_the_field_the_rule_and_the_value() {
    let mut members = vec![json!({}), json!({"currency": "GBP"})];
    members.extend((0..5).map(|number| json!({"revenue": -1 - number})));
    members.push(json!({"channel": "door"}));
    members.push(json!({"order_id": "absent"}));
    let mut lines = orders(&members);
    lines.push("{not json".to_owned());
    let (code, summary, errors) = Place::new().replayed(&lines, &[]);
    assert_eq!(code, 3, "{errors}");
    // By hand: 1 GBP, 5 revenues, 1 channel, 1 order, 1 line.
    assert_eq!(summary["verdicts"], json!({"applied": 1, "rejected": 9}));
    let revenue = rejection(&summary, "revenue");
    assert_eq!(revenue["count"], 5);
    let first = revenue["first"].as_array().unwrap();
    let lines: Vec<_> = first
        .iter()
        .map(|one| (&one["line"], &one["value"]))
        .collect();
    assert_eq!(
        lines,
        [
            (&json!(3), &json!("-1")),
            (&json!(4), &json!("-2")),
            (&json!(5), &json!("-3"))
        ]
    );
    assert_eq!(first[0]["allowed"], "zero or more");
    let currency = &rejection(&summary, "unknown_currency")["first"][0];
    assert_eq!(currency["field"], "currency");
    assert_eq!(currency["value"], "\"GBP\"");
    let allowed = currency["allowed"].as_str().unwrap();
    assert!(allowed.contains("base currency USD"), "{allowed}");
    let missing = &rejection(&summary, "order_id")["first"][0];
    assert_eq!(missing["value"], Value::Null);
    assert_eq!(rejection(&summary, "unreadable")["first"][0]["line"], 10);
    assert!(
        errors.contains("channel 1, order_id 1, revenue 5, unknown_currency 1, unreadable 1"),
        "{errors}"
    );
}

/// Lines are in no order of time, and their events on several partitions.
#[test]
fn the_first_places_are_the_first_lines_of_the_file_whatever_the_order_of_time() {
    let members: Vec<Value> = (0..40)
        .map(|number| {
            let day = 1 + (number * 7) % 28;
            let revenue = if number % 2 == 0 { -1 } else { 1 };
            json!({"revenue": revenue, "occurred_at": format!("2026-05-{day:02}T12:00:00Z")})
        })
        .collect();
    let (_, summary, _) = Place::new().replayed(&orders(&members), &[]);
    let revenue = rejection(&summary, "revenue");
    assert_eq!(revenue["count"], 20);
    let first = revenue["first"].as_array().unwrap().iter();
    let lines: Vec<u64> = first.map(|one| one["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 3, 5]);
}

#[test]
fn a_value_is_cut_and_what_cannot_be_seen_is_escaped() {
    let long = format!("\"{}\"", "9".repeat(5_000));
    let lines = vec![
        order(0, json!({"channel": "\u{202e}\u{9b}31mdoor"})),
        order(1, json!({"revenue": 0})).replace("\"revenue\":0", &format!("\"revenue\":{long}")),
        format!("\u{1b}[31m{}", "x".repeat(5_000)),
    ];
    let (_, summary, _) = Place::new().replayed(&lines, &[]);
    let value = |reason| {
        rejection(&summary, reason)["first"][0]["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(value("channel"), "\"\\u{202e}\\u{9b}31mdoor\"");
    // 80 characters of it, the quote included.
    assert_eq!(value("revenue"), format!("\"{}...", "9".repeat(79)));
    assert!(value("unreadable").starts_with("\\u{1b}[31mxxx"));
    assert!(value("unreadable").len() < 120);
}

#[test]
fn guests_unsupported_tests_duplicates_and_late_ones_are_explained_with_their_places() {
    let lines = [
        order(0, json!({})),
        order(1, json!({"customer_id": "absent"})),
        order(2, json!({"type": "order.cancelled"})),
        order(3, json!({"test": true})),
        order(4, json!({"event_id": "e-0", "customer_id": "c-0"})),
        order(
            5,
            json!({"customer_id": "c-0", "occurred_at": "2020-01-01T00:00:00Z", "type": "order.completed"}),
        ),
    ];
    // A second replay brings the old one after the new one.
    let place = Place::new();
    let (code, summary, errors) = place.replayed(&lines[..5], &[]);
    assert_eq!(code, 0, "{errors}");
    assert_eq!(summary["rejections"], json!([]));
    let (_, later, _) = place.replayed(&lines[5..], &[]);
    let found = |summary: &Value, verdict: &str| {
        let all = summary["not_applied"].as_array().unwrap().clone();
        let found = all
            .into_iter()
            .find(|one| one["verdict"] == verdict)
            .unwrap();
        assert!(found["meaning"].as_str().unwrap().len() > 10);
        (
            found["count"].clone(),
            found["reason"].clone(),
            found["first"][0]["line"].clone(),
        )
    };
    assert_eq!(found(&summary, "guest"), (json!(1), Value::Null, json!(2)));
    assert_eq!(
        found(&summary, "unsupported"),
        (json!(1), json!("order.cancelled"), json!(3))
    );
    assert_eq!(found(&summary, "test"), (json!(1), Value::Null, json!(4)));
    assert_eq!(
        found(&summary, "duplicate"),
        (json!(1), Value::Null, json!(5))
    );
    assert_eq!(
        found(&later, "late"),
        (json!(1), json!("older_than_ledger"), json!(1))
    );
}

#[test]
fn a_customer_under_a_misspelled_name_is_rejected_and_never_a_guest() {
    let names = [
        "customerid",
        "customer_Id",
        "CustomerID",
        "userId",
        "custmer_id",
        "customer",
        "clientId",
        "customer_uuid",
    ];
    let mut members: Vec<Value> = names
        .iter()
        .map(|name| json!({"customer_id": "absent", *name: "c-1"}))
        .collect();
    // Who says nothing of a customer, or says that there is none, is a guest.
    members.push(json!({"customer_id": "absent"}));
    members.push(json!({"customer_id": null, "customerid": null}));
    members.push(json!({"customer_id": "absent", "customerid": "c-1", "is_guest": true}));
    members.push(json!({"customer_id": "absent", "customer_ip": "10.0.0.1"}));
    members.push(json!({"customer_id": "absent", "customer_email": "a@b.example"}));
    let (code, summary, _) = Place::new().replayed(&orders(&members), &[]);
    assert_eq!(code, 3);
    assert_eq!(summary["verdicts"], json!({"guest": 5, "rejected": 8}));
    let first = &rejection(&summary, "customer_id")["first"][0];
    let allowed = first["allowed"].as_str().unwrap();
    assert!(allowed.contains("did you mean customer_id?"), "{allowed}");
    assert_eq!(first["value"], "\"c-1\"");
}

#[test]
fn what_was_probably_meant_by_a_wrong_value_is_said() {
    for (member, reason, says) in [
        (
            json!({"event_id": null, "order_id": 5}),
            "event_id",
            "this order_id cannot be used",
        ),
        // 2026-01-20 in seconds.
        (
            json!({"occurred_at": 1_768_903_200}),
            "too_old",
            "this may be one of seconds",
        ),
    ] {
        let (code, summary, _) = Place::new().replayed(&orders(&[member]), &[]);
        assert_eq!(code, 3);
        let first = &rejection(&summary, reason)["first"][0];
        let allowed = first["allowed"].as_str().unwrap();
        assert!(allowed.contains(says), "{allowed}");
    }
}

#[test]
fn unknown_fields_are_counted_and_named_and_known_ones_are_not() {
    let lines = orders(&[
        json!({"store_locale": "en-US", "products": [{"sku": "a", "category": "x"}]}),
        json!({"curency": "USD", "note": 1}),
        json!({"note": 2, "products": [{"catgory": "x"}]}),
        json!({"type": "customer.updated", "profile": {"birthyear": 1980}}),
        json!({"currency": "absent", "curency": "USD"}),
    ]);
    let (_, summary, _) = Place::new().replayed(&lines, &[]);
    let unknown = &summary["unknown_fields"];
    assert_eq!(unknown["events"], 4, "{unknown:#}");
    let names = unknown["names"].as_array().unwrap().iter();
    let mut names: Vec<_> = names
        .map(|one| {
            let meant = one["did_you_mean"].as_str();
            (
                one["name"].as_str().unwrap(),
                meant,
                one["first"]["line"].as_u64().unwrap(),
            )
        })
        .collect();
    names.sort_unstable();
    assert_eq!(
        names
            .iter()
            .map(|(name, meant, _)| (*name, *meant))
            .collect::<Vec<_>>(),
        [
            ("curency", Some("currency")),
            ("note", None),
            ("products.catgory", Some("products.category")),
            ("profile.birthyear", Some("profile.birth_year")),
        ]
    );
    let clean = Place::new().replayed(&lines[..1], &[]).1;
    assert_eq!(clean["unknown_fields"], Value::Null);
}

#[test]
fn names_of_fields_without_end_are_not_all_kept() {
    let members: Vec<Value> = (0..3_000)
        .map(|number| json!({format!("f{number}"): 1}))
        .collect();
    let (code, summary, _) = Place::new().replayed(&orders(&members), &[]);
    assert_eq!(code, 0);
    assert_eq!(summary["unknown_fields"]["events"], 3_000);
    assert_eq!(
        summary["unknown_fields"]["names"].as_array().unwrap().len(),
        20
    );
}

/// The events are in the log, and a service that has another currency reads them.
#[test]
fn a_feed_in_another_currency_is_said_at_once_and_no_value_is_logged() {
    let place = Place::new();
    let members: Vec<Value> = (0..30).map(|_| json!({"currency": "GBP"})).collect();
    let lines = orders(&members);
    place.append(&lines);
    let output = place
        .command(&["run", "--until-caught-up", "--json"])
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{log}");
    for part in [
        "NEARLY ALL EVENTS GO TO THE DEAD LETTERS",
        "unknown_currency",
        "base currency USD",
        "offset=0",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    let warned = log.matches("an event is rejected").count();
    assert_eq!(warned, 1, "one reason: {log}");
    for secret in ["GBP", "c-1", "e-1", "o-1"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rejected = rejection(&summary, "unknown_currency");
    assert_eq!(rejected["count"], 30);
    let first = &rejected["first"][0];
    assert_eq!(first["topic"], "retail.events.v1");
    assert!(first["partition"].is_u64() && first["offset"].is_u64());
    assert_eq!(
        first["value"],
        Value::Null,
        "only a file's values are shown"
    );
}

#[test]
fn a_demo_says_which_events_of_its_shop_were_rejected() {
    let place = Place::new();
    let directory = place.root.path().join("demo").display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    command.args([
        "demo",
        "--customers",
        "200",
        "--duration",
        "2s",
        "--json",
        "--dir",
        &directory,
    ]);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = summary["rejections"].as_array().unwrap().iter();
    let listed: u64 = listed.map(|one| one["count"].as_u64().unwrap()).sum();
    assert_eq!(
        json!(listed),
        summary["verdicts"]
            .get("rejected")
            .cloned()
            .unwrap_or(json!(0))
    );
    assert_eq!(summary["unknown_fields"], Value::Null);
}

#[test]
fn a_file_of_nothing_but_bad_lines_is_listed_and_ends_with_3() {
    let mut text = String::new();
    for number in 0..2_000 {
        writeln!(text, "bad line {number}").unwrap();
    }
    let place = Place::new();
    let file = place.file("bad.jsonl", text);
    let output = place.replay(&file, "jsonl", &["--json"]);
    assert_eq!(output.status.code(), Some(3));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let unreadable = rejection(&summary, "unreadable");
    assert_eq!(unreadable["count"], 2_000);
    assert_eq!(unreadable["first"][2]["line"], 3);
    assert_eq!(unreadable["first"][2]["value"], "bad line 2");
}

/// By hand: 30 events in pounds and 5 good ones are in the log; the file has 2 good orders and a negative one.
#[test]
fn events_that_were_in_the_log_before_the_file_are_counted_and_explained() {
    for max_rejected in [0, 30, 31] {
        let place = Place::new();
        let mut members: Vec<Value> = (0..30).map(|_| json!({"currency": "GBP"})).collect();
        members.extend((0..5).map(|_| json!({})));
        place.append(&orders(&members));
        let file = [40, 41].map(|number| order(number, json!({})));
        let bad = order(42, json!({"revenue": -1}));
        let lines = [&file[..], &[bad]].concat();
        let max = max_rejected.to_string();
        let (code, summary, errors) = place.replayed(&lines, &["--max-rejected", &max]);
        assert_eq!(code, if max_rejected < 31 { 3 } else { 0 }, "{errors}");
        assert_eq!(summary["events"], 38);
        assert_eq!(summary["verdicts"], json!({"applied": 7, "rejected": 31}));
        // Lines of the file alone.
        assert_eq!(summary["rejections"].as_array().unwrap().len(), 1);
        assert_eq!(rejection(&summary, "revenue")["first"][0]["line"], 3);
        let before = &summary["in_log_before"];
        assert_eq!(before["events"], 35);
        let pounds = rejection(before, "unknown_currency");
        assert_eq!(pounds["count"], 30);
        assert_eq!(pounds["first"][0]["topic"], "retail.events.v1");
        assert_eq!(pounds["first"][0]["value"], Value::Null);
        if max_rejected < 31 {
            let said = "31 rows were rejected (revenue 1, unknown_currency 30)";
            assert!(errors.contains(said), "{errors}");
            let said = "30 of them were in the log before this file";
            assert!(errors.contains(said), "{errors}");
        }
        let file = place.file("events.jsonl", lines.join("\n"));
        let (_, again, _) = place.replayed(&lines, &[]);
        assert_eq!(again["in_log_before"], Value::Null);
        place.append(&orders(&[json!({})]));
        let text = place.replay(&file, "jsonl", &[]).stdout;
        let text = String::from_utf8(text).unwrap();
        let said = "1 event was in the log before this file and not processed yet";
        assert!(text.contains(said), "{text}");
    }
}

/// Kills a replay of a file once so many more bytes of events are in the log.
fn interrupt(place: &Place, file: &Path, log_bytes: u64) {
    let input = place.root.path().join("x-log/segments/input");
    let bytes = || {
        let files = std::fs::read_dir(&input).into_iter().flatten().flatten();
        let sizes = files.filter_map(|file| file.metadata().ok());
        sizes.map(|file| file.len()).sum::<u64>()
    };
    let mut command = place.command(&["replay", "--format", "jsonl", "--rate", "100"]);
    let mut killed = command.arg("--input").arg(file).spawn().unwrap();
    let begun = bytes();
    while bytes() < begun + log_bytes && killed.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
}

/// Rows that the interrupted replay rejected are taken by the next one, whose settings have a rate for them.
#[test]
fn a_replay_under_other_rules_than_the_interrupted_one_takes_all_rows_of_the_file() {
    let place = Place::new();
    let members: Vec<Value> = (0..200).map(|_| json!({"currency": "GBP"})).collect();
    let lines = orders(&members);
    let file = place.file("events.jsonl", lines.join("\n"));
    // A second of sending, so that some are committed.
    interrupt(&place, &file, 20_000);
    let (code, summary, errors) = place.replayed(&lines, &["--set", "money.rates.GBP=1.30"]);
    assert_eq!(code, 0, "{summary:#} {errors}");
    let export = place
        .command(&["state", "export", "--set", "money.rates.GBP=1.30"])
        .output()
        .unwrap();
    let export = String::from_utf8(export.stdout).unwrap();
    let customers = export.lines().map(serde_json::from_str::<Value>);
    let orders = customers.map(|customer| customer.unwrap()["orders"].as_u64().unwrap());
    assert_eq!(orders.sum::<u64>(), 200, "{summary:#}");
}

#[test]
fn an_interrupted_replay_and_the_next_one_have_processed_each_event_once() {
    let place = Place::new();
    let lines = orders(&(0..400).map(|_| json!({})).collect::<Vec<_>>());
    let file = place.file("events.jsonl", lines.join("\n"));
    for _ in 0..2 {
        interrupt(&place, &file, 600);
    }
    let (code, summary, errors) = place.replayed(&lines, &[]);
    assert_eq!(code, 0, "{errors}");
    let before = summary["taken_before"].as_u64().unwrap_or(0);
    let applied = summary["verdicts"]["applied"].as_u64().unwrap();
    assert_eq!(before + applied, 400, "{summary:#}");
    assert_eq!(summary["events"], applied, "{summary:#}");
    assert_eq!(summary["in_log_before"], Value::Null, "{summary:#}");
}
