//! The dead letters of the topic: read by a command, and by an instance over HTTP.

use std::collections::BTreeSet;
use std::process::Output;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::message::Header;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use serde_json::Value;

use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::deployment::set_topic;
use crate::deployment::wait_owned;
use crate::deployment::wait_until;
use crate::group;
use crate::support::kafka;
use crate::surroundings::purchase;

const TOKEN: &str = "open-sesame-open-sesame";
const AT: &str = "2026-01-01T00:00:00Z";
const RECORD_TIME_MS: i64 = 1_767_225_600_000;
const PARTITIONS: u32 = 12;

/// Sends a record to a partition of the input; what is larger than 1 MB compresses well.
fn send(topic: &str, key: &str, value: Option<&[u8]>) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .set("message.max.bytes", "33554432")
        .set("compression.type", "gzip")
        .create()
        .unwrap();
    let trace = Header {
        key: "trace",
        value: Some("abc"),
    };
    let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
        .partition(0)
        .key(key.as_bytes())
        .headers(OwnedHeaders::new().insert(trace))
        .timestamp(RECORD_TIME_MS);
    record.payload = value;
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

fn bad(number: u32) -> String {
    purchase(number, AT).replace("\"USD\"", "\"usd\"")
}

fn fails_with(output: &Output, code: i32, sentence: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(sentence), "{errors}");
}

fn list(deployment: &Deployment, more: &[&str]) -> Vec<Value> {
    let arguments = [&["dead-letters", "list", "--json"], more].concat();
    let text = deployment.text("reader", &arguments);
    assert!(!text.contains("c1\""), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn place(letter: &Value) -> String {
    format!("{}:{}", letter["partition"], letter["offset"])
}

fn get(address: &str, path: &str) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = ureq::Agent::new_with_config(config.build());
    let request = agent.get(format!("http://{address}{path}"));
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    let mut answer = request.call().unwrap();
    let body = answer.body_mut().read_to_string().unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_str(&body).unwrap(),
    )
}

/// All dead letters over HTTP, a page of two at a time.
fn paged(address: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        let mut from = 0;
        loop {
            let path = format!("/v1/dead-letters?partition={partition}&from={from}&limit=2");
            let (status, page) = get(address, &path);
            assert_eq!(status, 200, "{page}");
            all.extend(page["dead_letters"].as_array().unwrap().iter().cloned());
            from = page["offset_next"].as_u64().unwrap();
            if from >= page["end"].as_u64().unwrap() {
                break;
            }
        }
    }
    all
}

/// Two bad orders, a null value, bytes, and a value of 3,000,000 bytes for dead letters of 1,114,124.
fn processed() -> Deployment {
    let deployment = Deployment::new("dead-letters");
    let events = deployment.topic("events");
    set_topic(&events, "max.message.bytes=1048588");
    set_topic(&deployment.topic("letters"), "max.message.bytes=1114124");
    send(&events, "c1", Some(bad(1).as_bytes()));
    send(&events, "c2", Some(bad(2).as_bytes()));
    send(&events, "c3", Some(purchase(3, AT).as_bytes()));
    send(&events, "nothing", None);
    send(&events, "bytes", Some(b"\xff\0"));
    send(&events, "large", Some(&vec![b'a'; 3_000_000]));
    deployment.run_to_end("a", &["input.partitioner=unchecked"]);
    deployment
}

