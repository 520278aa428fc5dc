//! What the log and the summary say of rejected events, by their topics, partitions and offsets.

use std::path::PathBuf;

use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use serde_json::Value;

use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::support::kafka;
use crate::surroundings::purchase;

const AT: &str = "2026-01-01T00:00:00Z";
/// The same in milliseconds.
const AT_MS: i64 = 1_767_225_600_000;
const UNCHECKED: &str = "input.partitioner=unchecked";

fn in_pounds(number: u32) -> String {
    purchase(number, AT).replace("\"USD\"", "\"GBP\"")
}

fn send(deployment: &Deployment, payloads: &[(u32, String)]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .create()
        .unwrap();
    let events = deployment.topic("events");
    for (number, payload) in payloads {
        let key = format!("c{number}");
        let record = BaseRecord::to(&events)
            .partition(0)
            .key(&key)
            .payload(payload)
            .timestamp(AT_MS);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn rejection<'a>(summary: &'a Value, reason: &str) -> &'a Value {
    let all = summary["rejections"].as_array().unwrap();
    let found = all.iter().find(|one| one["reason"] == reason);
    found.unwrap_or_else(|| panic!("{reason} in {summary:#}"))
}

/// A feed in pounds on a deployment in dollars: said while it runs, one event at a time, and in the summary of a run to the
/// end. A replay to the topic says it before any engine does.
pub fn said_with_their_places() {
    let deployment = Deployment::new("rejections");
    send(&deployment, &[(0, purchase(0, AT))]);
    let running = deployment.start("a", &[UNCHECKED]);
    for number in 1..=20 {
        send(&deployment, &[(number, in_pounds(number))]);
    }
    running.wait_for("NEARLY ALL EVENTS GO TO THE DEAD LETTERS");
    running.signal("TERM");
    let seen = std::sync::Arc::clone(&running.seen);
    assert_eq!(running.code(), Some(0));
    let log = seen.lock().unwrap().join("\n");
    assert_eq!(log.matches("an event is rejected").count(), 1, "{log}");
    assert_eq!(log.matches("NEARLY ALL").count(), 1, "{log}");
    assert!(log.contains("base currency USD"), "{log}");
    assert!(!log.contains("GBP"), "no value: {log}");

    let bad = purchase(31, AT).replace("\"10\"", "-1");
    send(
        &deployment,
        &[(30, in_pounds(30)), (31, bad), (32, purchase(32, AT))],
    );
    let summary = deployment.text(
        "a",
        &["run", "--until-caught-up", "--json", "--set", UNCHECKED],
    );
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let revenue = rejection(&summary, "revenue");
    assert_eq!(revenue["count"], 1, "{summary:#}");
    let first = &revenue["first"][0];
    // One good one, twenty in pounds and another one are before it, and the producer has no transactions.
    assert_eq!(first["offset"], 22, "{summary:#}");
    assert_eq!(first["partition"], 0);
    assert_eq!(first["topic"], Value::from(deployment.topic("events")));
    assert_eq!(first["value"], Value::Null);

    replayed_to_the_topic(&deployment);
}

fn replayed_to_the_topic(deployment: &Deployment) {
    let lines = [purchase(40, AT), "{not json".to_owned(), in_pounds(41)];
    let input: PathBuf = deployment.root.path().join("events.jsonl");
    std::fs::write(&input, lines.join("\n")).unwrap();
    let target = format!("kafka://{}", deployment.topic("events"));
    let input = input.to_str().unwrap();
    let replay = [
        "replay", "--input", input, "--format", "jsonl", "--to", &target, "--json",
    ];
    let refused = deployment.output("producer", &replay);
    assert_eq!(refused.status.code(), Some(3));
    let summary: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(summary["sent"], 3, "{summary:#}");
    assert_eq!(rejection(&summary, "unreadable")["first"][0]["line"], 2);
    let settings = &summary["under_these_settings"];
    let currency = rejection(settings, "unknown_currency");
    assert_eq!(currency["first"][0]["line"], 3, "{summary:#}");
    let allowed = [&replay[..], &["--max-rejected", "1"]].concat();
    assert_eq!(
        deployment.output("producer", &allowed).status.code(),
        Some(0)
    );
}
