//! A real Prometheus for tests, and as much of HTTP as it takes to ask it and the program's pages.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

const START_PATIENCE: Duration = Duration::from_secs(120);
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);
/// Below those that systems give to outgoing connections: an address stays free while its process is
/// restarted.
const PORTS: std::ops::Range<u32> = 20_000..30_000;

/// A server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Prometheus {
    pub address: SocketAddr,
    child: Child,
    output: PathBuf,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Prometheus {
    /// Starts a server that keeps its series in a folder, and waits until it answers.
    pub fn start(configuration: &Path, folder: &Path) -> Self {
        let address = free_address();
        let output = folder.join("prometheus.output");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("series").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&output).unwrap())
            .spawn()
            .unwrap();
        let mut server = Self {
            address,
            child,
            output,
        };
        let deadline = Instant::now() + START_PATIENCE;
        while let Err(problem) = get(address, "/-/ready", &[]) {
            let ended = server.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "Prometheus does not start: {problem}, {ended:?}\n{}",
                server.output()
            );
            std::thread::park_timeout(LOOK);
        }
        server
    }

    /// What it said so far.
    fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// The data of an answer of its API.
    pub fn data(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let answer = get(self.address, path, parameters);
        let answer = answer.unwrap_or_else(|problem| {
            panic!("{path} {parameters:?}: {problem}\n{}", self.output())
        });
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        answer["data"].take()
    }

    /// The series of an expression as of now.
    pub fn query(&self, expression: &str) -> Vec<Value> {
        let data = self.data("/api/v1/query", &[("query", expression)]);
        data["result"].as_array().unwrap().clone()
    }

    /// The values of the series of an expression as of now.
    pub fn numbers(&self, expression: &str) -> Vec<f64> {
        let series = self.query(expression);
        series.iter().map(|one| number(&one["value"])).collect()
    }

    /// The series of an expression over some time until `end`, in steps of five seconds.
    pub fn query_range(&self, expression: &str, end: f64, duration: Duration) -> Vec<Value> {
        let start = (end - duration.as_secs_f64()).to_string();
        let data = self.data(
            "/api/v1/query_range",
            &[
                ("query", expression),
                ("start", &start),
                ("end", &end.to_string()),
                ("step", "5s"),
            ],
        );
        data["result"].as_array().unwrap().clone()
    }
}

/// The value of a sample, which is a time and a number in quotes.
pub fn number(sample: &Value) -> f64 {
    let text = sample[1].as_str();
    text.unwrap_or_else(|| panic!("{sample} is no sample"))
        .parse()
        .unwrap()
}

/// An address on loopback at which no program listens.
pub fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let count = PORTS.end - PORTS.start;
        assert!(given < count, "no port is free");
        // Not the same ones in processes that run side by side.
        let place = ((std::process::id() % count) * 16 + given) % count;
        let port = u16::try_from(PORTS.start + place).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// The body of a page; an error says why there is none.
pub fn get(address: SocketAddr, path: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
    let query: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    let query = query.join("&");
    let request =
        format!("GET {path}?{query} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let answer = exchange(address, &request);
    let answer = answer.map_err(|error| format!("{address} does not answer: {error}"))?;
    body(&answer)
}

fn exchange(address: SocketAddr, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_PATIENCE)?;
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    stream.set_write_timeout(Some(ANSWER_PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn body(answer: &[u8]) -> Result<String, String> {
    let head_end = position(answer, b"\r\n\r\n").ok_or("an answer without a head")?;
    let head = String::from_utf8_lossy(&answer[..head_end]).to_ascii_lowercase();
    let rest = &answer[head_end + 4..];
    let mut is_chunked = false;
    let mut length = None;
    for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
        match name {
            "transfer-encoding" => is_chunked = value.trim() == "chunked",
            "content-length" => length = value.trim().parse::<usize>().ok(),
            _ => {}
        }
    }
    let bytes = match length {
        _ if is_chunked => unchunked(rest)?,
        Some(length) => rest.get(..length).ok_or("half of a body")?.to_vec(),
        None => rest.to_vec(),
    };
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(text),
        status => Err(format!("status {status:?}: {text}")),
    }
}

fn unchunked(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let line_end = position(rest, b"\r\n").ok_or("a chunk without a size")?;
        let line = String::from_utf8_lossy(&rest[..line_end]).into_owned();
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|error| error.to_string())?;
        if size == 0 {
            return Ok(body);
        }
        let start = line_end + 2;
        let chunk = rest.get(start..start + size).ok_or("half of a chunk")?;
        body.extend_from_slice(chunk);
        rest = rest.get(start + size + 2..).ok_or("half of a chunk")?;
    }
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    encoded.collect()
}
