//! The program on real Apache Kafka: killed, restarted, joined, stalled and misconfigured.
//!
//! The short form runs by default; `SEGSTREAM_TEST_LONG=1` runs the full counts. Where there is no
//! Kafka the tests show as ignored with the reason, unless `SEGSTREAM_REQUIRE_KAFKA` is 1.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test may panic, and says what it saw"
)]

mod support;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use segstream::codec;
use segstream::codec::key::StateKey;
use support::Chance;
use support::cdnow::assert_oracle;
use support::cdnow::assert_sequences;
use support::cdnow::comparable_changes;
use support::cluster::Cluster;
use support::cluster::committed;
use support::cluster::committed_by_partition;
use support::contract::contract;
use support::kafka;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);
const PURCHASES: u64 = 69_659;
/// Where the clocks of a run to the end are moved: a year and a half after the last purchase of CDNOW.
const END_OF_TIME: &str = "2000-01-01T00:00:00Z";

fn main() {
    let arguments = Arguments::from_args();
    let tests: [(&str, fn()); 9] = [
        (
            "killed_at_any_moment_the_result_is_that_of_a_run_without_kills",
            killed_at_any_moment,
        ),
        (
            "an_instance_that_joins_dies_returns_and_leaves_changes_nothing",
            joins_dies_returns_and_leaves,
        ),
        (
            "an_instance_that_was_stopped_past_its_session_writes_nothing",
            stopped_past_its_session,
        ),
        (
            "wrong_surroundings_end_with_one_sentence_that_says_what_to_do",
            wrong_surroundings,
        ),
        (
            "record_times_and_tails_that_mislead_a_clock_do_not",
            misleading_tails,
        ),
        ("a_broker_that_stalls_costs_time_only", stalling_broker),
        (
            "a_lagging_instance_calls_nobody_silent_whose_purchase_waits",
            lagging_instance,
        ),
        (
            "a_changelog_that_is_empty_compacted_or_ends_in_no_state_is_restored",
            changelog_tails,
        ),
        (
            "a_record_of_ten_megabytes_is_one_dead_letter_with_its_bytes",
            ten_megabytes,
        ),
    ];
    let reason = kafka::why_not();
    let is_required = std::env::var("SEGSTREAM_REQUIRE_KAFKA").is_ok_and(|value| value == "1");
    if let Some(reason) = &reason {
        eprintln!("no Kafka: {reason}");
    }
    let is_ignored = reason.is_some() && !is_required;
    let trials = contract::<Cluster>().into_iter().chain(tests);
    let trials = trials.map(|(name, test)| {
        let run = move || -> Result<(), Failed> {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn is_long() -> bool {
    std::env::var("SEGSTREAM_TEST_LONG").is_ok_and(|value| value == "1")
}

/// A set of topics and a group of its own.
struct Deployment {
    brokers: String,
    name: String,
    root: TempDir,
}

impl Deployment {
    fn new(name: &str) -> Self {
        Self::on(kafka::brokers(), name)
    }

    fn on(brokers: &str, name: &str) -> Self {
        let deployment = Self {
            brokers: brokers.to_owned(),
            name: format!("{name}-{}", std::process::id()),
            root: tempfile::tempdir().unwrap(),
        };
        let created = deployment.output("setup", &["topics", "create"]);
        assert!(created.status.success(), "{created:?}");
        deployment
    }

    fn topic(&self, kind: &str) -> String {
        format!("{}.{kind}", self.name)
    }

    fn store(&self, instance: &str) -> PathBuf {
        self.root.path().join(instance)
    }

    fn command(&self, instance: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
        command.args(arguments).stdin(Stdio::null());
        let store = self.store(instance);
        for setting in [
            format!("kafka.brokers={}", self.brokers),
            format!("kafka.group_id={}", self.name),
            "kafka.session_timeout=6s".to_owned(),
            "kafka.transaction_timeout=5s".to_owned(),
            format!("topics.events={}", self.topic("events")),
            format!("topics.changes={}", self.topic("changes")),
            format!("topics.current={}", self.topic("current")),
            format!("topics.state={}", self.topic("state")),
            format!("topics.dead_letters={}", self.topic("letters")),
            format!("store.directory={}", store.display()),
            "http.address=".to_owned(),
            "time.clock=event".to_owned(),
            "workers=2".to_owned(),
        ] {
            // What a test says itself comes after, and the last of two counts.
            command.args(["--set", &setting]);
        }
        command
    }

    fn output(&self, instance: &str, arguments: &[&str]) -> Output {
        self.command(instance, arguments).output().unwrap()
    }

    fn text(&self, instance: &str, arguments: &[&str]) -> String {
        let output = self.output(instance, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn start(&self, instance: &str, extra: &[&str]) -> Running {
        let mut command = self.command(instance, &["run"]);
        for setting in extra {
            command.args(["--set", setting]);
        }
        Running::start(command)
    }

    /// Until everything is committed, and until time has moved those who have bought nothing since.
    fn run_to_end(&self, instance: &str, extra: &[&str]) {
        let mut command = self.command(instance, &["run", "--until-caught-up"]);
        command.args(["--advance-to", END_OF_TIME]);
        for setting in extra {
            command.args(["--set", setting]);
        }
        let running = Running::start(command);
        let seen = Arc::clone(&running.seen);
        assert_eq!(running.code(), Some(0), "{:#?}", seen.lock().unwrap());
    }

    /// Sends the purchases of CDNOW and tells how many were sent so far.
    fn replay(&self, file: &Path, rate: &str) -> Running {
        let target = format!("kafka://{}", self.topic("events"));
        let input = file.to_str().unwrap();
        let arguments = [
            "replay", "--input", input, "--format", "cdnow", "--to", &target, "--rate", rate,
        ];
        Running::start(self.command("producer", &arguments))
    }

    /// Settings by which time alone moves nobody: what a wall clock of today does to purchases of long ago
    /// shows only where time counts.
    fn timeless(&self) -> Vec<String> {
        let out = self.root.path().join("timeless.json");
        let Some(data) = support::data_file("marketing_campaign.csv") else {
            return Vec::new();
        };
        let mut arguments = vec![
            "train",
            "--input",
            data.to_str().unwrap(),
            "--window-days",
            "0",
        ];
        arguments.extend(["--features", "total_spending,web_purchases,store_purchases"]);
        arguments.extend([
            "--k",
            "4",
            "--runs",
            "5",
            "--trained-at",
            "2026-01-01T00:00:00Z",
        ]);
        arguments.extend(["--out", out.to_str().unwrap()]);
        let made = Command::new(env!("CARGO_BIN_EXE_segstream"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        vec![
            format!("model.path={}", out.display()),
            "churn.method=off".to_owned(),
        ]
    }

    fn export(&self, instances: &[&str]) -> String {
        self.export_with(instances, &[])
    }

    fn export_with(&self, instances: &[&str], extra: &[&str]) -> String {
        let mut command = self.command(instances[0], &["state", "export"]);
        for setting in extra {
            command.args(["--set", setting]);
        }
        for instance in instances {
            command.arg("--dir").arg(self.store(instance));
        }
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Models of the stopped instance's stores and of the running deployment's changelog, but for what they
    /// say of their source.
    fn models_of_state(&self, instance: &str) -> [serde_json::Value; 2] {
        [None, Some("--changelog")].map(|from| {
            let out = self.root.path().join("model.json");
            let mut arguments = vec!["train", "--format", "state"];
            arguments.extend(["--features", "total_spending,orders,recency_days"]);
            arguments.extend([
                "--window-days",
                "0",
                "--k",
                "4",
                "--k-min",
                "4",
                "--k-max",
                "4",
            ]);
            arguments.extend(["--runs", "5", "--trained-at", "2026-01-01T00:00:00Z"]);
            arguments.extend(["--out", out.to_str().unwrap()]);
            arguments.extend(from);
            self.text(instance, &arguments);
            let text = std::fs::read_to_string(out).unwrap();
            let mut model: serde_json::Value = serde_json::from_str(&text).unwrap();
            model["training"]["source"].take();
            model["fingerprint"].take();
            model
        })
    }

    fn changelog(&self) -> String {
        self.changelog_with(&[])
    }

    fn changelog_with(&self, extra: &[&str]) -> String {
        let mut arguments = vec!["state", "export", "--changelog"];
        for setting in extra {
            arguments.extend(["--set", setting]);
        }
        self.text("export", &arguments)
    }

    /// The changes as Kafka's own console consumer shows them, numbered without gap or repeat.
    fn changes(&self) -> Vec<serde_json::Value> {
        let seen = kafka::console_consume(&self.brokers, &self.topic("changes"));
        let changes = comparable_changes(seen.iter().map(|(_, value)| value.as_str()));
        assert_sequences(&changes);
        changes
    }

    /// The same input on the embedded bus.
    fn embedded(&self, file: &Path, extra: &[&str]) -> (String, Vec<serde_json::Value>) {
        let root = self.root.path().join("embedded");
        let embedded = |arguments: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_segstream"))
                .args(arguments)
                .args(["--set", &format!("store.directory={}", root.display())])
                .args(["--set", &format!("topics.events={}", self.topic("events"))])
                .output()
                .unwrap();
            assert!(output.status.success(), "{arguments:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let input = file.to_str().unwrap();
        let mut replay = vec!["replay", "--input", input, "--format", "cdnow"];
        replay.extend(["--advance-to", END_OF_TIME]);
        for setting in extra {
            replay.extend(["--set", setting]);
        }
        embedded(&replay);
        let changes = embedded(&["state", "changes"]);
        let mut export = vec!["state", "export"];
        for setting in extra {
            export.extend(["--set", setting]);
        }
        (embedded(&export), comparable_changes(changes.lines()))
    }
}

/// A process whose messages are read as they come.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let messages = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, lines) = mpsc::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in messages.map_while(Result::ok) {
                keep.lock().unwrap().push(line.clone());
                sender.send(line).ok();
            }
        });
        Self { child, lines, seen }
    }

    /// Waits for a message that contains a text.
    fn wait_for(&self, text: &str) {
        self.wait_until(text, |line| line.contains(text));
    }

    fn wait_until(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if is_it(&line) => return,
                Ok(_) => {}
                Err(error) => panic!("{error}: no {what} in {:#?}", self.seen.lock().unwrap()),
            }
        }
    }

    /// Waits until a replay has told that it sent so many events.
    fn wait_sent(&self, moment: u64) {
        self.wait_until("progress", |line| {
            let sent = line
                .strip_prefix("replayed ")
                .and_then(|rest| rest.split(' ').next())
                .and_then(|sent| sent.parse::<u64>().ok());
            sent.is_some_and(|sent| sent >= moment)
        });
    }

    fn signal(&self, signal: &str) {
        kafka::send_signal(self.child.id(), signal);
    }

    /// Kills it; `true` if a transaction was open.
    fn kill(mut self) -> bool {
        assert!(self.child.try_wait().unwrap().is_none(), "it still ran");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The reader ends with the pipe.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let seen = self.seen.lock().unwrap();
        let latest = seen.iter().rev().find(|line| line.contains("transaction"));
        latest.is_some_and(|line| line.contains("transaction begun"))
    }

    fn code(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                Instant::now() < deadline,
                "it does not end: {:#?}",
                self.seen.lock().unwrap()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn cdnow() -> Option<PathBuf> {
    support::data_file("cdnow_master.txt")
}

fn seed() -> u64 {
    let given = std::env::var("SEGSTREAM_TEST_SEED").ok();
    let seed = given.and_then(|text| text.parse().ok()).unwrap_or(11);
    println!("replay: SEGSTREAM_TEST_SEED={seed} cargo test --test kafka");
    seed
}

fn killed_at_any_moment() {
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
    deployment.run_to_end("a", settings);
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
    deployment.run_to_end("a", settings);
    assert!(
        deployment.export(&["a"]) == expected,
        "{name}: a second replay"
    );
    assert_eq!(deployment.changes(), expected_changes, "{name}: again");
    open
}

/// Partitions that a running instance marks as owned.
fn owned(store: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(store) else {
        return 0;
    };
    entries
        .filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            path.extension()
                .is_some_and(|extension| extension == "owned")
        })
        .count()
}

fn wait_owned(store: &Path, at_least: usize, for_long: Duration) {
    let deadline = Instant::now() + PATIENCE;
    let mut since = Instant::now();
    while owned(store) < at_least || since.elapsed() < for_long {
        if owned(store) < at_least {
            since = Instant::now();
        }
        assert!(
            Instant::now() < deadline,
            "{} owns {} partitions",
            store.display(),
            owned(store)
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn joins_dies_returns_and_leaves() {
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
    deployment.run_to_end("a", &[]);
    assert!(deployment.export(&["a"]) == expected, "the stores");
    assert!(deployment.changelog() == expected, "the changelog");
    let [of_stores, of_changelog] = deployment.models_of_state("a");
    assert!(of_stores["training"]["rows"].as_u64() > Some(1000));
    assert_eq!(of_stores, of_changelog);
    assert_eq!(deployment.changes(), expected_changes);
}

fn stopped_past_its_session() {
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
        deployment.run_to_end("b", &settings);
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

fn stalling_broker() {
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
            let checkpoint =
                codec::partition::decode_checkpoint(record.value.as_deref().unwrap()).unwrap();
            clocks[partition].extend(checkpoint.clock.map(|clock| clock.as_milliseconds()));
        }
    }
    clocks
}

fn lagging_instance() {
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

fn topic_tool(arguments: &[&str]) {
    let brokers = kafka::brokers();
    let all = [&["--bootstrap-server", brokers], arguments].concat();
    let output = kafka::tool("org.apache.kafka.tools.TopicCommand", &all);
    assert!(output.status.success(), "{output:?}");
}

fn set_topic(topic: &str, setting: &str) {
    let arguments = [
        "--bootstrap-server",
        kafka::brokers(),
        "--alter",
        "--entity-type",
        "topics",
        "--entity-name",
        topic,
        "--add-config",
        setting,
    ];
    let output = kafka::tool("kafka.admin.ConfigCommand", &arguments);
    assert!(output.status.success(), "{setting}: {output:?}");
}

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

fn wrong_surroundings() {
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
        "a dead letter of",
    );
    ends_with(
        run().args(["--set", &format!("topics.transfers={small}")]),
        "(topics.transfers) has 1: make it anew with as many",
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
    ends_with(
        run().args(["--set", &format!("topics.state={fresh}")]),
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
fn purchase(number: u32, occurred_at: &str) -> String {
    format!(
        r#"{{"event_id":"e{number}","type":"order.completed","occurred_at":"{occurred_at}","customer_id":"c{number}","order_id":"o{number}","currency":"USD","revenue":"10"}}"#
    )
}

fn misleading_tails() {
    let deployment = Deployment::new("tails");
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
    deployment.run_to_end("a", &["time.clock=wall", "input.partitioner=unchecked"]);
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

fn changelog_tails() {
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

fn ten_megabytes() {
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
