//! The commands of the pages do what the pages say. A block of `sh` is run in a temporary directory, with the program of the
//! test in place of `cargo run --release --`, that directory in place of `/tmp`, and a free port in place of 8080. It must end
//! with 0. Where a block of `text` follows, its lines must be in the output, in this order: `...` stands for any lines, and in a
//! line for any characters.
//!
//! A block that is one `run` or `demo` without an end is started, and stopped before the next block that does not call it.
//! `curl` is asked again for some time, as an event is processed a moment after it was accepted.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use segstream::domain::event::EventType;
use segstream::domain::event::parse::parse;
use segstream::http::UNSUPPORTED;

use crate::support;

const PATIENCE: Duration = Duration::from_secs(60);
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// What a page calls the program.
const PROGRAM: &str = "cargo run --release -- ";
const ADDRESS: &str = "localhost:8080";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A block of commands, and the lines of the block of text after it.
#[derive(Clone, Debug)]
struct Block {
    heading: String,
    script: String,
    expected: Vec<String>,
}

impl Block {
    /// It is one command that does not end by itself.
    fn is_service(&self) -> bool {
        let mut lines = self.script.lines();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return false;
        };
        let Some((_, call)) = line.split_once(PROGRAM) else {
            return false;
        };
        let ends = ["--duration", "--until-caught-up", "--help"];
        let is_endless = ["run", "demo"].contains(&call.split(' ').next().unwrap());
        is_endless && !ends.iter().any(|end| call.contains(end))
    }

    fn calls_a_service(&self) -> bool {
        self.script.contains("curl ")
    }
}

/// The blocks of a page below headings that are not skipped.
fn blocks(text: &str, skipped: &[&str]) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut heading = String::new();
    let mut seen = BTreeSet::new();
    let mut lines = text.lines();
    // Whether the block of text that comes next belongs to the last block of commands.
    let mut is_next = false;
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("## ") {
            name.clone_into(&mut heading);
            seen.insert(name);
        }
        let mut body = || -> Vec<String> {
            let body = lines.by_ref().take_while(|line| *line != "```");
            body.map(str::to_owned).collect()
        };
        match line {
            "```sh" => {
                found.push(Block {
                    heading: heading.clone(),
                    script: body().join("\n"),
                    expected: Vec::new(),
                });
                is_next = true;
            }
            "```text" if is_next => {
                found.last_mut().unwrap().expected = body();
                is_next = false;
            }
            "" => {}
            fence if fence.starts_with("```") => {
                body();
                is_next = false;
            }
            _ => is_next = false,
        }
    }
    for name in skipped {
        assert!(seen.contains(name), "there is no {name}");
    }
    found.retain(|block| !skipped.contains(&block.heading.as_str()));
    found
}

/// Whether a line is as expected, where `...` stands for any characters.
fn fits(expected: &str, line: &str) -> bool {
    let mut parts = expected.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    match last {
        None => rest.is_empty(),
        Some(part) => part.is_empty() || line.ends_with(part),
    }
}

/// The first expected line that the output lacks.
fn missing<'a>(expected: &'a [String], output: &str) -> Option<&'a str> {
    let mut lines = output.lines().map(str::trim_end);
    let mut may_skip = true;
    for expected in expected {
        let expected = expected.trim_end();
        if expected == "..." {
            may_skip = true;
            continue;
        }
        let fits = |line: &str| fits(expected, line);
        let is_there = if may_skip {
            lines.any(fits)
        } else {
            lines.next().is_some_and(fits)
        };
        if !is_there {
            return Some(expected);
        }
        may_skip = false;
    }
    None
}

/// A process that is killed when it is dropped.
struct Service(Child);

