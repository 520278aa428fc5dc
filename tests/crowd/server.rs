//! The program with 1,024 file handles, and the good clients that it must not forget.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::prlimit;
use rustix::process::setrlimit;
use segstream::faults::Faults;
use segstream::log::embedded::EmbeddedLog;
use tempfile::TempDir;

/// The requirement.
const LIVE_WITHIN: Duration = Duration::from_secs(1);
/// The requirement.
const MEMORY_KIB_MAX: u64 = 512 * 1024;
const HANDLES: u64 = 1024;
const PARTITIONS: u32 = 12;
const EVENTS_A_REQUEST: usize = 50;
const PATIENCE: Duration = Duration::from_secs(30);

/// One crowd at a time.
static TURN: Mutex<()> = Mutex::new(());

/// What the good clients have seen.
#[derive(Debug, Default)]
struct Seen {
    is_over: AtomicBool,
    accepted: AtomicUsize,
    probes: AtomicUsize,
    slowest: Mutex<Duration>,
    problems: Mutex<Vec<String>>,
}

impl Seen {
    fn note(&self, problem: String) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.push(problem);
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }
}

pub struct Server {
    _turn: MutexGuard<'static, ()>,
    folder: TempDir,
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    seen: Arc<Seen>,
    clients: Vec<JoinHandle<()>>,
    is_producing: bool,
}

impl Server {
    /// The program, watched from the start by a client that looks whether it lives and one that sends events.
    pub fn start(sets: &[&str]) -> Self {
        let mut server = Self::launch(sets);
        let seen = Arc::clone(&server.seen);
        let address = server.address;
        server
            .clients
            .push(std::thread::spawn(move || probe(address, &seen)));
        let refuses_events =
            |set: &&str| set.contains("backlog_events_max") || set.contains("http.token");
        if !sets.iter().any(refuses_events) {
            server.is_producing = true;
            let seen = Arc::clone(&server.seen);
            server
                .clients
                .push(std::thread::spawn(move || produce(address, &seen)));
        }
        server
    }

    pub fn start_with_token(path: &Path, token: &str) -> Self {
        assert!(!token.is_empty());
        let set = format!("http.token_file={}", path.display());
        Self::launch(&[&set])
    }

    fn launch(sets: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        raise_own_limit();
        let folder = tempfile::tempdir().unwrap();
        let store = format!("store.directory={}", folder.path().join("store").display());
        let mut command = Command::new("sh");
        let limited = format!("ulimit -n {HANDLES} && exec \"$@\"");
        command.args(["-c", &limited, "sh"]);
        let program = std::env::var("SEGSTREAM_TEST_PROGRAM");
        command.arg(
            program
                .as_deref()
                .unwrap_or(env!("CARGO_BIN_EXE_segstream")),
        );
        command.args(["run", "--set", "http.address=127.0.0.1:0", "--set", &store]);
        for set in sets {
            command.args(["--set", set]);
        }
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut messages = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let address = loop {
            let line = messages.next().map(Result::unwrap);
            let line = line.unwrap_or_else(|| panic!("it has ended: {log:?}"));
            let address = line
                .split_once("listening")
                .and_then(|(_, rest)| rest.split_once("address=")?.1.trim().parse().ok());
            log.lock().unwrap().push(line);
            if let Some(address) = address {
                break address;
            }
        };
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in messages.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let server = Self {
            _turn: turn,
            folder,
            child,
            address,
            log,
            seen: Arc::default(),
            clients: Vec::new(),
            is_producing: false,
        };
        server.wait_until(|| status_of(&get(address, "/readyz")) == 200, "ready");
        server
    }

