//! Real Apache Kafka for tests: `SEGSTREAM_TEST_BROKERS` where set, else one node from the published
//! jars, started for the test binary and gone with it.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

const VERSION: &str = "4.3.1";
const START_PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// A node; it is stopped when this is dropped or the process ends in any way.
#[derive(Debug)]
pub struct Node {
    pub brokers: String,
    /// Where the proxy reaches it, if there is one.
    pub port_behind: Option<u16>,
    pub process_id: u32,
    /// Where its topics are.
    pub log_directory: PathBuf,
    wrapper: Child,
    /// The node lives until this pipe closes.
    held: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

/// Ports and place of a node.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// The first node has the controller of both.
    id: u32,
    controller: u16,
    proxy_port: Option<u16>,
    /// Of the offsets of groups and of transactions.
    replicas: u32,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.held.take());
        drop(self.wrapper.wait());
    }
}

/// Why there can be no Kafka here; `None` if there can.
pub fn why_not() -> Option<String> {
    if std::env::var_os("SEGSTREAM_TEST_BROKERS").is_some() {
        return None;
    }
    for tool in ["java", "mvn"] {
        let found = Command::new(tool)
            .arg("-version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            return Some(format!("{tool} is not there"));
        }
    }
    None
}

/// The address of the binary's Kafka.
pub fn brokers() -> &'static str {
    &binary_kafka().0
}

/// The node that was started for the binary, unless `SEGSTREAM_TEST_BROKERS` names another Kafka.
pub fn node() -> Option<&'static Node> {
    binary_kafka().1.as_ref()
}

fn binary_kafka() -> &'static (String, Option<Node>) {
    static BROKERS: OnceLock<(String, Option<Node>)> = OnceLock::new();
    BROKERS.get_or_init(|| {
        if let Ok(given) = std::env::var("SEGSTREAM_TEST_BROKERS") {
            return (given, None);
        }
        let node = Node::start();
        (node.brokers.clone(), Some(node))
    })
}

impl Node {
    /// Starts a node of its own for a test that stops or stalls it.
    pub fn start() -> Self {
        Self::start_listening(None)
    }

    /// Starts a node with a second listener, whose clients it sends to a proxy at a port.
    pub fn start_behind(proxy_port: u16) -> Self {
        Self::start_listening(Some(proxy_port))
    }

    /// Starts two nodes of one cluster; the offsets of groups and the transactions are on both. Stopping the second one
    /// leaves a cluster.
    pub fn start_two() -> [Self; 2] {
        let libs = jars();
        for attempt in 0..3 {
            let plan = |id, controller| Plan {
                id,
                controller,
                proxy_port: None,
                replicas: 2,
            };
            let controller = free_port();
            let first = Self::try_start(&libs, attempt, plan(1, controller));
            let second = Self::try_start(&libs, attempt, plan(2, controller));
            if let (Some(first), Some(second)) = (first, second) {
                return [first, second];
            }
        }
        panic!("two nodes of Kafka did not start three times in a row");
    }

    fn start_listening(proxy_port: Option<u16>) -> Self {
        let libs = jars();
        for attempt in 0..3 {
            let plan = Plan {
                id: 1,
                controller: free_port(),
                proxy_port,
                replicas: 1,
            };
            if let Some(node) = Self::try_start(&libs, attempt, plan) {
                return node;
            }
        }
        panic!("Kafka did not start three times in a row");
    }

