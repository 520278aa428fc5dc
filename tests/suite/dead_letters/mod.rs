//! The dead letters of the embedded log, stopped and beside a running instance: the program as a user runs it.

mod beside;
mod runbook;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use segstream::domain::ids::Partition;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::topic::Topic;
use segstream::faults::Faults;
use segstream::log::Header;
use segstream::log::OutputRecord;
use segstream::log::Polled;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::InputRecord;
use segstream::log::fitting::fitted;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

use crate::support::at;
use crate::support::contract::all;
use crate::support::contract::part;
use crate::support::contract::to;

/// `embedded.partitions` of the defaults.
const PARTITIONS: u32 = 12;
const RECORD_TIME: &str = "2025-06-01T00:00:00Z";
/// In every key, customer and payload that must not be in a list.
const SECRET: &str = "anna";

fn segstream(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    let store = root.join("store");
    command
        .args(arguments)
        .args(["--set", &format!("store.directory={}", store.display())])
        .args(["--set", "log.filter=warn"])
        .stdin(Stdio::null());
    command
}

fn output(root: &Path, arguments: &[&str]) -> Output {
    segstream(root, arguments).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", errors(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn fails_with(output: &Output, code: i32, sentence: &str) {
    let errors = errors(output);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(sentence), "{errors}");
}

fn order(event_id: &str, customer_id: &str, currency: &str) -> String {
    format!(
        "{{\"event_id\":\"{event_id}\",\"type\":\"order.completed\",\"occurred_at\":\"{RECORD_TIME}\",\
         \"customer_id\":\"{customer_id}\",\"order_id\":\"o-{event_id}\",\"currency\":\"{currency}\",\"revenue\":\"20.50\"}}"
    )
}

/// A record that is not processed: its key, its value, and the reason.
type Bad = (Option<&'static str>, Option<Vec<u8>>, &'static str);

fn bad_records() -> Vec<Bad> {
    let pretty = "{\n  \"event_id\": \"e-pretty\",\r\n  \"type\": \"order.lost\",\n  \"customer_id\": \"anna-pretty\"\n}";
    let long_id = "anna".repeat(100);
    let merged = format!(
        "{{\"event_id\":\"e-merged\",\"type\":\"customer.merged\",\"occurred_at\":\"{RECORD_TIME}\",\
         \"customer_id\":\"anna-merged\",\"merged_from\":[\"anna-old\"]}}"
    );
    let bytes = |text: String| Some(text.into_bytes());
    vec![
        (
            Some("anna-1"),
            bytes(order("e-1", "anna-1", "gbp")),
            "currency",
        ),
        (
            Some("anna-2"),
            bytes(order("e-2", "anna-2", "XXX")),
            "unknown_currency",
        ),
        (
            Some("anna-key"),
            bytes(order("e-3", "anna-3", "USD")),
            "key_mismatch",
        ),
        (None, bytes(order("e-4", &long_id, "USD")), "customer_id"),
        (Some("anna-pretty"), bytes(pretty.to_owned()), "type"),
        (Some("anna-merged"), bytes(merged), "unsupported"),
        (
            Some("anna-broken"),
            bytes("{\"customer_id\":\"anna-broken\",".to_owned()),
            "unreadable",
        ),
        // These five cannot be lines.
        (
            Some("anna-bytes"),
            Some(b"anna\xff\x00\x1b[2J".to_vec()),
            "unreadable",
        ),
        (Some("anna-null"), None, "unreadable"),
        (
            Some("anna-lines"),
            bytes("anna,1\nanna,2".to_owned()),
            "unreadable",
        ),
        (Some("anna-empty"), bytes(String::new()), "unreadable"),
        (
            Some("anna-avro"),
            Some(b"\0\0\0\0\x07anna".to_vec()),
            "schema_registry_format",
        ),
    ]
}

const LINES: usize = 7;
const NO_LINES: usize = 5;

