//! The group moves partitions while an instance is still reading their changelogs.

use std::time::Duration;

use crate::deployment::Deployment;
use crate::deployment::wait_owned;
use crate::deployment::wait_until;
use crate::expected;
use crate::expected::Expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::proxy::proxy;
use crate::running::Running;
use crate::scraper::free_address;

const INSTANCE: &str = "restores";
/// At this speed the changelog of the test takes longer than a rebalance and a session.
const SLOW_BYTES_PER_SECOND: usize = 40_000;

/// Partitions that an instance has been given and has not restored yet, by what it has said up to its first
/// revocation.
fn unrestored(running: &Running) -> usize {
    let seen = running.seen.lock().unwrap();
    let until = seen
        .iter()
        .take_while(|line| !line.contains("partitions revoked"));
    let mut unrestored = 0;
    for line in until {
        if let Some((_, given)) = line.split_once("partitions assigned partitions=") {
            unrestored += given.parse::<usize>().unwrap();
        }
        if line.contains("partition restored") {
            unrestored -= 1;
        }
    }
    unrestored
}

pub fn rebalanced_while_it_restores() {
    let proxy = proxy();
    let deployment = Deployment::on(&proxy.node.brokers, "restores");
    let addresses = [free_address(), free_address()];
    let settings_of = |given: Vec<String>| {
        let fixed = ["workers=2", "log.filter=info,segstream::telemetry=debug"];
        let fixed = fixed.iter().chain(&expected::SETTINGS);
        let all: Vec<String> = fixed.map(|each| (*each).to_owned()).chain(given).collect();
        all
    };
    let of_first = settings_of(vec![
        format!("kafka.brokers={}", proxy.brokers),
        format!("instance.id={INSTANCE}"),
        format!("http.address={}", addresses[0]),
    ]);
    let of_second = settings_of(vec![
        "instance.id=other".to_owned(),
        format!("http.address={}", addresses[1]),
    ]);
    let start = |instance: &str, settings: &[String]| {
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        deployment.start(instance, &settings)
    };
    let stop = |running: Running| {
        running.signal("TERM");
        assert_eq!(running.code(), Some(0));
    };
    let members = [("a", addresses[0]), ("b", addresses[1])]
        .map(|(instance, address)| Member { instance, address });
    // A changelog of which nothing is left on the instance's disk.
    let first = start("a", &of_first);
    let feed = Feed::start(&deployment, shop(200, 5), 4000.0);
    feed.wait_sent(5000);
    let mut shop = feed.finish();
    wait_until("all of the input is committed", || {
        group::is_caught_up(&deployment)
    });
    stop(first);
    for is_stopped in [false, true] {
        std::fs::remove_dir_all(deployment.store("a")).unwrap();
        let feed = Feed::start(&deployment, shop, 50.0);
        proxy.slow_down(INSTANCE, Some(SLOW_BYTES_PER_SECOND));
        let first = start("a", &of_first);
        first.wait_for("partitions assigned");
        if is_stopped {
            // Past its session; the second instance gets everything.
            first.signal("STOP");
        }
        let second = start("b", &of_second);
        if is_stopped {
            wait_owned(&deployment.store("b"), 12, Duration::ZERO);
            first.signal("CONT");
        }
        first.wait_for("partitions revoked");
        let unrestored = unrestored(&first);
        println!("stopped: {is_stopped}, {unrestored} partitions were not restored");
        assert!(unrestored > 0, "it was restoring");
        proxy.slow_down(INSTANCE, None);
        wait_owned(&deployment.store("b"), 3, Duration::from_secs(1));
        shop = feed.finish();
        Expected::of(&deployment).wait_for(&deployment, &members);
        stop(second);
        wait_owned(&deployment.store("a"), 12, Duration::ZERO);
        stop(first);
        Expected::of(&deployment).assert_stores(&deployment, &["a"]);
    }
}