    fn try_start(libs: &Path, attempt: u32, plan: Plan) -> Option<Self> {
        let (port, controller, proxy_port) = (free_port(), plan.controller, plan.proxy_port);
        let port_behind = proxy_port.map(|_| free_port());
        let name = format!("node-{}-{port}-{attempt}", std::process::id());
        let data = folder().join(name);
        let mut wrapper = Command::new(repository().join("tests/kafka/node"))
            .arg(libs)
            .arg(&data)
            .args([port.to_string(), controller.to_string()])
            .args(
                port_behind
                    .into_iter()
                    .chain(proxy_port)
                    .map(|port| port.to_string()),
            )
            .env("NODE_ID", plan.id.to_string())
            .env("NODE_REPLICAS", plan.replicas.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let held = wrapper.stdin.take();
        let mut said = BufReader::new(wrapper.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let node = Self {
            brokers: format!("127.0.0.1:{port}"),
            port_behind,
            process_id: line.trim().parse().unwrap_or(0),
            log_directory: data.join("log"),
            wrapper,
            held,
            said,
        };
        (node.process_id != 0 && node.comes_up()).then_some(node)
    }

    fn comes_up(&self) -> bool {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            if TcpStream::connect(&self.brokers).is_ok() && self.answers() {
                return true;
            }
            if !is_alive(self.process_id) {
                return false;
            }
            std::thread::park_timeout(LOOK);
        }
        false
    }

    /// Ends its process; a clean stop hands over what the node leads.
    pub fn stop(&mut self, is_clean: bool) {
        self.tell(if is_clean { "stop" } else { "kill" });
    }

    /// Starts it again on what it had.
    pub fn start_again(&mut self) {
        self.process_id = self.tell("start").parse().unwrap();
        assert!(self.comes_up(), "Kafka did not come back");
    }

    fn tell(&mut self, command: &str) -> String {
        writeln!(self.held.as_mut().unwrap(), "{command}").unwrap();
        let mut answer = String::new();
        self.said.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    /// Lists topics; only a broker that has a leader answers.
    fn answers(&self) -> bool {
        let arguments = ["--bootstrap-server", &self.brokers, "--list"];
        tool("org.apache.kafka.tools.TopicCommand", &arguments)
            .status
            .success()
    }

    /// Stalls the node, or lets it go on.
    pub fn signal(&self, signal: &str) {
        send_signal(self.process_id, signal);
    }
}

/// Sends a signal such as `STOP` to a process.
pub fn send_signal(process_id: u32, signal: &str) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), process_id.to_string()])
        .status();
    assert!(status.unwrap().success(), "kill -{signal} {process_id}");
}

fn is_alive(process_id: u32) -> bool {
    let status = Command::new("kill")
        .args(["-0", &process_id.to_string()])
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Runs one of Kafka's own commands.
pub fn tool(class: &str, arguments: &[&str]) -> Output {
    Command::new("java")
        .arg("-Xmx256m")
        .arg("-cp")
        .arg(format!("{}/*", jars().display()))
        .arg(class)
        .args(arguments)
        .output()
        .unwrap()
}

/// Keys and values of a topic as Kafka's console consumer shows them, committed ones only.
pub fn console_consume(brokers: &str, topic: &str) -> Vec<(String, String)> {
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let arguments = [
        "--bootstrap-server",
        brokers,
        "--topic",
        topic,
        "--isolation-level",
        "read_committed",
        "--from-beginning",
        "--timeout-ms",
        "5000",
        "--property",
        "print.key=true",
    ];
    let text = String::from_utf8(tool(class, &arguments).stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Under the build's own folder, so that it is kept and removed with it.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let folder = target
        .unwrap_or_else(|| repository().join("target"))
        .join("kafka");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The jars of `SEGSTREAM_TEST_KAFKA_VERSION`, brought once by Maven.
fn jars() -> PathBuf {
    static JARS: OnceLock<PathBuf> = OnceLock::new();
    JARS.get_or_init(|| {
        let version = std::env::var("SEGSTREAM_TEST_KAFKA_VERSION");
        let version = version.unwrap_or_else(|_| VERSION.to_owned());
        let folder = folder();
        let done = folder.join(&version);
        // One test binary brings them, the others wait.
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        if !done.is_dir() {
            let coming = folder.join(format!("{version}.coming"));
            // What a killed run left may be half a jar.
            std::fs::remove_dir_all(&coming).ok();
            let status = Command::new("mvn")
                .args(["-q", "-B", "-f"])
                .arg(repository().join("tests/kafka/pom.xml"))
                .arg(format!("-Dkafka.version={version}"))
                .arg("dependency:copy-dependencies")
                .arg(format!("-DoutputDirectory={}", coming.display()))
                .status()
                .unwrap();
            assert!(
                status.success(),
                "Maven could not bring the jars of Kafka {version}"
            );
            std::fs::rename(coming, &done).unwrap();
        }
        done
    })
    .clone()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
