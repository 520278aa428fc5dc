//! Topics and records that are not as a deployment expects them.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use segstream::codec::key::StateKey;

use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::deployment::set_topic;
use crate::deployment::topic_tool;
use crate::running::Running;
use crate::support;
use crate::support::cluster::committed;
use crate::support::kafka;

fn ends_with(command: &mut Command, sentence: &str) {
    let running = Running::start({
        let mut again = Command::new(command.get_program());
        again.args(command.get_args());
        again
    });
    let seen = Arc::clone(&running.seen);
    let code = running.code();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !seen.lock().unwrap().join("\n").contains(sentence) && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let messages = seen.lock().unwrap().join("\n");
    assert!(messages.contains(sentence), "{sentence:?} in {messages}");
    assert_eq!(code, Some(4), "{messages}");
}

/// Each on topics of its own, which `topics create` made as they should be.
pub fn history_lost_or_changed() {
    let deployment = Deployment::new("history");
    let events = deployment.topic("events");
    let findings = || {
        let text = deployment.text("a", &["topics", "check", "--json"]);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        answer["findings"].as_array().unwrap().clone()
    };
    assert_eq!(findings(), Vec::<serde_json::Value>::new());
    let old = deployment.root.path().join("old.jsonl");
    std::fs::write(&old, purchase(1, "2016-01-01T00:00:00Z")).unwrap();
    let target = format!("kafka://{events}");
    let input = old.to_str().unwrap();
    let arguments = [
        "replay", "--input", input, "--format", "jsonl", "--to", &target,
    ];
    let replay = || deployment.command("producer", &arguments);
    set_topic(&events, "retention.ms=604800000");
    let [finding] = findings().try_into().unwrap();
    assert_eq!(finding["level"], "warning");
    assert_eq!(finding["topic"], events.as_str());
    assert_eq!(finding["setting"], "retention.ms");
    assert_eq!(finding["value"], "604800000");
    assert_eq!(finding["wanted"], "-1");
    ends_with(
        &mut replay(),
        "has retention.ms=604800000, and the oldest event is of 2016-01-01",
    );
    let simulate = [
        "simulate",
        "--customers",
        "1",
        "--days",
        "1",
        "--out",
        &target,
    ];
    ends_with(
        &mut deployment.command("shop", &simulate),
        "has retention.ms=604800000, and the oldest event is of 2026-01-01",
    );
    let caught_up = deployment.output("a", &["run", "--until-caught-up"]);
    assert!(caught_up.status.success(), "{caught_up:?}");
    let said = String::from_utf8_lossy(&caught_up.stderr);
    assert_eq!(
        said.matches("has retention.ms=604800000").count(),
        1,
        "{said}"
    );
    set_topic(&events, "retention.ms=-1");
    set_topic(&events, "message.timestamp.type=LogAppendTime");
    ends_with(
        &mut replay(),
        "has message.timestamp.type=LogAppendTime: the broker would replace",
    );
    ends_with(
        &mut deployment.command("a", &["run"]),
        "has message.timestamp.type=LogAppendTime: the broker replaces",
    );
    let mut on_wall_clock = deployment.command("a", &["topics", "check"]);
    let checked = on_wall_clock.args(["--set", "time.clock=wall"]);
    let checked = checked.output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(said.starts_with("warning: "), "{said}");
    set_topic(&events, "message.timestamp.type=CreateTime");
    set_topic(&events, "cleanup.policy=compact");
    ends_with(
        &mut replay(),
        "has a cleanup.policy with compact: the broker would remove",
    );
    ends_with(
        &mut deployment.command("a", &["run"]),
        "has cleanup.policy=compact: compaction removes all events of a customer but the last",
    );
}