pub fn read_and_sent_again() {
    let deployment = processed();
    let listed = list(&deployment, &[]);
    let found: BTreeSet<(&str, &str, u64)> = listed
        .iter()
        .map(|letter| {
            assert_eq!(letter["source"]["topic"], deployment.topic("events"));
            (
                letter["reason"].as_str().unwrap(),
                letter["payload_state"].as_str().unwrap(),
                letter["payload_bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(listed.len(), 5);
    let length = bad(1).len() as u64;
    let expected = [
        ("currency", "whole", length),
        ("unreadable", "null", 0),
        ("unreadable", "whole", 2),
        ("unreadable", "compressed", 3_000_000),
    ];
    assert_eq!(found, expected.into());
    assert_eq!(list(&deployment, &["--reason", "currency"]).len(), 2);
    assert_eq!(list(&deployment, &["--limit", "1"]), listed[..1]);

    let large = listed
        .iter()
        .find(|letter| letter["payload_state"] == "compressed")
        .unwrap();
    let shown = deployment.text("reader", &["dead-letters", "show", &place(large), "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["record"]["payload"] == "a".repeat(3_000_000));
    assert_eq!(shown["record"]["headers"][0]["name"], "trace");
    let missing = deployment.output("reader", &["dead-letters", "show", "0:999"]);
    fails_with(&missing, 1, "partition 0 has no dead letter");
    let missing = deployment.output("reader", &["dead-letters", "show", "12:0"]);
    fails_with(&missing, 1, "partition is 12, allowed is 0 to 11");

    let all = deployment.output("reader", &["dead-letters", "export"]);
    fails_with(&all, 3, "2 dead letters cannot be a line of JSON Lines");
    let path = deployment.root.path().join("mend.jsonl");
    let out = path.to_str().unwrap();
    let export = [
        "dead-letters",
        "export",
        "--reason",
        "currency",
        "--out",
        out,
    ];
    deployment.text("reader", &export);
    let exported = std::fs::read_to_string(&path).unwrap();
    let lines: BTreeSet<&str> = exported.lines().collect();
    assert_eq!(lines, BTreeSet::from([&*bad(1), &*bad(2)]));
    std::fs::write(&path, exported.replace("\"usd\"", "\"USD\"")).unwrap();
    let target = format!("kafka://{}", deployment.topic("events"));
    let replay = [
        "replay", "--input", out, "--format", "jsonl", "--to", &target,
    ];
    deployment.text("producer", &replay);
    // A second time: they are duplicates.
    deployment.text("producer", &replay);
    deployment.run_to_end("a", &["input.partitioner=unchecked"]);
    let export = deployment.export(&["a"]);
    let orders: BTreeSet<(String, u64)> = export
        .lines()
        .map(|line| {
            let customer: Value = serde_json::from_str(line).unwrap();
            let id = customer["customer_id"].as_str().unwrap().to_owned();
            (id, customer["orders"].as_u64().unwrap())
        })
        .collect();
    let expected = ["c1", "c2", "c3"].map(|id| (id.to_owned(), 1));
    assert_eq!(orders, expected.into());
    assert_eq!(
        list(&deployment, &[]).len(),
        5,
        "nothing was rejected again"
    );
}

/// Beside a running instance, which keeps its partitions: neither it nor the command joins the group for that.
pub fn over_http() {
    let deployment = processed();
    let token_file = deployment.root.path().join("token");
    std::fs::write(&token_file, TOKEN).unwrap();
    let token = format!("http.token_file={}", token_file.display());
    let settings = [
        "http.address=127.0.0.1:0",
        &token,
        "input.partitioner=unchecked",
    ];
    let running = deployment.start("a", &settings);
    let noted = deployment.store("a").join("http.address");
    wait_until("an address of HTTP", || noted.exists());
    let address = std::fs::read_to_string(&noted).unwrap();
    let address = address.trim();
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    let partitions = || group::members(&deployment).values().sum::<usize>();
    wait_until("a stable group", || partitions() == 12);
    let before = group::members(&deployment);
    let listed = list(&deployment, &[]);
    assert_eq!(paged(address), listed);
    let of_reason = "/v1/dead-letters?partition=0&reason=late";
    assert_eq!(
        get(address, of_reason).1["dead_letters"],
        Value::Array(Vec::new())
    );
    for letter in &listed {
        let path = format!("/v1/dead-letters/{}", place(letter).replace(':', "/"));
        let (status, one) = get(address, &path);
        assert_eq!(status, 200, "{one}");
        let arguments = ["dead-letters", "show", &place(letter), "--json"];
        let shown: Value = serde_json::from_str(&deployment.text("reader", &arguments)).unwrap();
        assert!(one == shown, "{letter}");
    }
    assert_eq!(get(address, "/v1/dead-letters/0/999").0, 404);
    assert_eq!(get(address, "/v1/dead-letters/12/0").0, 400);
    assert_eq!(group::members(&deployment), before);
    drop(running);
}
