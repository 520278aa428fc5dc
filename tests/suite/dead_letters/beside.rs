//! Beside a running instance, and after it.

use std::path::Path;
use std::process::Child;
use std::process::Stdio;

use serde_json::Value;

use super::LINES;
use super::NO_LINES;
use super::PARTITIONS;
use super::SECRET;
use super::fails_with;
use super::list;
use super::order;
use super::output;
use super::place;
use super::processed;
use super::segstream;
use super::text;
use crate::support::serving::ready_address;
use crate::support::serving::wait_for;

const TOKEN: &str = "open-sesame-open-sesame";

/// A service that ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn start(root: &Path, settings: &[&str]) -> (Service, String) {
    let mut command = segstream(root, &["run"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let service = Service(command.spawn().unwrap());
    (service, ready_address(root))
}

fn get(address: &str, path: &str, token: Option<&str>) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = ureq::Agent::new_with_config(config.build());
    let mut request = agent.get(format!("http://{address}{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut answer = request.call().unwrap();
    let body = answer.body_mut().read_to_string().unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_str(&body).unwrap(),
    )
}

#[test]
fn dead_letters_are_the_same_beside_a_running_instance_and_after_it() {
    let root = tempfile::tempdir().unwrap();
    processed(root.path());
    let stopped = list(root.path(), &[]);
    let exported = output(root.path(), &["dead-letters", "export"]).stdout;
    let token_file = root.path().join("token");
    std::fs::write(&token_file, TOKEN).unwrap();
    let token = format!("http.token_file={}", token_file.display());
    let with_token = ["--set", token.as_str()];
    let (service, address) = start(
        root.path(),
        &["http.address=127.0.0.1:0", &token, "time.clock=event"],
    );
    assert_eq!(list(root.path(), &with_token), stopped);
    let refused = output(root.path(), &["dead-letters", "list"]);
    fails_with(&refused, 4, "it answered 401");
    for letter in &stopped {
        let place = place(letter);
        let show = ["dead-letters", "show", &place, "--json"];
        let beside = text(&output(root.path(), &[&show[..], &with_token].concat()));
        let path = format!("/v1/dead-letters/{}", place.replace(':', "/"));
        let (status, answer) = get(&address, &path, Some(TOKEN));
        assert_eq!(status, 200);
        assert_eq!(answer, serde_json::from_str::<Value>(&beside).unwrap());
    }
    let beside = output(
        root.path(),
        &[&["dead-letters", "export"][..], &with_token].concat(),
    );
    fails_with(&beside, 3, "5 dead letters cannot be a line");
    assert!(beside.stdout == exported);
    let missing = ["dead-letters", "show", "0:999"];
    fails_with(
        &output(root.path(), &[&missing[..], &with_token].concat()),
        1,
        "partition 0 has no dead letter",
    );

    // A page at a time, over all partitions.
    let mut paged = Vec::new();
    for partition in 0..PARTITIONS {
        let mut from = 0;
        loop {
            let path = format!("/v1/dead-letters?partition={partition}&from={from}&limit=1");
            let (status, page) = get(&address, &path, Some(TOKEN));
            assert_eq!(status, 200, "{page}");
            assert!(!page.to_string().contains(SECRET), "{page}");
            assert_eq!(page["partitions"], PARTITIONS);
            let letters = page["dead_letters"].as_array().unwrap();
            assert!(letters.len() <= 1);
            paged.extend(letters.iter().cloned());
            from = page["offset_next"].as_u64().unwrap();
            if from >= page["end"].as_u64().unwrap() {
                break;
            }
        }
    }
    assert_eq!(paged, stopped);
    let (status, _) = get(&address, "/v1/dead-letters", None);
    assert_eq!(status, 401);

    // One more, while it runs: an order of two years before the customer's last one.
    let late = order("e-late", "good", "USD").replace("2025-06-01", "2022-06-01");
    ureq::post(format!("http://{address}/v1/events"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .send(late)
        .unwrap();
    let late = wait_for("late event", || {
        let found = list(
            root.path(),
            &[&with_token[..], &["--reason", "late"]].concat(),
        );
        found.first().cloned()
    });
    assert_eq!(
        late["detail"],
        "occurred_at is older than the customer's record covers"
    );
    drop(service);
    assert_eq!(list(root.path(), &[]).len(), stopped.len() + 1);
}

#[test]
fn an_instance_without_http_is_named_as_what_holds_the_log() {
    let root = tempfile::tempdir().unwrap();
    processed(root.path());
    let mut command = segstream(root.path(), &["run", "--set", "http.address="]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let service = Service(command.spawn().unwrap());
    let directory = root.path().join("store");
    wait_for("instance", || {
        use segstream::store::directory::Holder;
        use segstream::store::directory::StoreDirectory;
        let holder = StoreDirectory::holder(&directory).ok()?;
        (holder != Holder::None).then_some(())
    });
    fails_with(
        &output(root.path(), &["dead-letters", "list"]),
        4,
        "does not answer HTTP",
    );
    drop(service);
    assert_eq!(list(root.path(), &[]).len(), LINES + NO_LINES);
}