pub fn wrong_surroundings() {
    let deployment = Deployment::new("wrong");
    let other = Deployment::new("wrong-other");
    let run = || deployment.command("a", &["run"]);
    ends_with(
        run().args(["--set", "kafka.brokers=127.0.0.1:1"]),
        "the cluster does not answer",
    );
    ends_with(
        run().args(["--set", "topics.events=not-there"]),
        "topic not-there is missing: run `segstream topics create`",
    );
    ends_with(
        run().args(["--set", &format!("topics.state={}", other.topic("changes"))]),
        "set it to compact",
    );
    let odd = deployment.topic("odd");
    topic_tool(&[
        "--create",
        "--topic",
        &odd,
        "--partitions",
        "5",
        "--config",
        "cleanup.policy=compact",
        "--config",
        "delete.retention.ms=86400000",
    ]);
    ends_with(
        run().args(["--set", &format!("topics.state={odd}")]),
        "has 12 partitions",
    );
    let small = deployment.topic("small");
    topic_tool(&[
        "--create",
        "--topic",
        &small,
        "--partitions",
        "1",
        "--config",
        "max.message.bytes=1000",
    ]);
    ends_with(
        run().args(["--set", &format!("topics.dead_letters={small}")]),
        "the headers of a dead letter may need 8192",
    );
    let remedy = format!("create {small} again with 12 partitions, once it is read to its end");
    ends_with(
        run().args(["--set", &format!("topics.transfers={small}")]),
        &format!("(topics.transfers) has 1: {remedy}"),
    );
    // The transactional ids begin with the group.
    let denied = deployment.topic("denied");
    let arguments = [
        "--bootstrap-server",
        kafka::brokers(),
        "--add",
        "--deny-principal",
        "User:ANONYMOUS",
        "--operation",
        "All",
        "--transactional-id",
        &denied,
        "--resource-pattern-type",
        "prefixed",
        "--force",
    ];
    let classes = [
        "org.apache.kafka.tools.AclCommand",
        "kafka.admin.AclCommand",
    ];
    let is_denied = |class: &&str| kafka::tool(class, &arguments).status.success();
    assert!(classes.iter().any(is_denied), "the rights are taken away");
    ends_with(
        run().args(["--set", &format!("kafka.group_id={denied}")]),
        "no transactions",
    );
    // Something is committed, then the state is gone.
    let event = deployment.root.path().join("event.jsonl");
    std::fs::write(
        &event,
        r#"{"event_id":"e","type":"order.completed","occurred_at":"2026-01-01T00:00:00Z","customer_id":"c","order_id":"o","currency":"USD","revenue":"1"}"#,
    )
    .unwrap();
    let target = format!("kafka://{}", deployment.topic("events"));
    let input = event.to_str().unwrap();
    deployment.text(
        "producer",
        &[
            "replay", "--input", input, "--format", "jsonl", "--to", &target,
        ],
    );
    deployment.run_to_end("a", &[]);
    let fresh = deployment.topic("fresh");
    topic_tool(&[
        "--create",
        "--topic",
        &fresh,
        "--partitions",
        "12",
        "--config",
        "cleanup.policy=compact",
    ]);
    let state = format!("topics.state={fresh}");
    ends_with(run().args(["--set", &state]), "was made from another log");
    let elsewhere = format!("store.directory={}", deployment.store("b").display());
    ends_with(
        run().args(["--set", &state, "--set", &elsewhere]),
        "its changelog has no checkpoint",
    );
    // The input is made anew, shorter than what was read.
    let events = deployment.topic("events");
    topic_tool(&["--delete", "--topic", &events]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let arguments = [
            "--bootstrap-server",
            kafka::brokers(),
            "--create",
            "--topic",
            &events,
            "--partitions",
            "12",
        ];
        let created = kafka::tool("org.apache.kafka.tools.TopicCommand", &arguments);
        if created.status.success() {
            break;
        }
        assert!(Instant::now() < deadline, "{created:?}");
    }
    ends_with(&mut run(), "was shortened or made anew");
}

/// An event of a customer of its own, at an instant.
pub fn purchase(number: u32, occurred_at: &str) -> String {
    format!(
        r#"{{"event_id":"e{number}","type":"order.completed","occurred_at":"{occurred_at}","customer_id":"c{number}","order_id":"o{number}","currency":"USD","revenue":"10"}}"#
    )
}

pub fn misleading_tails() {
    for clock in ["wall", "event"] {
        tails_on_a_clock(clock);
    }
}

fn tails_on_a_clock(clock: &str) {
    let deployment = Deployment::new(&format!("tails-{clock}"));
    let events = deployment.topic("events");
    set_topic(
        &events,
        "message.timestamp.after.max.ms=9223372036854775807",
    );
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .set("transactional.id", deployment.topic("producer"))
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    let send = |number: u32, timestamp: i64| {
        let key = format!("c{number}");
        let payload = purchase(number, "2026-01-01T00:00:00Z");
        let record = BaseRecord::to(&events)
            .partition(3)
            .key(&key)
            .payload(&payload)
            .timestamp(timestamp);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    };
    // Year 2100 and one without a record time among sound ones.
    let sound = 1_767_225_600_000;
    producer.begin_transaction().unwrap();
    send(1, sound);
    send(2, 4_102_444_800_000);
    send(3, sound + 1000);
    send(5, -1);
    producer.commit_transaction(PATIENCE).unwrap();
    // The input ends in an aborted transaction.
    producer.begin_transaction().unwrap();
    send(4, sound + 2000);
    producer.flush(PATIENCE).unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
    // All in one partition, whatever their keys.
    let clock = format!("time.clock={clock}");
    deployment.run_to_end("a", &[&clock, "input.partitioner=unchecked"]);
    let export = deployment.export(&["a"]);
    let evaluated: Vec<(String, String)> = export
        .lines()
        .map(|line| {
            let customer: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| customer[field].as_str().unwrap().to_owned();
            (text("customer_id"), text("evaluated_at"))
        })
        .collect();
    // The one from the year 2100 and the one without a time count as of the greatest believable record time before it.
    let expected = [
        ("c1", "2026-01-01T00:00:00.000Z"),
        ("c2", "2026-01-01T00:00:00.000Z"),
        ("c3", "2026-01-01T00:00:01.000Z"),
        ("c5", "2026-01-01T00:00:01.000Z"),
    ]
    .map(|(id, at)| (id.to_owned(), at.to_owned()));
    assert_eq!(evaluated, expected, "and the aborted purchase is not there");
    assert!(deployment.changelog() == export);
}

