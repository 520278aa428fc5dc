//! One side of one round: its topics, and the commands that work on them.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::kafka;
use crate::outputs::Written;
use crate::partitions;
use crate::pipe;
use crate::workers;

/// Topics and settings of one side of one round.
pub struct Side {
    brokers: String,
    name: String,
    input: String,
    commit_interval_ms: u64,
    root: tempfile::TempDir,
}

impl Side {
    pub fn new(brokers: &str, name: &str, input: &str, commit_interval_ms: u64) -> Self {
        let side = Self {
            brokers: brokers.to_owned(),
            name: format!("{name}-{}", std::process::id()),
            input: input.to_owned(),
            commit_interval_ms,
            root: tempfile::tempdir().unwrap(),
        };
        let status = side.segstream(&["topics", "create"], &[]).status().unwrap();
        assert!(status.success(), "the topics are made");
        side
    }

    /// The folder of the store.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn topic(&self, kind: &str) -> String {
        format!("{}.{kind}", self.name)
    }

    pub fn segstream(&self, arguments: &[&str], settings: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let own = [
            format!("kafka.brokers={}", self.brokers),
            format!("kafka.group_id={}", self.name),
            format!("topics.events={}", self.input),
            format!("topics.changes={}", self.topic("changes")),
            format!("topics.current={}", self.topic("current")),
            format!("topics.state={}", self.topic("state")),
            format!("topics.dead_letters={}", self.topic("letters")),
            format!("topics.partitions={}", partitions()),
            format!("store.directory={}", self.root.path().display()),
            format!("commit.interval={}ms", self.commit_interval_ms),
            format!("workers={}", workers()),
            "http.address=".to_owned(),
            "log.filter=warn".to_owned(),
        ];
        for setting in own.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        command
    }

    pub fn pipe(&self, written: &Written, events: Option<u64>) -> Command {
        let records = self.root.path().join("records");
        let [state, changes] = [&written.state, &written.others].map(pipe::Writes::of);
        std::fs::write(&records, postcard::to_allocvec(&[state, changes]).unwrap()).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(
            pipe::PLAN,
            serde_json::to_string(&pipe::Plan {
                brokers: self.brokers.clone(),
                group: self.name.clone(),
                input: self.input.clone(),
                state: self.topic("state"),
                changes: self.topic("changes"),
                workers: workers(),
                partitions: partitions(),
                commit_interval_ms: self.commit_interval_ms,
                records,
                events,
            })
            .unwrap(),
        );
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    pub fn written(&self, events: u64) -> Written {
        let topics = ["state", "changes", "current"].map(|kind| self.topic(kind));
        Written::read(&self.brokers, &topics, events)
    }

    /// What was written goes, so that the broker's disk does not fill.
    pub fn forget(self) {
        for kind in ["changes", "current", "state", "letters"] {
            forget(&self.brokers, &self.topic(kind));
        }
    }
}

/// Deletes a topic.
pub fn forget(brokers: &str, topic: &str) {
    let arguments = ["--bootstrap-server", brokers, "--delete", "--topic", topic];
    kafka::tool("org.apache.kafka.tools.TopicCommand", &arguments);
}

/// Makes a topic for the input; its name.
pub fn input(brokers: &str, kind: &str) -> String {
    let topic = format!("bench-{kind}-{}", std::process::id());
    let partitions = partitions().to_string();
    let arguments = [
        "--bootstrap-server",
        brokers,
        "--create",
        "--topic",
        &topic,
        "--partitions",
        &partitions,
        "--config",
        "retention.ms=-1",
    ];
    let output = kafka::tool("org.apache.kafka.tools.TopicCommand", &arguments);
    assert!(output.status.success(), "{output:?}");
    topic
}
