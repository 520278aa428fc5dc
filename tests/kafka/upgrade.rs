//! A deployment whose state an earlier version wrote, in format 3. `tests/fixtures/README.md` says where the files
//! come from.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::CommitMode;
use rdkafka::consumer::Consumer;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use segstream::codec::format_3;
use segstream::codec::key::StateKey;
use segstream::dataset::Options;
use segstream::dataset::replay;
use segstream::domain::ids::Source;
use segstream::domain::money::Currency;
use segstream::domain::partitioner::partition_of;
use segstream::domain::time::BusinessZone;
use serde_json::Value;

use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::support;
use crate::support::cdnow::comparable_changes;
use crate::support::cluster::committed_on;
use crate::support::cluster::events_on;
use crate::support::kafka;

const PARTITIONS: u32 = 3;
/// Format 3 did not compare an event's partition with its key's.
const SETTINGS: [&str; 1] = ["topics.partitions=3"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/format3")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().collect();
    let bytes = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    });
    bytes.collect()
}

/// Sends the events of a file to the partitions where the embedded log had them, which places an event without a key
/// by its bytes.
fn send_events(deployment: &Deployment, name: &str) {
    let context = replay::Context::new(Currency::parse("USD").unwrap(), BusinessZone::UTC);
    let options = Options::default();
    let history = replay::read(&fixture(name), replay::Format::Jsonl, &context, &options);
    let events = history.unwrap().events;
    let producer = producer(deployment);
    let topic = deployment.topic("events");
    for event in &events {
        let placed_by = event.key.as_ref().unwrap_or(&event.payload);
        let mut record = BaseRecord::<[u8], [u8]>::to(&topic)
            .partition(i32::try_from(partition_of(placed_by, PARTITIONS).0).unwrap())
            .payload(&event.payload)
            .timestamp(event.record_time.as_milliseconds());
        record.key = event.key.as_deref();
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn producer(deployment: &Deployment) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", &deployment.brokers)
        .set("enable.idempotence", "true")
        .create()
        .unwrap()
}

/// Writes the changelog of the earlier version; what its checkpoints say of the input.
fn send_changelog(deployment: &Deployment) -> BTreeMap<i32, u64> {
    let producer = producer(deployment);
    let topic = deployment.topic("state");
    let mut offsets = BTreeMap::new();
    for line in text("changelog.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let partition = i32::try_from(line["partition"].as_i64().unwrap()).unwrap();
        let key = line["key"].as_str().unwrap();
        let value = unhex(line["value"].as_str().unwrap());
        if StateKey::decode(key.as_bytes()).unwrap() == StateKey::OldCheckpoint {
            let checkpoint = format_3::decode_checkpoint(&value).unwrap().checkpoint;
            offsets.insert(partition, checkpoint.offsets.next(Source::Events));
        }
        let record = BaseRecord::to(&topic)
            .partition(partition)
            .key(key)
            .payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    offsets
}

/// The group's offsets as the earlier version committed them.
fn commit_offsets(deployment: &Deployment, offsets: &BTreeMap<i32, u64>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &deployment.brokers)
        .set("group.id", &deployment.name)
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        let offset = Offset::Offset(i64::try_from(*offset).unwrap());
        list.add_partition_offset(&deployment.topic("events"), *partition, offset)
            .unwrap();
    }
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

/// Changes of a file of the fixture, in which the input topic has the deployment's name.
fn changes_of(deployment: &Deployment, name: &str) -> Vec<Value> {
    let renamed = text(name).replace("retail.events.v1", &deployment.topic("events"));
    without_pulls(renamed.lines())
}

/// Without the pulls, which had no bound near a border before.
fn without_pulls<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Value> {
    let mut changes = comparable_changes(lines);
    for change in &mut changes {
        for feature in change["explanation"].as_array_mut().unwrap() {
            feature.as_object_mut().unwrap().remove("pull");
        }
    }
    changes
}

/// Changes that the deployment has published.
fn published(deployment: &Deployment) -> Vec<Value> {
    let topic = deployment.topic("changes");
    let records = committed_on(&deployment.brokers, &topic, PARTITIONS);
    let values: Vec<String> = records
        .into_iter()
        .map(|(_, record)| String::from_utf8(record.value.unwrap()).unwrap())
        .collect();
    without_pulls(values.iter().map(String::as_str))
}

pub fn format_3_goes_on() {
    let deployment = Deployment::with(kafka::brokers(), "upgrade", &SETTINGS);
    send_events(&deployment, "before.jsonl");
    let offsets = send_changelog(&deployment);
    let topic = deployment.topic("events");
    let events = events_on(&deployment.brokers, &topic, PARTITIONS);
    let ends = events.iter().map(|(position, _)| {
        let partition = i32::try_from(position.partition.0).unwrap();
        (partition, position.offset + 1)
    });
    assert_eq!(
        offsets,
        ends.collect(),
        "the checkpoints cover all of the input"
    );
    commit_offsets(&deployment, &offsets);
    let run = || {
        let arguments = ["run", "--until-caught-up", "--set", SETTINGS[0]];
        deployment.text("a", &arguments);
    };
    run();
    assert_eq!(
        deployment.export(&["a"]),
        support::as_evaluated(&text("export_before.jsonl"))
    );
    assert_eq!(
        deployment.changelog(),
        support::as_evaluated(&text("export_before.jsonl"))
    );
    assert_eq!(published(&deployment), Vec::<Value>::new(), "nothing twice");
    send_events(&deployment, "after.jsonl");
    run();
    assert_eq!(
        deployment.export(&["a"]),
        support::as_evaluated(&text("export_after.jsonl"))
    );
    let before = changes_of(&deployment, "changes_before.jsonl");
    let mut expected = changes_of(&deployment, "changes_after.jsonl");
    expected.retain(|change| !before.contains(change));
    assert!(expected.len() > 20);
    assert_eq!(
        published(&deployment),
        expected,
        "the next sequences, once each"
    );
    deployment.text("a", &["state", "recount"]);
    // Again from the changelog alone, in which both formats are now.
    std::fs::remove_dir_all(deployment.store("a")).unwrap();
    run();
    assert_eq!(
        deployment.export(&["a"]),
        support::as_evaluated(&text("export_after.jsonl"))
    );
    assert_eq!(
        deployment.changelog(),
        support::as_evaluated(&text("export_after.jsonl"))
    );
    assert_eq!(published(&deployment), expected);
}
