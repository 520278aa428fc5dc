//! Brokers that stop, come back, stall, and give the coordinators of group and transactions to each other.

use std::time::Duration;
use std::time::Instant;

use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::Producer;

use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::deployment::wait_owned;
use crate::deployment::wait_until;
use crate::expected;
use crate::expected::Expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::is_long;
use crate::running::Running;
use crate::scraper::free_address;
use crate::support::kafka;
use crate::support::kafka::Node;

/// Longer than a session, and than a transaction may be open.
const OUTAGE: Duration = Duration::from_secs(30);

/// An instance of a deployment on brokers of its own, with input that does not stop.
struct Scene {
    deployment: Deployment,
    member: Member<'static>,
    running: Running,
    feed: Feed,
}

impl Scene {
    fn start(deployment: Deployment, id: &str, seed: u64) -> Self {
        let member = Member {
            instance: "a",
            address: free_address(),
        };
        let settings = [
            format!("http.address={}", member.address),
            format!("instance.id={id}"),
            "commit.interval=50ms".to_owned(),
            "log.filter=info,segstream::telemetry=trace".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let running = deployment.start("a", &[settings.as_slice(), &expected::SETTINGS].concat());
        wait_owned(&deployment.store("a"), 12, Duration::ZERO);
        let feed = Feed::start(&deployment, shop(1000, seed), 60.0);
        feed.wait_sent(200);
        Self {
            deployment,
            member,
            running,
            feed,
        }
    }

    fn wait_committed(&self, what: &str) {
        let count = || {
            let seen = self.running.seen.lock().unwrap();
            let lines = seen.iter();
            lines
                .filter(|line| line.contains("transaction committed"))
                .count()
        };
        let before = count();
        let deadline = Instant::now() + PATIENCE;
        while count() == before {
            assert!(
                Instant::now() < deadline,
                "no transaction after {what}: {:#?}",
                self.running.said()
            );
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Everything equals the fold: changes, latest changes, dead letters, state, gauges, and the store that is left.
    fn end(self) {
        self.feed.finish();
        group::wait_caught_up(&self.deployment, &self.running);
        let expected = Expected::of(&self.deployment);
        expected.wait_for(&self.deployment, &[self.member]);
        self.running.signal("TERM");
        assert_eq!(self.running.code(), Some(0));
        expected.assert_stores(&self.deployment, &["a"]);
    }
}

fn wait_for(duration: Duration) {
    let until = Instant::now() + duration;
    wait_until("the end of the outage", || Instant::now() >= until);
}

/// Stopped twice, and in the long form killed.
pub fn restarted_broker() {
    let mut node = Node::start();
    let deployment = Deployment::on(&node.brokers, "restarted");
    let scene = Scene::start(deployment, "one-restarted", 12);
    for _ in 0..2 {
        node.stop(true);
        node.start_again();
        scene.wait_committed("a restart of the broker");
    }
    if is_long() {
        node.stop(false);
        node.start_again();
        scene.wait_committed("a kill of the broker");
        let ended = end_lost_transactions(&node.brokers);
        println!("{ended} partitions had a transaction whose end the broker has lost");
    }
    scene.end();
}

/// Kafka 4.3.1 may lose the end of a transaction in some partitions where its only broker is killed while it ends it. Then a
/// person ends it there, as docs/RUNBOOK.md says. In how many partitions.
fn end_lost_transactions(brokers: &str) -> usize {
    const TOOL: &str = "org.apache.kafka.tools.TransactionsCommand";
    // The tool knows of transactions that are open for longer than a minute.
    wait_for(Duration::from_secs(65));
    let broker = ["--bootstrap-server", brokers];
    let find = [
        "find-hanging",
        "--broker-id",
        "1",
        "--max-transaction-timeout",
        "1",
    ];
    let found = kafka::tool(TOOL, &[&broker[..], &find].concat());
    assert!(found.status.success(), "{found:?}");
    let found = String::from_utf8(found.stdout).unwrap();
    // The first line has the names: Topic, Partition, ProducerId, ProducerEpoch, CoordinatorEpoch, StartOffset.
    let rows = found.lines().skip(1);
    rows.map(|row| {
        let row: Vec<&str> = row.split_whitespace().collect();
        let abort = [
            "abort",
            "--topic",
            row[0],
            "--partition",
            row[1],
            "--start-offset",
            row[5],
        ];
        let aborted = kafka::tool(TOOL, &[&broker[..], &abort].concat());
        assert!(aborted.status.success(), "{aborted:?}");
    })
    .count()
}

pub fn away_for_half_a_minute() {
    let mut node = Node::start();
    let deployment = Deployment::on(&node.brokers, "away");
    let scene = Scene::start(deployment, "one-away", 13);
    node.stop(true);
    wait_for(OUTAGE);
    node.start_again();
    scene.wait_committed("the outage");
    scene.end();
}

/// What was sent to it meanwhile is done when it goes on, in whatever order.
pub fn stalled_for_half_a_minute() {
    let node = Node::start();
    let deployment = Deployment::on(&node.brokers, "stalled");
    let scene = Scene::start(deployment, "one-stalled", 14);
    node.signal("STOP");
    wait_for(OUTAGE);
    node.signal("CONT");
    scene.wait_committed("the stall");
    scene.end();
}

/// The partition of an internal topic that coordinates a group or a transactional id: Java's hash of the name.
fn coordinated_by(name: &str, partitions: i32) -> i32 {
    let hash = name.bytes().fold(0_i32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(i32::from(byte))
    });
    (hash & i32::MAX) % partitions
}

/// The leader of the partition of an internal topic that coordinates a name.
fn coordinator(client: &BaseConsumer, topic: &str, name: &str) -> i32 {
    let metadata = client.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let partitions = metadata.topics()[0].partitions();
    let count = i32::try_from(partitions.len()).unwrap();
    let partition = coordinated_by(name, count);
    let found = partitions.iter().find(|found| found.id() == partition);
    found.unwrap().leader()
}

/// The second broker has the coordinators of the group and of a worker, and half of the partitions.
pub fn changed_coordinators() {
    const GROUPS: &str = "__consumer_offsets";
    const TRANSACTIONS: &str = "__transaction_state";
    // Brokers notice after their own session that another one was killed.
    let ways: &[bool] = if is_long() { &[true, false] } else { &[true] };
    for is_clean in ways.iter().copied() {
        let [first, mut second] = Node::start_two();
        let brokers = format!("{},{}", first.brokers, second.brokers);
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .set("group.id", "any")
            .create()
            .unwrap();
        // The first use makes the internal topics.
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .set("transactional.id", "any")
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        let mut none = TopicPartitionList::new();
        none.add_partition("none", 0);
        drop(client.committed_offsets(none, PATIENCE));
        let is_on_second = |topic: &str, name: &str| coordinator(&client, topic, name) == 2;
        let group = (0..1000)
            .map(|number| format!("coordinator-{number}"))
            .find(|name| is_on_second(GROUPS, name))
            .unwrap();
        let replicated = ["topics.replication_factor=2"];
        let deployment = Deployment::named(&brokers, group, &replicated);
        let id = (0..1000)
            .map(|number| format!("one-moved-{number}"))
            .find(|id| {
                // The ids of two workers are mostly coordinated by different brokers.
                let of_worker = |worker| format!("{}-{id}-{worker}", deployment.name);
                is_on_second(TRANSACTIONS, &of_worker(0))
            })
            .unwrap();
        let scene = Scene::start(deployment, &id, 15);
        println!("clean: {is_clean}");
        second.stop(is_clean);
        scene.wait_committed("the coordinators are on the other broker");
        let metadata = client.fetch_metadata(Some(TRANSACTIONS), PATIENCE).unwrap();
        let leaders = metadata.topics()[0].partitions().iter();
        assert!(leaders.map(|one| one.leader()).all(|leader| leader == 1));
        // It comes back as a follower.
        second.start_again();
        scene.wait_committed("both brokers are there");
        scene.end();
    }
}