/// A log in which every bad record and a good one were processed.
fn processed(root: &Path) -> Vec<Bad> {
    let bad = bad_records();
    assert_eq!(bad.len(), LINES + NO_LINES);
    let log = EmbeddedLog::open(&root.join("store-log"), PARTITIONS, Faults::none()).unwrap();
    let record = |key: Option<&str>, payload: Option<Vec<u8>>| InputRecord {
        timestamp: Some(at(RECORD_TIME)),
        key: key.map(|key| key.as_bytes().to_vec()),
        payload,
        headers: vec![("trace".into(), Some(b"anna's trace".to_vec()))],
    };
    let mut records: Vec<InputRecord> = bad
        .iter()
        .map(|(key, payload, _)| record(*key, payload.clone()))
        .collect();
    let good = order("e-good", "good", "USD").into_bytes();
    records.push(record(Some("good"), Some(good)));
    log.append(records, None).unwrap();
    drop(log);
    let run = ["run", "--until-caught-up", "--set", "http.address="];
    text(&output(root, &run));
    bad
}

fn list(root: &Path, more: &[&str]) -> Vec<Value> {
    let arguments = [&["dead-letters", "list", "--json"], more].concat();
    let text = text(&output(root, &arguments));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn place(letter: &Value) -> String {
    format!("{}:{}", letter["partition"], letter["offset"])
}

fn reasons(letters: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for letter in letters {
        let reason = letter["reason"].as_str().unwrap().to_owned();
        *counts.entry(reason).or_default() += 1;
    }
    counts
}

#[test]
fn a_list_says_where_when_and_why_and_nothing_of_the_customer() {
    let root = tempfile::tempdir().unwrap();
    let bad = processed(root.path());
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for (_, _, reason) in &bad {
        *expected.entry((*reason).to_owned()).or_default() += 1;
    }
    let output_json = output(root.path(), &["dead-letters", "list", "--json"]);
    assert!(!String::from_utf8_lossy(&output_json.stdout).contains(SECRET));
    let letters = list(root.path(), &[]);
    assert_eq!(reasons(&letters), expected);
    let sizes: BTreeSet<Option<u64>> = letters
        .iter()
        .map(|one| one["payload_bytes"].as_u64())
        .collect();
    let of_bad = bad
        .iter()
        .map(|(_, payload, _)| Some(payload.as_ref().map_or(0, Vec::len) as u64));
    assert_eq!(sizes, of_bad.collect());
    for letter in &letters {
        assert_eq!(letter["source"]["topic"], "retail.events.v1");
        assert_eq!(letter["source"]["at"], "2025-06-01T00:00:00.000Z");
        assert!(letter.get("record").is_none(), "{letter}");
    }
    let currency = letters
        .iter()
        .find(|one| one["reason"] == "currency")
        .unwrap();
    assert_eq!(currency["field"], "currency");
    assert_eq!(
        currency["detail"],
        "currency is not an ISO 4217 code of three capital letters"
    );
    let null = letters.iter().filter(|one| one["payload_state"] == "null");
    assert_eq!(null.count(), 1);

    let plain = output(root.path(), &["dead-letters", "list"]);
    let lines = text(&plain);
    assert!(!lines.contains(SECRET), "{lines}");
    assert_eq!(lines.lines().count(), bad.len());
    for (line, letter) in lines.lines().zip(&letters) {
        let begin = format!(
            "{}  {}  {}  retail.events.v1 ",
            place(letter),
            letter["at"].as_str().unwrap(),
            letter["reason"].as_str().unwrap()
        );
        assert!(line.starts_with(&begin), "{line}");
    }
    let summary = "12 dead letters: 1 currency, 1 customer_id, 1 key_mismatch, 1 schema_registry_format, 1 type, \
                   1 unknown_currency, 5 unreadable, 1 unsupported";
    assert_eq!(errors(&plain).trim(), summary);
}

#[test]
fn a_list_has_what_its_filters_take() {
    let root = tempfile::tempdir().unwrap();
    processed(root.path());
    let all = list(root.path(), &[]);
    let of = |filter: &[&str]| {
        reasons(&list(root.path(), filter))
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&["--reason", "currency"]), ["currency"]);
    let two = ["--reason", "currency", "--reason", "unsupported"];
    assert_eq!(of(&two), ["currency", "unsupported"]);
    let written: BTreeSet<&str> = all.iter().map(|one| one["at"].as_str().unwrap()).collect();
    let (first, last) = (written.first().unwrap(), written.last().unwrap());
    assert_eq!(list(root.path(), &["--since", first]).len(), all.len());
    assert_eq!(list(root.path(), &["--until", first]).len(), 0);
    let of_last = all.iter().filter(|one| one["at"] == **last).count();
    assert_eq!(list(root.path(), &["--since", last]).len(), of_last);
    assert_eq!(list(root.path(), &["--limit", "3"]), all[..3]);

    for (filter, said) in [
        (
            &["--since", "2999-01-01T00:00:00Z"][..],
            "none of 12 dead letters is one of these",
        ),
        (
            &["--reason", "late"],
            "none of 12 dead letters is one of these",
        ),
        (
            &["--limit", "3"],
            "--limit has ended the list; there may be more",
        ),
        (&["--limit", "12"], "12 dead letters: 1 currency"),
        (&["--reason", "currency"], "1 dead letter of 12: 1 currency"),
    ] {
        let output = output(root.path(), &[&["dead-letters", "list"], filter].concat());
        text(&output);
        let said_here = errors(&output);
        assert!(said_here.contains(said), "{said_here}");
    }
    for (wrong, said) in [
        (&["--reason", "curency"][..], "did you mean \"currency\"?"),
        (&["--reason", "UNREADABLE"], "did you mean \"unreadable\"?"),
        (&["--reason", "applied"], "Allowed are unreadable"),
        (&["--since", "yesterday"], "is not an RFC 3339 instant"),
        (
            &["--limit", "0"],
            "\"0\" is not a whole number of 1 or more",
        ),
        (
            &[
                "--since",
                "2026-01-02T00:00:00Z",
                "--until",
                "2026-01-01T00:00:00Z",
            ],
            "--since 2026-01-02T00:00:00.000Z must be before --until 2026-01-01T00:00:00.000Z",
        ),
    ] {
        let output = output(root.path(), &[&["dead-letters", "list"], wrong].concat());
        fails_with(&output, 2, said);
    }
}