/// Sends a purchase of each of five customers, at `hour` of a day.
fn send_round(producer: &BaseProducer, topic: &str, hour: i64) {
    const DAY_BEGINS_MS: i64 = 1_767_225_600_000;
    for customer in 1..=5 {
        let key = format!("c{customer}");
        let payload = format!(
            r#"{{"event_id":"e{customer}-{hour}","type":"order.completed","occurred_at":"2026-01-01T{hour:02}:00:00Z","customer_id":"c{customer}","order_id":"o{customer}-{hour}","currency":"USD","revenue":"10"}}"#
        );
        let record = BaseRecord::to(topic)
            .key(&key)
            .payload(&payload)
            .timestamp(DAY_BEGINS_MS + hour * 3_600_000);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// Begins a transaction and writes what is no state to every partition of a changelog.
fn soil_changelog(deployment: &Deployment, name: &str) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .set("transactional.id", deployment.topic(name))
        .set("transaction.timeout.ms", "2000")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let topic = deployment.topic("state");
    for partition in 0..12 {
        let record = BaseRecord::to(&topic)
            .partition(partition)
            .key("c1")
            .payload("no state");
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    producer
}

pub fn changelog_tails() {
    let deployment = Deployment::new("changelog");
    let (events, state) = (deployment.topic("events"), deployment.topic("state"));
    // Every append after this begins a segment, and all segments but the last are compacted.
    set_topic(&state, "segment.ms=100,min.cleanable.dirty.ratio=0.001");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    // Empty: the first run finds nothing to restore; most partitions stay without a record.
    let restored = |instance: &str, what: &str, expected: &str| {
        deployment.run_to_end(instance, &[]);
        assert!(deployment.export(&[instance]) == expected, "{what}");
    };
    send_round(&producer, &events, 1);
    deployment.run_to_end("a", &[]);
    // A store as of now, whose place in the changelog will have been compacted away.
    support::copy_directory(&deployment.store("a"), &deployment.store("behind"));
    for hour in [2, 3] {
        send_round(&producer, &events, hour);
        deployment.run_to_end("a", &[]);
    }
    let expected = deployment.export(&["a"]);
    assert_eq!(expected.lines().count(), 5);
    assert!(expected.contains(r#""orders":3"#), "{expected}");
    assert!(deployment.changelog() == expected);
    // Every changelog ends in an aborted transaction, also those without any state.
    let aborted = soil_changelog(&deployment, "aborted");
    aborted.abort_transaction(PATIENCE).unwrap();
    restored("tail", "an aborted tail", &expected);
    // Compacted: one record a customer is left, and behind them control records alone.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let records = committed(&state, 12);
        let of_customers = records
            .iter()
            .filter(|record| {
                let key = record.key.as_deref().unwrap_or_default();
                matches!(StateKey::decode(key), Ok(StateKey::Head(_)))
            })
            .count();
        if of_customers == 5 {
            break;
        }
        assert!(Instant::now() < deadline, "{of_customers} records are left");
        std::thread::park_timeout(Duration::from_millis(200));
    }
    restored(
        "compacted",
        "a compacted changelog from its start",
        &expected,
    );
    restored("behind", "from a place that was compacted away", &expected);
    // Undecided: what was left open holds the restore until the broker has ended it.
    let undecided = soil_changelog(&deployment, "undecided");
    restored("waits", "behind a transaction that was open", &expected);
    drop(undecided);
    // And it goes on from there.
    send_round(&producer, &events, 4);
    deployment.run_to_end("waits", &[]);
    let later = deployment.export(&["waits"]);
    assert!(later.contains(r#""orders":4"#), "{later}");
    assert!(deployment.changelog() == later);
}

pub fn ten_megabytes() {
    let deployment = Deployment::new("large");
    for (kind, bytes) in [("events", 12 << 20), ("letters", (12 << 20) + (64 << 10))] {
        let topic = deployment.topic(kind);
        let setting = format!("max.message.bytes={bytes}");
        set_topic(&topic, &setting);
    }
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .set("message.max.bytes", "33554432")
        .create()
        .unwrap();
    let events = deployment.topic("events");
    let garbage = "x".repeat(10 << 20);
    let payloads = [
        purchase(1, "2026-01-01T00:00:00Z"),
        garbage.clone(),
        purchase(2, "2026-01-01T00:00:00Z"),
    ];
    for (key, payload) in ["c1", "large", "c2"].iter().zip(&payloads) {
        let record = BaseRecord::to(&events)
            .key(*key)
            .payload(payload)
            .timestamp(1_767_225_600_000);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    // The partitioner of this client is librdkafka's default.
    deployment.run_to_end("a", &["input.partitioner=crc32"]);
    assert_eq!(deployment.export(&["a"]).lines().count(), 2);
    let letters = committed(&deployment.topic("letters"), 12);
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].value.as_deref() == Some(garbage.as_bytes()),
        "the bytes as they came"
    );
    let reason = letters[0].headers.iter().find(|(name, _)| name == "reason");
    assert_eq!(reason.unwrap().1.as_deref(), Some(&b"unreadable"[..]));
}
