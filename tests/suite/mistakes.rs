//! Mistakes that people make, each against the real program: its exit code, what it says, and what it must not say. The list is
//! tests/fixtures/mistakes.json: of each mistake the call, what is there before it, and the message, which names the thing, the
//! value and what is allowed.

use std::collections::BTreeMap;
use std::fs::File;
use std::fs::Permissions;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;
use tempfile::TempDir;

/// The user and group that have no rights of their own.
const NOBODY: u32 = 65_534;
/// Most that wait at a time: those with a broker that does not answer take ten seconds each.
const RUNNERS: usize = 12;
/// A program that has not ended by then hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// The least number of mistakes.
const MISTAKES_MIN: usize = 120;

#[derive(Deserialize)]
struct Page {
    /// Files that are there in every case.
    files: BTreeMap<String, String>,
    mistakes: Vec<Mistake>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum User {
    #[default]
    Same,
    Unprivileged,
}

/// A call that is wrong, or one whose surroundings are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    name: String,
    args: Vec<String>,
    /// Calls that succeed before it.
    #[serde(default)]
    before: Vec<Vec<String>>,
    #[serde(default)]
    directories: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Files that are no text, in hexadecimal digits.
    #[serde(default)]
    bytes: BTreeMap<String, String>,
    /// The shipped model with one text replaced by another.
    #[serde(default)]
    edits: BTreeMap<String, [String; 2]>,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(default)]
    hard_links: BTreeMap<String, String>,
    /// Modes in octal digits.
    #[serde(default)]
    modes: BTreeMap<String, String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    user: User,
    /// A file system that may only be read, or one that is small.
    #[serde(default)]
    disk: Option<String>,
    /// Files that are the same afterwards.
    #[serde(default)]
    keeps: Vec<String>,
    code: i32,
    says: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
}

/// A tmpfs, which is unmounted when it is dropped.
struct Mounted(TempDir);

impl Mounted {
    /// `None` where this user may not mount one.
    fn new(options: &str) -> Option<Self> {
        let point = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(point.path())
            .output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self(point));
        }
        let is_required = std::env::var("SEGSTREAM_REQUIRE_DISK").is_ok_and(|value| value == "1");
        assert!(!is_required, "no tmpfs can be mounted: {mounted:?}");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(status.unwrap().success());
    }
}

/// What all mistakes share: ports, disks and the program.
struct Surroundings {
    program: PathBuf,
    _copies: TempDir,
    names: BTreeMap<&'static str, String>,
    _disks: Vec<Mounted>,
    _taken: TcpListener,
    is_root: bool,
}

impl Surroundings {
    fn new() -> Self {
        let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port().to_string();
        let (taken, free) = (listener(), listener());
        let (http, closing) = (listener(), listener());
        let mut names = BTreeMap::from([
            ("TAKEN", port(&taken)),
            ("FREE", port(&free)),
            ("HTTP", port(&http)),
            ("CLOSING", port(&closing)),
        ]);
        drop(free);
        std::thread::spawn(move || {
            for stream in http.incoming() {
                let mut stream = stream.unwrap();
                let mut asked = [0; 64];
                let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
                drop(
                    stream
                        .read(&mut asked)
                        .and_then(|_| stream.write_all(answer)),
                );
            }
        });
        std::thread::spawn(move || closing.incoming().for_each(drop));
        let mut disks = Vec::new();
        for (name, options) in [("READ_ONLY", "ro,mode=777"), ("FULL", "size=64k,mode=777")] {
            if let Some(disk) = Mounted::new(options) {
                names.insert(name, disk.0.path().display().to_string());
                disks.push(disk);
            }
        }
        // Where others may run it too.
        let copies = tempfile::tempdir().unwrap();
        open_to_all(copies.path());
        let program = copies.path().join("segstream");
        let built = Path::new(env!("CARGO_BIN_EXE_segstream"));
        std::fs::hard_link(built, &program)
            .or_else(|_| std::fs::copy(built, &program).map(drop))
            .unwrap();
        let is_root = rustix::process::geteuid().is_root();
        Self {
            program,
            _copies: copies,
            names,
            _disks: disks,
            _taken: taken,
            is_root,
        }
    }

    /// `${NAME}` replaced by what it is here.
    fn named(&self, text: &str) -> String {
        let names = self.names.iter();
        names.fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("${{{name}}}"), value)
        })
    }

    fn command(&self, mistake: &Mistake, args: &[String], root: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args.iter().map(|text| self.named(text)))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", root.join("tmp"))
            .current_dir(root);
        for (name, value) in &mistake.env {
            command.env(name, self.named(value));
        }
        if mistake.user == User::Unprivileged && self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

