//! Real Apache Kafka for tests: `SEGSTREAM_TEST_BROKERS` where set, else one node from the published
//! jars, started for the test binary and gone with it.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
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

    fn start_listening(proxy_port: Option<u16>) -> Self {
        let libs = jars();
        for attempt in 0..3 {
            if let Some(node) = Self::try_start(&libs, attempt, proxy_port) {
                return node;
            }
        }
        panic!("Kafka did not start three times in a row");
    }

    fn try_start(libs: &Path, attempt: u32, proxy_port: Option<u16>) -> Option<Self> {
        let (port, controller) = (free_port(), free_port());
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
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let held = wrapper.stdin.take();
        let mut line = String::new();
        BufReader::new(wrapper.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let node = Self {
            brokers: format!("127.0.0.1:{port}"),
            port_behind,
            process_id: line.trim().parse().unwrap_or(0),
            log_directory: data.join("log"),
            wrapper,
            held,
        };
        if node.process_id == 0 {
            return None;
        }
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            let is_listening = TcpStream::connect(("127.0.0.1", port)).is_ok();
            if is_listening && node.answers() {
                return Some(node);
            }
            if !is_alive(node.process_id) {
                return None;
            }
            std::thread::park_timeout(LOOK);
        }
        None
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
