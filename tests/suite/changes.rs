//! The changes beside a running instance: the program as a user runs it.

use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use crate::support;
use crate::support::serving::ready_address;
use crate::support::serving::wait_for;

const TOKEN: &str = "open-sesame-open-sesame";
const CUSTOMERS: usize = 30;

fn segstream(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
    let store = root.join("store");
    command
        .args(arguments)
        .args(["--set", &format!("store.directory={}", store.display())])
        .args(["--set", "log.filter=warn"])
        .stdin(Stdio::null());
    command
}

/// A service that ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn run(root: &Path, settings: &[&str]) -> Service {
    let mut command = segstream(root, &["run"]);
    command
        .args(settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Service(command.spawn().unwrap())
}

/// One order each; every one of them gets a segment.
fn events() -> String {
    let now = support::at("2026-11-01T10:00:00Z");
    let lines = (0..CUSTOMERS).map(|number| {
        format!(
            "{{\"event_id\":\"e-{number}\",\"type\":\"order.completed\",\"occurred_at\":\"{now}\",\
             \"customer_id\":\"c-{number}\",\"order_id\":\"o-{number}\",\"currency\":\"USD\",\"revenue\":\"20.50\"}}\n"
        )
    });
    lines.collect()
}

fn changes(root: &Path, settings: &[&str]) -> Output {
    let mut command = segstream(root, &["state", "changes"]);
    command.args(settings).output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn fails_with(output: &Output, code: i32, sentence: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(sentence), "{errors}");
}

#[test]
fn changes_are_the_same_beside_a_running_instance_and_after_it() {
    let root = tempfile::tempdir().unwrap();
    let token_file = root.path().join("token");
    std::fs::write(&token_file, TOKEN).unwrap();
    let token = format!("http.token_file={}", token_file.display());
    let with_token = ["--set", token.as_str()];
    // A free port: the command learns it from the instance that holds the store's directory.
    let service = run(
        root.path(),
        &[
            "--set",
            "http.address=127.0.0.1:0",
            "--set",
            &token,
            "--set",
            "time.clock=event",
        ],
    );
    let address = ready_address(root.path());
    ureq::post(format!("http://{address}/v1/events"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .send(events())
        .unwrap();
    let beside = wait_for("change of every customer", || {
        let found = lines(&changes(root.path(), &with_token));
        (found.len() == CUSTOMERS).then_some(found)
    });
    fails_with(&changes(root.path(), &[]), 4, "it answered 401");
    drop(service);
    assert_eq!(lines(&changes(root.path(), &[])), beside);
}

#[test]
fn an_instance_without_http_is_named_as_what_holds_the_log() {
    let root = tempfile::tempdir().unwrap();
    let service = run(root.path(), &["--set", "http.address="]);
    let directory = root.path().join("store");
    wait_for("instance", || {
        use segstream::store::directory::Holder;
        use segstream::store::directory::StoreDirectory;
        let holder = StoreDirectory::holder(&directory).ok()?;
        let log = root.path().join("store-log/segments");
        (holder != Holder::None && log.is_dir()).then_some(())
    });
    fails_with(&changes(root.path(), &[]), 4, "does not answer HTTP");
    drop(service);
    assert_eq!(lines(&changes(root.path(), &[])), Vec::<String>::new());
}
