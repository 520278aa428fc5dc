//! Instances that are killed, join, leave, stall and lag.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use segstream::codec;
use segstream::codec::key::StateKey;

use crate::PATIENCE;
use crate::cdnow;
use crate::deployment::Deployment;
use crate::deployment::wait_owned;
use crate::deployment::wait_until;
use crate::group;
use crate::is_long;
use crate::seed;
use crate::support;
use crate::support::Chance;
use crate::support::cdnow::assert_oracle;
use crate::support::cluster::committed_by_partition;
use crate::support::kafka;

const PURCHASES: u64 = 69_659;

pub fn killed_at_any_moment() {
    let Some(file) = cdnow() else { return };
    let rarely = [
        "store.flush_interval=1d",
        "store.flush_records=100000000",
        "store.flush_bytes=100GiB",
    ];
    let always = ["store.flush_records=0"];
    let variants: [(&str, &[&str], bool); 4] = [
        ("plain", &[], false),
        ("deleted", &[], true),
        ("rarely", &rarely, false),
        ("always", &always, false),
    ];
    for (name, settings, is_deleted) in variants {
        let is_first = name == "plain";
        // A replay of 69,659 purchases lasts 35 s at 2,000 a second.
        let (kills, rate) = match (is_long(), is_first) {
            (true, _) => (20, "2000"),
            (false, true) => (8, "6000"),
            (false, false) => (3, "12000"),
        };
        let open = killed(&file, name, settings, is_deleted, (kills, rate));
        println!("{name}: {kills} kills, {open} of them with an open transaction");
        if is_long() && is_first {
            assert!(open >= 5, "kills with an open transaction");
        }
    }
}

fn killed(
    file: &Path,
    name: &str,
    settings: &[&str],
    is_deleted: bool,
    (kills, rate): (u64, &str),
) -> u64 {
    let deployment = Deployment::new(&format!("killed-{name}"));
    let bands = ["churn.band_changes=true"];
    let settings: &[&str] = &[settings, bands.as_slice()].concat();
    let (expected, expected_changes) = deployment.embedded(file, &bands);
    let by_time = |change: &&serde_json::Value| change["reason"] == "time_passed";
    assert!(expected_changes.iter().filter(by_time).count() > 10_000);
    assert_oracle(&expected, file);
    let mut chance = Chance(seed());
    let mut moments: Vec<u64> = (0..kills)
        .map(|_| PURCHASES / 10 + chance.below(PURCHASES * 8 / 10))
        .collect();
    moments.sort_unstable();
    // Short transactions, so that kills meet open ones; the trace tells which.
    let traced = [
        settings,
        &[
            "commit.interval=5ms",
            "log.filter=segstream::telemetry=trace,segstream::log=trace",
        ],
    ]
    .concat();
    let replay = deployment.replay(file, rate);
    let mut running = deployment.start("a", &traced);
    let mut open = 0;
    for moment in moments {
        replay.wait_sent(moment);
        running.wait_for("transaction committed");
        // Half of the kills right after a transaction began, the others anywhere.
        if chance.below(2) == 0 {
            running.wait_for("transaction begun");
        } else {
            std::thread::park_timeout(Duration::from_micros(chance.below(20_000)));
        }
        open += u64::from(running.kill());
        if is_deleted {
            std::fs::remove_dir_all(deployment.store("a")).unwrap();
        }
        running = deployment.start("a", &traced);
    }
    assert_eq!(replay.code(), Some(0));
    running.wait_for("partitions assigned");
    running.signal("TERM");
    assert_eq!(running.code(), Some(0), "a stop after the kills");
    deployment.run_to_end_of_time("a", settings);
    let stores = deployment.export(&["a"]);
    assert!(
        stores == expected,
        "{name}: the stores equal the run without kills"
    );
    assert!(
        deployment.changelog() == expected,
        "{name}: so does the changelog"
    );
    assert_eq!(deployment.changes(), expected_changes, "{name}: changes");
    // The same again: every delivery is a duplicate.
    assert_eq!(deployment.replay(file, "1000000").code(), Some(0));
    deployment.run_to_end_of_time("a", settings);
    assert!(
        deployment.export(&["a"]) == expected,
        "{name}: a second replay"
    );
    assert_eq!(deployment.changes(), expected_changes, "{name}: again");
    open
}