#[test]
fn each_dead_letter_is_shown_with_its_bytes_as_they_came() {
    let root = tempfile::tempdir().unwrap();
    let bad = processed(root.path());
    let mut shown = BTreeSet::new();
    for letter in list(root.path(), &[]) {
        let place = place(&letter);
        let arguments = ["dead-letters", "show", &place, "--json"];
        let found: Value = serde_json::from_str(&text(&output(root.path(), &arguments))).unwrap();
        let record = &found["record"];
        assert_eq!(record["headers"][0]["name"], "trace");
        assert_eq!(record["headers"][0]["value"], "anna's trace");
        let key = record.get("key").and_then(Value::as_str).map(str::to_owned);
        let payload = record
            .get("payload")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let of_bytes = record.get("payload_base64").and_then(Value::as_str);
        if let Some(base64) = of_bytes {
            // `printf 'anna\xff\0\x1b[2J' | base64`
            assert_eq!(base64, "YW5uYf8AG1sySg==");
        }
        shown.insert((key, payload));
        let (partition, offset) = place.split_once(':').unwrap();
        let two_words = ["dead-letters", "show", partition, offset, "--json"];
        let same: Value = serde_json::from_str(&text(&output(root.path(), &two_words))).unwrap();
        assert_eq!(same, found);
        let plain = text(&output(root.path(), &["dead-letters", "show", &place]));
        let is_safe = |letter: char| letter == '\n' || letter == '\t' || !letter.is_control();
        assert!(plain.chars().all(is_safe), "{plain:?}");
        let reason = letter["reason"].as_str().unwrap();
        assert!(plain.contains(&format!("reason     {reason}\n")), "{plain}");
        assert!(
            plain.contains("header     trace: \"anna's trace\"\n"),
            "{plain}"
        );
        if of_bytes.is_some() {
            assert!(plain.contains("anna\\xff\\x00\\x1b[2J"), "{plain}");
        }
    }
    let expected = bad.iter().map(|(key, payload, _)| {
        let payload = payload
            .clone()
            .and_then(|payload| String::from_utf8(payload).ok());
        (key.map(str::to_owned), payload)
    });
    assert_eq!(shown, expected.collect());

    for (place, code, said) in [
        (&["0:999"][..], 1, "partition 0 has no dead letter"),
        (&["99:0"], 1, "partition is 99, allowed is 0 to 11"),
        (&["0"], 2, "such as 0:17"),
        (&["zero", "1"], 2, "\"zero 1\" is no place of a dead letter"),
        (&["-1", "0"], 2, "unexpected argument"),
        (&[], 2, "PARTITION:OFFSET"),
    ] {
        let output = output(root.path(), &[&["dead-letters", "show"], place].concat());
        fails_with(&output, code, said);
    }
}

