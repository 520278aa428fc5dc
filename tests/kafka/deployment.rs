//! Topics and a group of a test's own, and the program's commands on them.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;

use crate::PATIENCE;
use crate::running::Running;
use crate::support;
use crate::support::cdnow::assert_sequences;
use crate::support::cdnow::comparable_changes;
use crate::support::kafka;

/// Where the clocks of a run to the end are moved: a year and a half after the last purchase of CDNOW.
const END_OF_TIME: &str = "2000-01-01T00:00:00Z";

/// What is committed, whatever the clocks of the partitions say.
const AS_EVALUATED: [&str; 4] = ["state", "export", "--as-of", "evaluated"];

/// Tests of one process run at the same time, and two of them may ask for the same name.
static DEPLOYMENTS: AtomicU32 = AtomicU32::new(0);

/// A set of topics and a group of its own.
pub struct Deployment {
    pub brokers: String,
    pub name: String,
    pub root: TempDir,
}

impl Deployment {
    pub fn new(name: &str) -> Self {
        Self::on(kafka::brokers(), name)
    }

    pub fn on(brokers: &str, name: &str) -> Self {
        Self::with(brokers, name, &[])
    }

    /// A deployment whose topics are made under other settings.
    pub fn with(brokers: &str, name: &str, extra: &[&str]) -> Self {
        let number = DEPLOYMENTS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{number}", std::process::id());
        Self::named(brokers, name, extra)
    }

    /// A deployment whose group and topics have exactly this name.
    pub fn named(brokers: &str, name: String, extra: &[&str]) -> Self {
        let deployment = Self {
            brokers: brokers.to_owned(),
            name,
            root: tempfile::tempdir().unwrap(),
        };
        let mut create = deployment.command("setup", &["topics", "create"]);
        for setting in extra {
            create.args(["--set", setting]);
        }
        let created = create.output().unwrap();
        assert!(created.status.success(), "{created:?}");
        deployment
    }

    pub fn topic(&self, kind: &str) -> String {
        format!("{}.{kind}", self.name)
    }

    pub fn store(&self, instance: &str) -> PathBuf {
        self.root.path().join(instance)
    }

    pub fn command(&self, instance: &str, arguments: &[&str]) -> Command {
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

    pub fn output(&self, instance: &str, arguments: &[&str]) -> Output {
        self.command(instance, arguments).output().unwrap()
    }

    pub fn text(&self, instance: &str, arguments: &[&str]) -> String {
        let output = self.output(instance, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn start(&self, instance: &str, extra: &[&str]) -> Running {
        let mut command = self.command(instance, &["run"]);
        for setting in extra {
            command.args(["--set", setting]);
        }
        Running::start(command)
    }

    /// Until everything is committed.
    pub fn run_to_end(&self, instance: &str, extra: &[&str]) {
        self.run_until_caught_up(instance, &[], extra);
    }

    /// Until all purchases of CDNOW are committed, and time has moved those who have bought nothing since.
    pub fn run_to_end_of_time(&self, instance: &str, extra: &[&str]) {
        self.run_until_caught_up(instance, &["--advance-to", END_OF_TIME], extra);
    }

    fn run_until_caught_up(&self, instance: &str, arguments: &[&str], extra: &[&str]) {
        let mut command = self.command(instance, &["run", "--until-caught-up"]);
        command.args(arguments);
        for setting in extra {
            command.args(["--set", setting]);
        }
        let running = Running::start(command);
        let seen = Arc::clone(&running.seen);
        assert_eq!(running.code(), Some(0), "{:#?}", seen.lock().unwrap());
    }

    /// Sends the purchases of CDNOW and tells how many were sent so far.
    pub fn replay(&self, file: &Path, rate: &str) -> Running {
        let target = format!("kafka://{}", self.topic("events"));
        let input = file.to_str().unwrap();
        let arguments = [
            "replay", "--input", input, "--format", "cdnow", "--to", &target, "--rate", rate,
        ];
        Running::start(self.command("producer", &arguments))
    }

    /// Settings by which time alone moves nobody: what a wall clock of today does to purchases of long ago
    /// shows only where time counts.
    pub fn timeless(&self) -> Vec<String> {
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

    pub fn export(&self, instances: &[&str]) -> String {
        self.export_with(instances, &[])
    }

    pub fn export_with(&self, instances: &[&str], extra: &[&str]) -> String {
        let mut command = self.command(instances[0], &AS_EVALUATED);
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
    pub fn models_of_state(&self, instance: &str) -> [serde_json::Value; 2] {
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

    pub fn changelog(&self) -> String {
        self.changelog_with(&[])
    }

    pub fn changelog_with(&self, extra: &[&str]) -> String {
        let mut arguments = AS_EVALUATED.to_vec();
        arguments.push("--changelog");
        for setting in extra {
            arguments.extend(["--set", setting]);
        }
        self.text("export", &arguments)
    }

    /// The changelog as of the partitions' clocks, and the stores of stopped instances.
    pub fn changelog_by_clock(&self) -> String {
        self.text("export", &["state", "export", "--changelog"])
    }

    pub fn stores_by_clock(&self, instances: &[&str]) -> String {
        let mut command = self.command(instances[0], &["state", "export"]);
        for instance in instances {
            command.arg("--dir").arg(self.store(instance));
        }
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The changes as Kafka's own console consumer shows them, numbered without gap or repeat.
    pub fn changes(&self) -> Vec<serde_json::Value> {
        let seen = kafka::console_consume(&self.brokers, &self.topic("changes"));
        let changes = comparable_changes(seen.iter().map(|(_, value)| value.as_str()));
        assert_sequences(&changes);
        changes
    }

    /// The same input on the embedded bus.
    pub fn embedded(&self, file: &Path, extra: &[&str]) -> (String, Vec<serde_json::Value>) {
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
        let mut export = AS_EVALUATED.to_vec();
        for setting in extra {
            export.extend(["--set", setting]);
        }
        (embedded(&export), comparable_changes(changes.lines()))
    }
}

/// Waits for a condition.
pub fn wait_until(what: &str, is_there: impl FnMut() -> bool) {
    wait_at_most(PATIENCE, what, is_there);
}

/// Waits for a condition that may take longer.
pub fn wait_at_most(patience: Duration, what: &str, mut is_there: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_there() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Partitions that a running instance marks as owned.
pub fn owned(store: &Path) -> usize {
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

pub fn wait_owned(store: &Path, at_least: usize, for_long: Duration) {
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

pub fn topic_tool(arguments: &[&str]) {
    let brokers = kafka::brokers();
    let all = [&["--bootstrap-server", brokers], arguments].concat();
    let output = kafka::tool("org.apache.kafka.tools.TopicCommand", &all);
    assert!(output.status.success(), "{output:?}");
}

pub fn set_topic(topic: &str, setting: &str) {
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