pub fn joins_dies_returns_and_leaves() {
    let Some(file) = cdnow() else { return };
    let deployment = Deployment::new("joins");
    let (expected, expected_changes) = deployment.embedded(&file, &[]);
    let while_owned = Duration::from_secs(5);
    let replay = deployment.replay(&file, "2000");
    let first = deployment.start("a", &[]);
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    let second = deployment.start("b", &[]);
    wait_owned(&deployment.store("b"), 3, while_owned);
    second.kill();
    let second = deployment.start("b", &[]);
    wait_owned(&deployment.store("b"), 3, while_owned);
    second.signal("TERM");
    assert_eq!(second.code(), Some(0));
    // Silent past its session: everything comes back to the first.
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    assert_eq!(replay.code(), Some(0));
    first.signal("TERM");
    assert_eq!(first.code(), Some(0));
    deployment.run_to_end_of_time("a", &[]);
    assert!(deployment.export(&["a"]) == expected, "the stores");
    assert!(deployment.changelog() == expected, "the changelog");
    let [of_stores, of_changelog] = deployment.models_of_state("a");
    assert!(of_stores["training"]["rows"].as_u64() > Some(1000));
    assert_eq!(of_stores, of_changelog);
    assert_eq!(deployment.changes(), expected_changes);
}

pub fn stopped_past_its_session() {
    let Some(file) = cdnow() else { return };
    for has_purchases in [true, false] {
        let deployment = Deployment::new(&format!("zombie-{has_purchases}"));
        let timeless = deployment.timeless();
        let settings: Vec<&str> = if has_purchases {
            Vec::new()
        } else {
            timeless.iter().map(String::as_str).collect()
        };
        let (expected, expected_changes) = deployment.embedded(&file, &settings);
        // Without purchases its clock alone makes transactions.
        let mut of_zombie = settings.clone();
        if !has_purchases {
            of_zombie.extend(["time.clock=wall", "time.checkpoint_interval=100ms"]);
        }
        let zombie = deployment.start("a", &of_zombie);
        wait_owned(&deployment.store("a"), 12, Duration::ZERO);
        let replay = has_purchases.then(|| {
            let replay = deployment.replay(&file, "6000");
            replay.wait_sent(20_000);
            replay
        });
        zombie.signal("STOP");
        let successor = deployment.start("b", &settings);
        wait_owned(&deployment.store("b"), 12, Duration::ZERO);
        let replay = replay.unwrap_or_else(|| deployment.replay(&file, "1000000"));
        assert_eq!(replay.code(), Some(0));
        zombie.signal("CONT");
        // It finds out by itself: it ends as fenced, or joins again with what is left to own.
        zombie.wait_until("what the zombie does", |line| {
            line.contains("partitions revoked") || line.contains("taken over")
        });
        successor.signal("TERM");
        assert_eq!(successor.code(), Some(0));
        drop(zombie);
        // While the group still counts the killed one as a member, a run moves no clocks of what that one has.
        wait_until("its session is over", || group::is_empty(&deployment));
        // The wall clock of the killed one is far beyond that end.
        if has_purchases {
            deployment.run_to_end_of_time("b", &settings);
        } else {
            deployment.run_to_end("b", &settings);
        }
        assert!(
            deployment.changelog_with(&settings) == expected,
            "{has_purchases}: the changelog"
        );
        assert_eq!(deployment.changes(), expected_changes, "{has_purchases}");
        assert!(
            deployment.export_with(&["b"], &settings) == expected,
            "{has_purchases}: the successor's stores"
        );
    }
}