fn customer(root: &Path, id: &str) -> Value {
    let found = text(&output(root, &["state", "get", id]));
    serde_json::from_str(&found).unwrap()
}

#[test]
fn what_is_exported_mended_and_replayed_is_processed_once_under_its_customers_key() {
    let root = tempfile::tempdir().unwrap();
    processed(root.path());
    let path = root.path().join("mend.jsonl");
    let out = path.to_str().unwrap();
    let arguments = [
        "dead-letters",
        "export",
        "--reason",
        "currency",
        "--reason",
        "key_mismatch",
        "--out",
        out,
    ];
    let exported = output(root.path(), &arguments);
    text(&exported);
    assert!(errors(&exported).contains("exported the payloads of 2 dead letters"));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let exported = std::fs::read_to_string(&path).unwrap();
    let lines: BTreeSet<&str> = exported.lines().collect();
    let (first, third) = (order("e-1", "anna-1", "gbp"), order("e-3", "anna-3", "USD"));
    assert_eq!(lines, BTreeSet::from([first.as_str(), third.as_str()]));

    let mended = exported.replace("\"gbp\"", "\"USD\"");
    std::fs::write(&path, &mended).unwrap();
    let replay = ["replay", "--input", out, "--format", "jsonl", "--json"];
    let summary: Value = serde_json::from_str(&text(&output(root.path(), &replay))).unwrap();
    assert_eq!(summary["verdicts"]["applied"], 2, "{summary}");
    // Other content, so that it is another replay.
    std::fs::write(&path, format!("{mended}\n\n")).unwrap();
    let summary: Value = serde_json::from_str(&text(&output(root.path(), &replay))).unwrap();
    assert_eq!(summary["verdicts"]["duplicate"], 2, "{summary}");
    for id in ["anna-1", "anna-3"] {
        let found = customer(root.path(), id);
        assert_eq!(
            (&found["orders"], &found["total_spending"]),
            (&1.into(), &"20.50".into())
        );
    }
    let log =
        EmbeddedLog::open(&root.path().join("store-log"), PARTITIONS, Faults::none()).unwrap();
    let keys = log.inputs().map(|found| found.unwrap().1);
    let of_third = keys.filter(|record| record.payload.as_deref() == Some(third.as_bytes()));
    let keys: Vec<Option<Vec<u8>>> = of_third.map(|record| record.key).collect();
    let key = |key: &str| Some(key.as_bytes().to_vec());
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(sorted, [key("anna-3"), key("anna-3"), key("anna-key")]);
}