    fn wait_until(&self, mut look: impl FnMut() -> bool, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !look() {
            assert!(Instant::now() < deadline, "not {what}: {:?}", self.log);
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// No file can be opened for so long from before something is done; connections are files too.
    pub fn without_handles<T>(&self, duration: Duration, act: impl FnOnce() -> T) -> T {
        let process = Pid::from_child(&self.child);
        // The standard streams have the numbers below.
        let none = Rlimit {
            current: Some(3),
            maximum: Some(HANDLES),
        };
        let before = prlimit(Some(process), Resource::Nofile, none).unwrap();
        let done = act();
        let until = Instant::now() + duration;
        while Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        prlimit(Some(process), Resource::Nofile, before).unwrap();
        done
    }

    pub fn page(&self) -> String {
        get(self.address, "/metrics")
    }

    pub fn wait_for(&self, line: &str) {
        self.wait_until(|| self.page().lines().any(|shown| shown == line), line);
    }

    /// Notes events that the test itself has sent.
    pub fn accepted(&self, events: usize) {
        self.seen.accepted.fetch_add(events, Ordering::Relaxed);
    }

    /// Sends events of this many customers and waits until some are changes.
    pub fn fill(&self, customers: usize) {
        let body = events("fill", 0..customers);
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = ask(self.address, head.as_bytes(), &body);
        assert_eq!(status_of(&answer), 202, "{answer}");
        self.accepted(customers);
        self.wait_until(
            || get(self.address, "/v1/changes?from=999&limit=1").contains("\"offset\":999"),
            "changes",
        );
    }

    /// The requirement: it lived throughout, memory stayed small, it stops cleanly and its log has what it accepted.
    pub fn stands(mut self) {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).expect("it has ended");
        let peak = status.lines().find_map(|line| {
            let kib = line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?;
            kib.trim().parse::<u64>().ok()
        });
        let peak = peak.unwrap();
        let page = self.page();
        self.seen.is_over.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().unwrap();
        }
        let killed = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        let code = self.child.wait().unwrap().code();
        let log = EmbeddedLog::open(
            &self.folder.path().join("store-log"),
            PARTITIONS,
            Faults::none(),
        );
        let kept = log.unwrap().ends();
        let kept: u64 = kept
            .iter()
            .map(|ends| ends.next(segstream::domain::ids::Source::Events))
            .sum();
        let accepted = self.seen.accepted.load(Ordering::Relaxed);
        let probes = self.seen.probes.load(Ordering::Relaxed);
        let shown = page
            .lines()
            .filter(|line| {
                line.contains("http_") && !line.ends_with(" 0") && !line.starts_with('#')
            })
            .collect::<Vec<_>>();
        let slowest = *self.seen.slowest.lock().unwrap();
        eprintln!(
            "peak {peak} KiB, {probes} probes, the slowest {slowest:?}, {accepted} events accepted\n{shown:#?}"
        );
        let problems = self.seen.problems.lock().unwrap();
        let first: Vec<_> = problems.iter().take(5).collect();
        assert!(
            problems.is_empty(),
            "{} problems: {first:#?}",
            problems.len()
        );
        assert!(probes > 0, "nobody looked whether it lived");
        assert!(accepted > 0 || !self.is_producing, "no event was accepted");
        assert!(peak <= MEMORY_KIB_MAX, "{peak} KiB");
        assert_eq!(code, Some(0), "{:?}", self.log);
        assert_eq!(kept, accepted as u64, "events in the log, and accepted");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Ordering::Relaxed);
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A thousand clients need handles too.
fn raise_own_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

/// Asks on a new connection whether the program lives, over and over.
fn probe(address: SocketAddr, seen: &Seen) {
    while seen.goes_on() {
        let began = Instant::now();
        let answer = get(address, "/livez");
        let took = began.elapsed();
        if status_of(&answer) != 200 || took > LIVE_WITHIN {
            seen.note(format!("/livez took {took:?}: {answer:?}"));
        }
        seen.probes.fetch_add(1, Ordering::Relaxed);
        let mut slowest = seen.slowest.lock().unwrap();
        *slowest = took.max(*slowest);
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Sends events, over and over. A request that is refused was not accepted; one without an answer may have been, so it
/// is sent again until there is an answer, and counts as a problem.
fn produce(address: SocketAddr, seen: &Seen) {
    let mut request = 0;
    while seen.goes_on() {
        let first = request * EVENTS_A_REQUEST;
        let body = events("good", first..first + EVENTS_A_REQUEST);
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = ask(address, head.as_bytes(), &body);
        match status_of(&answer) {
            202 => {
                seen.accepted.fetch_add(EVENTS_A_REQUEST, Ordering::Relaxed);
                request += 1;
            }
            503 => {}
            status => seen.note(format!("events were answered with {status}: {answer:?}")),
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Orders of as many customers, one a line.
pub fn events(who: &str, numbers: std::ops::Range<usize>) -> Vec<u8> {
    let lines = numbers.map(|number| {
        format!(
            "{{\"type\":\"order.completed\",\"event_id\":\"{who}-{number}\",\"order_id\":\"{who}-{number}\",\
             \"occurred_at\":\"2026-01-01T00:00:00Z\",\"customer_id\":\"{who}-{number}\",\"currency\":\"USD\",\
             \"revenue\":\"10.00\"}}\n"
        )
    });
    lines.collect::<String>().into_bytes()
}

pub fn get(address: SocketAddr, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    ask(address, head.as_bytes(), b"")
}

/// The whole answer, or what went wrong.
pub fn ask(address: SocketAddr, head: &[u8], body: &[u8]) -> String {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(head)?;
        // The answer may come before the body was sent.
        let sent = stream.write_all(body);
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let read = stream.read(&mut piece)?;
            answer.extend_from_slice(&piece[..read]);
            if read == 0 || is_whole(&answer) {
                break;
            }
        }
        if answer.is_empty() {
            sent?;
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    asked().unwrap_or_else(|error| format!("no answer: {error}"))
}

/// Whether an answer has as many bytes as its header says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// The status of an answer; 0 if there is none.
pub fn status_of(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status
        .and_then(|status| status.parse().ok())
        .unwrap_or_default()
}

/// The value of the series that begins like this.
pub fn value(page: &str, series: &str) -> f64 {
    let found = page.lines().find_map(|line| line.strip_prefix(series));
    found.map_or(f64::NAN, |value| value.parse().unwrap())
}

/// The answers of several requests at the same time.
pub fn at_once(requests: usize, request: impl Fn() -> String + Sync) -> Vec<String> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..requests).map(|_| scope.spawn(&request)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    })
}