fn open_to_all(directory: &Path) {
    std::fs::set_permissions(directory, Permissions::from_mode(0o777)).unwrap();
}

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/retail-6.json")
}

/// Lays out what is there before the call.
fn lay_out(root: &Path, page: &Page, mistake: &Mistake, surroundings: &Surroundings) {
    open_to_all(root);
    std::fs::create_dir(root.join("tmp")).unwrap();
    open_to_all(&root.join("tmp"));
    for name in &mistake.directories {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    let text = std::fs::read_to_string(model()).unwrap();
    std::fs::write(root.join("model.json"), &text).unwrap();
    for (name, text) in page.files.iter().chain(&mistake.files) {
        std::fs::write(root.join(name), surroundings.named(text)).unwrap();
    }
    for (name, digits) in &mistake.bytes {
        let pairs = digits.as_bytes().chunks(2);
        let pairs = pairs.map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect();
        std::fs::write(root.join(name), bytes).unwrap();
    }
    for (name, [from, to]) in &mistake.edits {
        assert!(text.contains(from), "{from} in the shipped model");
        std::fs::write(root.join(name), text.replacen(from, to, 1)).unwrap();
    }
    for (name, to) in &mistake.links {
        symlink(to, root.join(name)).unwrap();
    }
    for (name, to) in &mistake.hard_links {
        std::fs::hard_link(root.join(to), root.join(name)).unwrap();
    }
}

fn restrict(root: &Path, mistake: &Mistake) {
    for (name, mode) in &mistake.modes {
        let mode = u32::from_str_radix(mode, 8).unwrap();
        std::fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
    }
}

/// Runs a command to its end; its exit code, and what it wrote to standard error.
fn run(mut command: Command, root: &Path, stdin: &str) -> (Option<i32>, String) {
    let said = root.join("tmp/said");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    // The program may have ended already.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    (status, std::fs::read_to_string(&said).unwrap())
}

/// What is wrong with the program's answer to a mistake.
fn problems(page: &Page, mistake: &Mistake, surroundings: &Surroundings) -> Vec<String> {
    if let Some(disk) = &mistake.disk
        && !surroundings.names.contains_key(disk.as_str())
    {
        eprintln!("skipped: {}: no tmpfs can be mounted", mistake.name);
        return Vec::new();
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    lay_out(root, page, mistake, surroundings);
    for before in &mistake.before {
        let command = surroundings.command(mistake, before, root);
        let (code, said) = run(command, root, "");
        if code != Some(0) {
            return vec![format!("{before:?} ended with {code:?}: {said}")];
        }
    }
    restrict(root, mistake);
    let kept = |name: &String| std::fs::read(root.join(name)).unwrap();
    let before: Vec<_> = mistake.keeps.iter().map(kept).collect();
    let command = surroundings.command(mistake, &mistake.args, root);
    let (code, said) = run(command, root, &mistake.stdin);
    let mut problems = Vec::new();
    if code != Some(mistake.code) {
        problems.push(format!("it ended with {code:?}, not {}", mistake.code));
    }
    // Lines are wrapped to the width of a terminal.
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in mistake.says.iter().map(|part| surroundings.named(part)) {
        if !line.contains(part.trim()) {
            problems.push(format!("it does not say {part:?}"));
        }
    }
    let never = mistake.never.iter().map(String::as_str);
    for part in never.chain(["panicked", "RUST_BACKTRACE"]) {
        if said.contains(part) {
            problems.push(format!("it says {part:?}"));
        }
    }
    if before != mistake.keeps.iter().map(kept).collect::<Vec<_>>() {
        problems.push(format!("one of {:?} has changed", mistake.keeps));
    }
    if !problems.is_empty() {
        problems.push(said);
    }
    problems
}

#[test]
fn every_mistake_is_named_with_its_value_and_what_is_allowed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mistakes.json");
    let page: Page = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(page.mistakes.len() >= MISTAKES_MIN);
    let surroundings = Surroundings::new();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..RUNNERS {
            scope.spawn(|| {
                while let Some(mistake) = page.mistakes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let problems = problems(&page, mistake, &surroundings);
                    if !problems.is_empty() {
                        let problem = format!("{}: {}", mistake.name, problems.join("\n  "));
                        found.lock().unwrap().push(problem);
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert!(
        found.is_empty(),
        "{} mistakes:\n\n{}",
        found.len(),
        found.join("\n\n")
    );
}