#[test]
fn what_cannot_be_a_line_is_named_and_the_rest_is_exported() {
    let root = tempfile::tempdir().unwrap();
    let bad = processed(root.path());
    let exported = output(root.path(), &["dead-letters", "export"]);
    fails_with(
        &exported,
        3,
        "5 dead letters cannot be a line of JSON Lines and were left out",
    );
    let said = errors(&exported);
    assert!(
        said.contains("1 of them had several lines, which were joined"),
        "{said}"
    );
    let letters = list(
        root.path(),
        &[
            "--reason",
            "unreadable",
            "--reason",
            "schema_registry_format",
        ],
    );
    let left_out: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("left out "))
        .collect();
    assert_eq!(left_out.len(), NO_LINES, "{said}");
    for line in &left_out {
        let (place_here, _) = line.split_once(' ').unwrap();
        assert!(
            letters.iter().any(|letter| place(letter) == place_here),
            "{line}"
        );
    }
    for why in [
        "its value is null",
        "it is not UTF-8",
        "it is empty",
        "it has several lines and is no JSON document",
        "it begins with the byte 0",
    ] {
        assert!(
            left_out.iter().any(|line| line.contains(why)),
            "{why}: {said}"
        );
    }
    let text = String::from_utf8(exported.stdout).unwrap();
    let lines: BTreeSet<&str> = text.lines().collect();
    let joined = "{   \"event_id\": \"e-pretty\",    \"type\": \"order.lost\",   \"customer_id\": \"anna-pretty\" }";
    let expected = bad[..LINES]
        .iter()
        .map(|(_, payload, reason)| match *reason {
            "type" => joined,
            _ => std::str::from_utf8(payload.as_deref().unwrap()).unwrap(),
        });
    assert_eq!(lines, expected.collect());
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_to_be_replaced() {
    let root = tempfile::tempdir().unwrap();
    processed(root.path());
    let folder = root.path().join("exports");
    std::fs::create_dir(&folder).unwrap();
    let export = |name: &str, more: &[&str]| {
        let path = folder.join(name);
        let begin = ["dead-letters", "export", "--out", path.to_str().unwrap()];
        output(root.path(), &[&begin, more].concat())
    };
    let currency = ["--reason", "currency"];
    std::fs::write(folder.join("there"), "mine").unwrap();
    fails_with(
        &export("there", &currency),
        2,
        "is already there: choose another name, or replace it with --force",
    );
    std::os::unix::fs::symlink(folder.join("nowhere"), folder.join("link")).unwrap();
    fails_with(&export("link", &currency), 2, "is already there");
    fails_with(
        &export("", &currency),
        2,
        "exports/ is a directory: it must be a file",
    );
    fails_with(&export("", &["--force"]), 2, "is a directory");
    let missing = export("missing/file", &currency);
    assert!(!missing.status.success());
    assert!(
        errors(&missing).contains("missing/file"),
        "{}",
        errors(&missing)
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("there")).unwrap(),
        "mine"
    );
    text(&export("there", &["--reason", "currency", "--force"]));
    let replaced = std::fs::read_to_string(folder.join("there")).unwrap();
    assert_eq!(replaced, format!("{}\n", order("e-1", "anna-1", "gbp")));
    // What was left out does not keep the rest from being written.
    fails_with(&export("rest", &[]), 3, "left out");
    let rest = std::fs::read_to_string(folder.join("rest")).unwrap();
    assert_eq!(rest.lines().count(), LINES);
    let none = export("none", &["--reason", "late"]);
    text(&none);
    assert!(
        errors(&none).contains("no file was written"),
        "{}",
        errors(&none)
    );
    fails_with(
        &output(root.path(), &["dead-letters", "export", "--force"]),
        2,
        "--out",
    );
    let names: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["link", "rest", "there"].map(str::to_owned).into());
}

/// A dead letter as Kafka's limits may make it, written to the embedded log, which has none.
fn letter(value: &[u8], limit_bytes: usize) -> OutputRecord {
    let own = |name: &'static str, value: &str| -> Header { (name.into(), Some(value.into())) };
    let record = OutputRecord {
        key: Some(b"anna".to_vec()),
        value: Some(value.to_vec()),
        headers: vec![
            own("reason", "currency"),
            own(
                "detail",
                "currency: \"anna\" is not an ISO 4217 code of three capital letters",
            ),
            own("source_topic", "retail.events.v1"),
            own("source_partition", "0"),
            own("source_offset", "7"),
            own("app_version", "0.1.0"),
        ],
        timestamp: at(RECORD_TIME),
    };
    fitted(&record, limit_bytes).into_owned()
}

fn write_letters(root: &Path, letters: Vec<OutputRecord>) {
    let log = EmbeddedLog::open(&root.join("store-log"), PARTITIONS, Faults::none()).unwrap();
    let mut worker = log.worker(0, 1);
    let Polled::Assigned(partitions) = worker.poll(all()).unwrap() else {
        panic!("nothing is assigned");
    };
    for partition in partitions {
        worker
            .resume_at(partition, AppliedOffsets::default())
            .unwrap();
    }
    let outputs = letters
        .into_iter()
        .map(|letter| to(Topic::DeadLetters, letter));
    let transaction = Transaction {
        partitions: vec![part(Partition(0), 0, Vec::new())],
        outputs: outputs.collect(),
    };
    worker.commit(&transaction).unwrap();
}

