//! `run --until-caught-up` beside other instances: the group's offsets say what is left.

use std::sync::Arc;
use std::time::Duration;

use crate::deployment::Deployment;
use crate::deployment::wait_owned;
use crate::deployment::wait_until;
use crate::expected;
use crate::expected::Expected;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::running::Running;

fn settings_of(deployment: &Deployment, instance: &str) -> Vec<String> {
    let mut settings = vec![format!("instance.id={}", deployment.topic(instance))];
    settings.extend(expected::SETTINGS.map(str::to_owned));
    settings
}

fn run_to_end(deployment: &Deployment, instance: &str, extra: &[&str]) -> Running {
    let mut command = deployment.command(instance, &["run", "--until-caught-up"]);
    command.args(extra);
    for setting in settings_of(deployment, instance) {
        command.args(["--set", &setting]);
    }
    Running::start(command)
}

fn run(deployment: &Deployment, instance: &str, extra: &[&str]) -> Running {
    let settings = settings_of(deployment, instance);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    deployment.start(instance, &[settings.as_slice(), extra].concat())
}

fn assert_ends(running: Running) {
    let seen = Arc::clone(&running.seen);
    assert_eq!(running.code(), Some(0), "{:#?}", seen.lock().unwrap());
}

fn stop(running: Running) {
    running.signal("TERM");
    assert_ends(running);
}

fn assert_as_the_fold(deployment: &Deployment) {
    let expected = Expected::of(deployment);
    assert!(deployment.changelog() == expected.export);
    expected.assert_outputs(deployment);
}

/// Sends the events of a shop.
fn feed(deployment: &Deployment, seed: u64) {
    let feed = Feed::start(deployment, shop(200, seed), 2000.0);
    feed.wait_sent(2000);
    feed.finish();
}

pub fn beside_a_service() {
    let deployment = Deployment::new("beside");
    let service = run(&deployment, "a", &[]);
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    feed(&deployment, 21);
    assert_ends(run_to_end(&deployment, "b", &[]));
    assert!(group::is_caught_up(&deployment));
    // Nothing is left to do, and it has perhaps no partition.
    assert_ends(run_to_end(&deployment, "b", &[]));
    stop(service);
    assert_as_the_fold(&deployment);
}

/// Two of them share the work, and both move the clocks of what they have.
pub fn beside_each_other() {
    let deployment = Deployment::new("both");
    feed(&deployment, 22);
    let runs = ["a", "b"].map(|instance| run_to_end(&deployment, instance, &[]));
    runs.into_iter().for_each(assert_ends);
    assert!(group::is_caught_up(&deployment));
    assert_as_the_fold(&deployment);
    // A year after the last event: whoever is due is evaluated, by one of the two.
    let advance = ["--advance-to", "2030-01-01T00:00:00Z"];
    let runs = ["a", "b"].map(|instance| run_to_end(&deployment, instance, &advance));
    runs.into_iter().for_each(assert_ends);
    let after = deployment.changelog();
    assert_ends(run_to_end(&deployment, "a", &advance));
    assert!(after == deployment.changelog(), "nothing was left");
}

/// Another instance has partitions with events that it has not committed: it does not end before they are.
pub fn not_before_the_others() {
    let deployment = Deployment::new("slower");
    let slow = run(&deployment, "a", &["commit.interval=9s"]);
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    let other = run(&deployment, "b", &[]);
    wait_until("both have partitions", || {
        let members = group::members(&deployment);
        members.len() == 4 && members.values().all(|partitions| *partitions > 0)
    });
    feed(&deployment, 23);
    assert!(
        !group::is_caught_up(&deployment),
        "the slow one has not committed"
    );
    let caught_up = run_to_end(&deployment, "c", &[]);
    assert_ends(caught_up);
    assert!(group::is_caught_up(&deployment));
    stop(slow);
    stop(other);
    assert_as_the_fold(&deployment);
}

/// A run moves the clocks of what other instances do not have: it joins the group before it ends, and says what is left.
pub fn moves_what_others_do_not_have() {
    const LEFT: &str = "--advance-to has not moved the clocks";
    let deployment = Deployment::new("moved");
    let service = run(&deployment, "a", &[]);
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    feed(&deployment, 24);
    wait_until("the service has committed what came", || {
        group::is_caught_up(&deployment)
    });
    let advance = ["--advance-to", "2030-01-01T00:00:00Z"];
    let says_left = |instance: &str, is_left: bool| {
        let running = run_to_end(&deployment, instance, &advance);
        let seen = Arc::clone(&running.seen);
        assert_ends(running);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.iter().any(|line| line.contains(LEFT)), is_left);
    };
    says_left("b", true);
    // Killed: the group gives its partitions to others only when its session is over, and a new member waits for that.
    drop(service);
    says_left("c", false);
    let after = deployment.changelog();
    assert_ends(run_to_end(&deployment, "c", &advance));
    assert!(after == deployment.changelog(), "nothing was left");
}
