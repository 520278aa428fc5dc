//! Topics that do not hold what the state was made from.

use std::sync::Arc;

use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;

use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::deployment::topic_tool;
use crate::deployment::wait_until;
use crate::running::Running;
use crate::support::kafka;
use crate::surroundings::purchase;

const UNCHECKED: &str = "input.partitioner=unchecked";

/// Sends purchases of these numbers to partition 0, each a second after the one before.
fn send(topic: &str, numbers: std::ops::Range<u32>) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .create()
        .unwrap();
    for number in numbers {
        let key = format!("c{number}");
        let payload = purchase(number, "2026-01-01T00:00:00Z");
        let record = BaseRecord::to(topic)
            .partition(0)
            .key(&key)
            .payload(&payload)
            .timestamp(1_767_225_600_000 + i64::from(number) * 1000);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

fn create(topic: &str) {
    let made = || {
        let arguments = [
            "--bootstrap-server",
            kafka::brokers(),
            "--create",
            "--topic",
            topic,
            "--partitions",
            "12",
            // The record times are of long ago.
            "--config",
            "retention.ms=-1",
        ];
        let output = kafka::tool("org.apache.kafka.tools.TopicCommand", &arguments);
        output.status.success()
    };
    // A topic of this name is deleted in the background.
    wait_until("a new topic", made);
}

/// The exit code and the messages of a run to the end.
fn run(deployment: &Deployment, extra: &[&str]) -> (Option<i32>, String) {
    let mut command = deployment.command("a", &["run", "--until-caught-up"]);
    for setting in [&[UNCHECKED], extra].concat() {
        command.args(["--set", setting]);
    }
    let running = Running::start(command);
    let seen = Arc::clone(&running.seen);
    let code = running.code();
    let seen = seen.lock().unwrap();
    (code, seen.join("\n"))
}

fn assert_refused((code, errors): &(Option<i32>, String), topic: &str) {
    assert_eq!(*code, Some(4), "{errors}");
    let problem = "offset 29 is not the one that was processed there";
    assert!(errors.contains(problem), "{topic}: {errors}");
}

pub fn topic_made_anew() {
    let deployment = Deployment::new("anew");
    let events = deployment.topic("events");
    send(&events, 0..30);
    assert_eq!(run(&deployment, &[]).0, Some(0));
    let before = deployment.changelog_with(&[UNCHECKED]);
    assert_eq!(before.lines().count(), 30);
    topic_tool(&["--delete", "--topic", &events]);
    create(&events);
    send(&events, 100..160);
    assert_refused(&run(&deployment, &[]), &events);
    // What is there stays.
    assert_eq!(deployment.changelog_with(&[UNCHECKED]), before);
}

/// Each of these topics has more records than were processed. The one that begins as the first one does is that topic, as
/// far as anybody can tell.
pub fn other_topics() {
    let deployment = Deployment::new("other");
    let events = deployment.topic("events");
    send(&events, 0..30);
    assert_eq!(run(&deployment, &[]).0, Some(0));
    let other = |name: &str, ranges: &[(u32, u32)]| {
        let topic = deployment.topic(name);
        create(&topic);
        for (first, end) in ranges {
            send(&topic, *first..*end);
        }
        topic
    };
    for (name, ranges) in [
        ("foreign", &[(500, 560)][..]),
        ("without-first", &[(1, 60)]),
        ("once-more", &[(0, 20), (0, 20), (30, 40)]),
    ] {
        let topic = other(name, ranges);
        let settings = [format!("topics.events={topic}")];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        // The group still has the instance as a reader of the first topic.
        assert_refused(&run(&deployment, &settings), name);
    }
    let longer = format!("topics.events={}", other("longer", &[(0, 40)]));
    let (code, errors) = run(&deployment, &[&longer]);
    assert_eq!(code, Some(0), "{errors}");
    let export = deployment.export_with(&["a"], &[UNCHECKED]);
    assert_eq!(export.lines().count(), 40);
}

/// Where the record is gone, nothing can be compared. Where more is gone, `topics check` and `run` refuse.
pub fn removed_records() {
    let deployment = Deployment::new("removed");
    let events = deployment.topic("events");
    send(&events, 0..30);
    assert_eq!(run(&deployment, &[]).0, Some(0));
    let remove_below = |offset: u32| {
        let file = deployment.root.path().join("removed.json");
        let partitions = format!(
            r#"{{"partitions":[{{"topic":"{events}","partition":0,"offset":{offset}}}],"version":1}}"#
        );
        std::fs::write(&file, partitions).unwrap();
        let arguments = [
            "--bootstrap-server",
            kafka::brokers(),
            "--offset-json-file",
            file.to_str().unwrap(),
        ];
        let output = kafka::tool("org.apache.kafka.tools.DeleteRecordsCommand", &arguments);
        assert!(output.status.success(), "{output:?}");
    };
    remove_below(30);
    send(&events, 30..40);
    let (code, errors) = run(&deployment, &[]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        errors.contains("whether the topic was made anew cannot be told"),
        "{errors}"
    );
    assert_eq!(
        deployment.export_with(&["a"], &[UNCHECKED]).lines().count(),
        40
    );
    send(&events, 40..50);
    remove_below(45);
    let checked = deployment.output("a", &["topics", "check", "--json"]);
    assert_eq!(checked.status.code(), Some(4), "{checked:?}");
    let answer: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let finding = &answer["findings"].as_array().unwrap();
    let finding = finding.iter().find(|one| one["level"] == "error").unwrap();
    assert_eq!(finding["topic"], events.as_str());
    assert_eq!(
        (finding["value"].as_str(), finding["wanted"].as_str()),
        (Some("45"), Some("40"))
    );
    assert_eq!(run(&deployment, &[]).0, Some(4));
    // Another group has no state, and is only warned.
    let mut begun = deployment.command("b", &["topics", "check", "--json"]);
    begun.args(["--set", "kafka.group_id=another"]);
    let begun = begun.output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&begun.stdout).unwrap();
    let levels = answer["findings"].as_array().unwrap().iter();
    let levels: Vec<&str> = levels
        .filter(|one| one["value"] == "45")
        .map(|one| one["level"].as_str().unwrap())
        .collect();
    assert_eq!(levels, ["warning"], "{answer}");
}