impl Service {
    /// As ctrl-c does.
    fn stop(mut self) {
        let id = self.0.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(killed.success());
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.0.try_wait().unwrap().is_none() {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}

/// Where the blocks of a page are run.
struct Place {
    folder: tempfile::TempDir,
    address: String,
    service: Option<Service>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        // What the commands read of a checkout.
        for name in ["models", "tests", "docs", "config"] {
            symlink(root().join(name), work.join(name)).unwrap();
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        Self {
            folder,
            address,
            service: None,
        }
    }

    fn shell(&self, script: &str) -> Command {
        let program = format!("'{}' ", env!("CARGO_BIN_EXE_segstream"));
        let temporary = format!("{}/", self.folder.path().display());
        let script = script
            .replace(PROGRAM, &program)
            .replace("/tmp/", &temporary)
            .replace(ADDRESS, &self.address);
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", &script])
            .current_dir(self.folder.path().join("work"))
            .env("SEGSTREAM_HTTP__ADDRESS", &self.address)
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn output_of(&self, script: &str) -> Output {
        self.shell(script).output().unwrap()
    }

    fn start(&mut self, block: &Block) {
        // So that the signal reaches the program and not the shell.
        let is_assignment = block.script.split(' ').next().unwrap().contains('=');
        let how = if is_assignment { "exec env " } else { "exec " };
        let mut command = self.shell(&format!("{how}{}", block.script));
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        self.service = Some(Service(command.spawn().unwrap()));
        let ready = Block {
            script: format!("curl -s --fail {ADDRESS}/readyz"),
            expected: vec!["ready".to_owned()],
            heading: block.heading.clone(),
        };
        self.ask(&ready);
    }

    fn stop(&mut self) {
        if let Some(service) = self.service.take() {
            service.stop();
        }
    }

    /// What is wrong with the result of a block.
    fn problem(&self, block: &Block) -> Option<String> {
        let script = if block.expected.is_empty() {
            block.script.replace("curl -s ", "curl -s --fail ")
        } else {
            block.script.clone()
        };
        let output = self.output_of(&script);
        let printed = String::from_utf8_lossy(&output.stdout);
        let messages = String::from_utf8_lossy(&output.stderr);
        let all = format!("{printed}\n{messages}");
        let problem = if output.status.success() {
            let line = missing(&block.expected, &all)?;
            format!("no line {line:?}")
        } else {
            format!("{}", output.status)
        };
        Some(format!(
            "{}:\n{}\n{problem} in\n{all}",
            block.heading, block.script
        ))
    }

    fn ask(&self, block: &Block) {
        let begun = Instant::now();
        while let Some(problem) = self.problem(block) {
            assert!(begun.elapsed() < PATIENCE, "{problem}");
            std::thread::park_timeout(ASKED_AGAIN_AFTER);
        }
    }

    fn run(&mut self, blocks: &[Block]) {
        for block in blocks {
            if block.is_service() {
                self.stop();
                self.start(block);
            } else if block.calls_a_service() {
                self.ask(block);
            } else {
                self.stop();
                if let Some(problem) = self.problem(block) {
                    panic!("{problem}");
                }
            }
        }
        self.stop();
    }
}

/// Says that a test is skipped where there is no curl.
fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        println!("skipped: there is no curl");
    }
    is_there
}

/// They need a broker, or containers.
const SKIPPED_OF_README: [&str; 2] = ["On Kafka", "Monitoring"];

#[test]
fn the_commands_of_the_readme_work_from_top_to_bottom() {
    if !has_curl() {
        return;
    }
    let mut all = blocks(&page("README.md"), &SKIPPED_OF_README);
    let before = all.len();
    // This is the test itself.
    all.retain(|block| block.script != "cargo test");
    assert_eq!(before - all.len(), 1);
    assert!(all.len() >= 12, "{}", all.len());
    for block in &mut all {
        // A demo of a test need not be as long as that of a reader.
        block.script = block.script.replace("--duration 30s", "--duration 2s");
    }
    Place::new().run(&all);
}

#[test]
fn the_requests_of_the_readme_are_answered_by_a_demo_too() {
    if !has_curl() {
        return;
    }
    let mut all = blocks(&page("README.md"), &SKIPPED_OF_README);
    all.retain(|block| block.heading == "The service");
    let service = all.first_mut().unwrap();
    assert!(service.is_service(), "{service:?}");
    service.script = format!("{PROGRAM}demo --customers 300");
    assert!(all.iter().filter(|block| block.calls_a_service()).count() >= 2);
    Place::new().run(&all);
}

/// The data of a request with curl.
fn data_of(script: &str) -> &str {
    script.split('\'').nth(1).unwrap()
}

#[test]
fn every_type_of_event_has_a_request_with_the_answer_that_the_service_gives() {
    if !has_curl() {
        return;
    }
    let text = page("docs/EVENTS.md");
    let all = blocks(&text, &[]);
    for event_type in EventType::ALL.map(EventType::as_str) {
        let mut of_type = all.iter().filter(|block| {
            let is_of_type = block.script.contains(&format!("\"type\":\"{event_type}\""));
            block.heading == event_type && block.calls_a_service() && is_of_type
        });
        let block = of_type
            .next()
            .unwrap_or_else(|| panic!("no curl for {event_type}"));
        let now = support::at("2026-11-28T00:00:00Z");
        let event = parse(data_of(&block.script).as_bytes(), now, &support::intake());
        let event = event.unwrap_or_else(|invalid| panic!("{event_type}: {}", invalid.detail));
        assert_eq!(event.body.event_type().as_str(), event_type);
        let is_unsupported = block.expected.iter().any(|line| line.contains(UNSUPPORTED));
        let status = if is_unsupported {
            "HTTP/1.1 422 ..."
        } else {
            "HTTP/1.1 202 ..."
        };
        let beginning = status.trim_end_matches("...");
        assert!(
            block.expected[0].starts_with(beginning),
            "{event_type}: {:?}",
            block.expected
        );
    }
    Place::new().run(&all);
}

#[test]
fn every_route_has_a_request_with_the_answer_that_the_service_gives() {
    if !has_curl() {
        return;
    }
    let text = page("docs/HTTP.md");
    let all = blocks(&text, &[]);
    let routes = text.lines().filter_map(|line| line.strip_prefix("## "));
    for route in routes.filter(|heading| heading.contains('/')) {
        let mut of_route = all.iter().filter(|block| block.heading == route);
        let block = of_route
            .find(|block| block.calls_a_service())
            .unwrap_or_else(|| panic!("no curl for {route}"));
        assert!(!block.expected.is_empty(), "{route}");
    }
    Place::new().run(&all);
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_result_that_the_output_lacks_is_found() {
    let output = "one\r\ntwo 2\nthree\nfour\n";
    for right in [
        "",
        "one",
        "two...",
        "three\nfour",
        "one\n...\nfour",
        "t...o...2\nth...ee",
        "...\nthree",
    ] {
        assert_eq!(missing(&lines(right), output), None, "{right}");
    }
    for (wrong, first) in [
        ("five", "five"),
        ("two", "two"),
        ("one\nthree", "three"),
        ("four\n...\none", "one"),
        ("four\nfive", "five"),
        ("t...o", "t...o"),
        ("tw...3...2", "tw...3...2"),
        ("three...\nfour\nfour", "four"),
    ] {
        assert_eq!(missing(&lines(wrong), output), Some(first), "{wrong}");
    }
}

#[test]
fn a_command_that_fails_and_a_result_that_is_not_so_are_found() {
    let place = Place::new();
    let block = |script: &str, expected: &str| Block {
        heading: String::new(),
        script: script.to_owned(),
        expected: lines(expected),
    };
    let version = format!("{PROGRAM}--version");
    let right = format!("segstream {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(place.problem(&block(&version, &right)), None);
    for (script, expected, problem) in [
        (version.as_str(), "segstream 99", "no line"),
        (
            &format!("{PROGRAM}simulate --costumers 1"),
            "",
            "exit status: 2",
        ),
        (
            &format!("{PROGRAM}state export --dir /tmp/nothing\necho done"),
            "",
            "exit status",
        ),
        (&format!("curl -s {ADDRESS}/"), "", "exit status: 7"),
    ] {
        let found = place.problem(&block(script, expected)).unwrap();
        assert!(found.contains(problem), "{found}");
    }
}

#[test]
fn blocks_are_found_with_their_heading_and_their_result() {
    let text = "# Page\n\n```sh\na\nb\n```\n\n```text\nx\n```\n\n## Next\n\n```text\nno result\n```\n```sh\nc\n```\nwords\n\
                ```text\nno result\n```\n## Last\n```sh\nd\n```\n";
    let found = blocks(text, &["Last"]);
    let seen: Vec<(&str, &str, usize)> = found
        .iter()
        .map(|block| {
            (
                block.heading.as_str(),
                block.script.as_str(),
                block.expected.len(),
            )
        })
        .collect();
    assert_eq!(seen, [("", "a\nb", 1), ("Next", "c", 0)]);
    let block = |script: &str| Block {
        script: script.to_owned(),
        ..found[0].clone()
    };
    for (call, is_service) in [
        ("run --set a=b", true),
        ("demo", true),
        ("demo --duration 30s", false),
        ("run --until-caught-up", false),
        ("run --help", false),
        ("replay --input run", false),
        ("run\necho", false),
    ] {
        let block = block(&format!("{PROGRAM}{call}"));
        assert_eq!(block.is_service(), is_service, "{call}");
    }
    assert!(Path::new(env!("CARGO_BIN_EXE_segstream")).exists());
}