pub fn stalling_broker() {
    let Some(file) = cdnow() else { return };
    let node = kafka::Node::start();
    let deployment = Deployment::on(&node.brokers, "stall");
    let timeless = deployment.timeless();
    let timeless: Vec<&str> = timeless.iter().map(String::as_str).collect();
    let (expected, expected_changes) = deployment.embedded(&file, &timeless);
    let settings = [timeless.as_slice(), &["time.clock=wall"]].concat();
    let running = deployment.start("a", &settings);
    running.wait_for("partitions assigned");
    let replay = deployment.replay(&file, "6000");
    // Within a session, and past both the session and the transaction's time.
    for (sent, seconds) in [(10_000, 2), (30_000, 9)] {
        replay.wait_sent(sent);
        node.signal("STOP");
        let stalled = Instant::now();
        while stalled.elapsed() < Duration::from_secs(seconds) {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        node.signal("CONT");
    }
    assert_eq!(replay.code(), Some(0));
    running.signal("TERM");
    assert_eq!(running.code(), Some(0));
    deployment.run_to_end("a", &settings);
    let stores = deployment.export_with(&["a"], &timeless);
    assert!(stores == expected, "the stores");
    assert!(
        deployment.changelog_with(&timeless) == expected,
        "the changelog"
    );
    assert_eq!(deployment.changes(), expected_changes);
}

/// A customer of the backlog: bought a day before some moment of the last hour, at which the silence becomes a
/// high risk, and again some minutes before or after that moment.
struct Returning {
    id: String,
    bought_ms: i64,
    silent_ms: i64,
    again_ms: i64,
}

/// Decoded checkpoints of a changelog, by partition in the order of their offsets: their clocks.
fn clocks(topic: &str) -> Vec<Vec<i64>> {
    let mut clocks = vec![Vec::new(); 12];
    for (partition, record) in committed_by_partition(topic, 12) {
        if record.key == Some(StateKey::Checkpoint.encode()) {
            let value = record.value.as_deref().unwrap();
            let checkpoint = codec::partition::decode_checkpoint(value).unwrap();
            clocks[partition].extend(checkpoint.clock.map(|clock| clock.as_milliseconds()));
        }
    }
    clocks
}

pub fn lagging_instance() {
    const MINUTE_MS: i64 = 60_000;
    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
    const CUSTOMERS: u64 = 6000;
    let deployment = Deployment::new("lagging");
    let mut chance = Chance(seed());
    let now = segstream::pipeline::partition::clock::WallClock::system().now();
    let now_ms = now.as_milliseconds();
    let customers: Vec<Returning> = (0..CUSTOMERS)
        .map(|number| {
            let silent_ms = now_ms - MINUTE_MS * 60 + chance.below(50 * 60_000) as i64;
            let apart_ms = 1 + chance.below(8 * 60_000) as i64;
            let is_before = chance.below(2) == 0;
            Returning {
                id: format!("c{number}"),
                bought_ms: silent_ms - DAY_MS,
                silent_ms,
                again_ms: silent_ms + if is_before { -apart_ms } else { apart_ms },
            }
        })
        .collect();
    // The first purchases a day ago, then an hour of backlog, each as of its own time.
    let mut sent: Vec<(i64, &str)> = Vec::new();
    for customer in &customers {
        sent.push((customer.bought_ms, &customer.id));
        sent.push((customer.again_ms, &customer.id));
    }
    sent.sort_unstable();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    let events = deployment.topic("events");
    for (number, (at_ms, id)) in sent.iter().enumerate() {
        let payload = format!(
            r#"{{"event_id":"e{number}","type":"order.completed","occurred_at":{at_ms},"customer_id":"{id}","order_id":"o{number}","currency":"USD","revenue":"10"}}"#
        );
        let record = BaseRecord::to(&events)
            .key(*id)
            .payload(&payload)
            .timestamp(*at_ms);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        if number % 1000 == 0 {
            producer.flush(PATIENCE).unwrap();
        }
    }
    producer.flush(PATIENCE).unwrap();
    let settings = [
        "time.clock=wall",
        "churn.method=silence",
        "churn.silence_days=1",
        "churn.band_changes=true",
        "commit.interval=5ms",
        "commit.records=50",
        "time.checkpoint_interval=100ms",
        "log.filter=segstream::telemetry=trace",
    ];
    // Restarts and a second instance while the backlog is worked off, and ticks of the wall clock behind it.
    for _ in 0..4 {
        let running = deployment.start("a", &settings);
        running.wait_for("transaction committed");
        std::thread::park_timeout(Duration::from_millis(chance.below(300)));
        running.kill();
    }
    let first = deployment.start("a", &settings);
    first.wait_for("transaction committed");
    let second = deployment.start("b", &settings);
    wait_owned(&deployment.store("b"), 3, Duration::from_secs(3));
    second.signal("TERM");
    assert_eq!(second.code(), Some(0));
    wait_owned(&deployment.store("a"), 12, Duration::from_secs(3));
    first.signal("TERM");
    assert_eq!(first.code(), Some(0));
    // By hand: silent before the purchase that waits, or not at all.
    let changes = deployment.changes();
    let mut by_time: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for change in &changes {
        if change["reason"] == "time_passed" && change["churn_risk"]["band"] == "high" {
            let at = support::at(change["occurred_at"].as_str().unwrap());
            let id = change["customer_id"].as_str().unwrap().to_owned();
            by_time.entry(id).or_default().push(at.as_milliseconds());
        }
    }
    let mut called = 0;
    for customer in &customers {
        let found = by_time.remove(&customer.id).unwrap_or_default();
        let is_silent = customer.silent_ms <= customer.again_ms;
        let expected = if is_silent {
            vec![customer.silent_ms]
        } else {
            Vec::new()
        };
        assert_eq!(
            found, expected,
            "{}: again {}",
            customer.id, customer.again_ms
        );
        called += u64::from(is_silent);
    }
    println!("{called} of {CUSTOMERS} were silent before they came back");
    assert!(called > CUSTOMERS / 4 && called < CUSTOMERS * 3 / 4);
    let mut moved = 0;
    for (partition, clocks) in clocks(&deployment.topic("state")).iter().enumerate() {
        for pair in clocks.windows(2) {
            assert!(
                pair[0] <= pair[1],
                "the clock of partition {partition} went back"
            );
            moved += u64::from(pair[0] < pair[1]);
        }
    }
    assert!(moved > 100, "{moved} moves of a clock are in the changelog");
}