#[test]
fn a_compressed_payload_is_shown_and_exported_as_it_came_and_a_cut_one_is_said() {
    let root = tempfile::tempdir().unwrap();
    let order = order("e-large", "anna", "gbp");
    // White space at the end of an object is no part of it.
    let large = format!("{}{}}}", order.trim_end_matches('}'), " ".repeat(100_000));
    // Hexadecimal digits of hashes, of which compression leaves half.
    let hashes = (0_u64..).map(|number| format!("{:x}", Sha256::digest(number.to_le_bytes())));
    let noise: String = hashes
        .flat_map(String::into_bytes)
        .take(50_000)
        .map(char::from)
        .collect();
    let mut unknown = letter(b"anna", 10_000);
    unknown.headers.clear();
    let mut damaged = letter(large.as_bytes(), 10_000);
    damaged.value.as_mut().unwrap().truncate(20);
    let letters = vec![
        letter(large.as_bytes(), 10_000),
        letter(noise.as_bytes(), 10_000),
        unknown,
        damaged,
    ];
    write_letters(root.path(), letters);
    let listed = list(root.path(), &[]);
    let states: Vec<(&str, u64)> = listed
        .iter()
        .map(|one| {
            (
                one["payload_state"].as_str().unwrap(),
                one["payload_bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    let length = large.len() as u64;
    assert_eq!(
        states,
        [
            ("compressed", length),
            ("cut", 50_000),
            ("whole", 4),
            ("compressed", length)
        ]
    );
    assert_eq!(listed[2].get("reason"), None);
    let show = |number: usize, more: &[&str]| {
        let place = place(&listed[number]);
        text(&output(
            root.path(),
            &[&["dead-letters", "show", &place], more].concat(),
        ))
    };
    let compressed: Value = serde_json::from_str(&show(0, &["--json"])).unwrap();
    assert!(compressed["record"]["payload"] == large.as_str());
    assert!(show(0, &[]).contains("compressed"));
    let cut: Value = serde_json::from_str(&show(1, &["--json"])).unwrap();
    let beginning = cut["record"]["payload"].as_str().unwrap();
    assert!(noise.starts_with(beginning) && beginning.len() < 10_000);
    assert!(show(1, &[]).ends_with("... (cut)\n"));
    assert!(show(3, &[]).contains("the compressed payload cannot be decompressed"));

    let exported = output(root.path(), &["dead-letters", "export"]);
    fails_with(&exported, 3, "2 dead letters cannot be a line");
    let said = errors(&exported);
    assert!(
        said.contains(&format!(
            "left out {} (currency): only its beginning was kept",
            place(&listed[1])
        )),
        "{said}"
    );
    assert!(said.contains("cannot be decompressed"), "{said}");
    let lines = String::from_utf8(exported.stdout).unwrap();
    assert!(lines == format!("{large}\nanna\n"));
}

#[test]
fn where_there_are_none_or_no_log_that_is_said() {
    let root = tempfile::tempdir().unwrap();
    for command in ["list", "export"] {
        let output = output(root.path(), &["dead-letters", command]);
        fails_with(&output, 4, "there is no log at");
    }
    assert!(
        std::fs::read_dir(root.path()).unwrap().next().is_none(),
        "nothing is made"
    );
    text(&output(
        root.path(),
        &["run", "--until-caught-up", "--set", "http.address="],
    ));
    let empty = output(root.path(), &["dead-letters", "list"]);
    assert_eq!(text(&empty), "");
    assert_eq!(errors(&empty).trim(), "there are no dead letters");
    let path = root.path().join("none.jsonl");
    let export = ["dead-letters", "export", "--out", path.to_str().unwrap()];
    let empty = output(root.path(), &export);
    text(&empty);
    assert!(
        errors(&empty).contains("there are no dead letters to export, and no file was written")
    );
    assert!(!path.exists());
    fails_with(
        &output(root.path(), &["dead-letters", "show", "0:0"]),
        1,
        "partition 0 has no dead letters",
    );
    let directory = root.path().join("store");
    let by_dir = Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(["dead-letters", "list", "--dir", directory.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(
        errors(&by_dir).contains("there are no dead letters"),
        "{by_dir:?}"
    );
}
