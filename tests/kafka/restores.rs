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
use crate::proxy::Fate;
use crate::proxy::proxy;
use crate::running::Running;
use crate::scraper::free_address;
use crate::scraper::get;

const INSTANCE: &str = "restores";
/// At this speed the changelog of the test takes longer than a rebalance and a session.
const SLOW_BYTES_PER_SECOND: usize = 40_000;
/// At this one a megabyte takes some seconds.
const CUT_BYTES_PER_SECOND: usize = 400_000;

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

/// Records that each restore has read, by what the instance has said.
fn restored(running: &Running) -> Vec<u64> {
    let seen = running.seen.lock().unwrap();
    let ended = seen
        .iter()
        .filter(|line| line.contains("partition restored"));
    let records = ended.map(|line| {
        let (_, rest) = line.split_once("records=").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    });
    records.collect()
}

/// Offsets that are left to restore; `None` before the restore has begun.
fn remaining(member: Member<'_>) -> Option<u64> {
    let page = get(member.address, "/metrics", &[]).ok()?;
    let mut lines = page.lines();
    let gauge = lines.find_map(|line| line.strip_prefix("segstream_restore_remaining_records{"))?;
    gauge.split_once(' ')?.1.parse().ok()
}

/// The connections are cut for longer than the session, and the process is killed: what was restored is not read again.
pub fn cut_while_it_restores() {
    const ID: &str = "cut-restore";
    let proxy = proxy();
    // A broker answers with a megabyte at a time, so the changelog of the only partition has several.
    let deployment = Deployment::with(&proxy.node.brokers, "cut", &["topics.partitions=1"]);
    let member = Member {
        instance: "a",
        address: free_address(),
    };
    let given = [
        format!("kafka.brokers={}", proxy.brokers),
        format!("instance.id={ID}"),
        format!("http.address={}", member.address),
        "workers=1".to_owned(),
        "log.filter=info,segstream::telemetry=debug".to_owned(),
        // A restore writes what it has, so that a process that is killed leaves it.
        "store.flush_records=0".to_owned(),
    ];
    let settings: Vec<&str> = given.iter().map(String::as_str).collect();
    let settings = [settings.as_slice(), &expected::SETTINGS].concat();
    let start = || deployment.start("a", &settings);
    let stop = |running: Running| {
        running.signal("TERM");
        assert_eq!(running.code(), Some(0));
    };
    let lose_disk = || std::fs::remove_dir_all(deployment.store("a")).unwrap();
    let feed = Feed::start(&deployment, shop(1000, 31), 8000.0);
    feed.wait_sent(30_000);
    feed.finish();
    // Each transaction writes the state of its customers.
    let many = ["commit.records=50", "kafka.compression=none"];
    deployment.run_to_end("a", &[&many, &expected::SETTINGS[..]].concat());
    lose_disk();
    let whole = start();
    wait_owned(&deployment.store("a"), 1, Duration::ZERO);
    let in_full = restored(&whole);
    stop(whole);
    let [in_full] = in_full.try_into().unwrap();
    for is_killed in [false, true] {
        lose_disk();
        proxy.slow_down(ID, Some(CUT_BYTES_PER_SECOND));
        let mut running = start();
        let mut all = 0;
        wait_until("the middle of the restore", || {
            let left = remaining(member).unwrap_or(0);
            all = left.max(all);
            0 < left && left < all
        });
        if is_killed {
            running.kill();
            proxy.slow_down(ID, None);
            running = start();
        } else {
            proxy.rule(ID, |_| Fate::Cut);
            wait_until("the group has forgotten it", || {
                group::members(&deployment).is_empty()
            });
            proxy.slow_down(ID, None);
            proxy.pass(ID);
        }
        wait_owned(&deployment.store("a"), 1, Duration::from_secs(1));
        let read = restored(&running);
        println!("killed: {is_killed}, {in_full} records in full, {read:?} after the cut");
        let seen = running.seen.lock().unwrap().join("\n");
        assert!(!seen.contains("store wiped"), "{seen}");
        let [read] = read.try_into().unwrap();
        // Where the restore itself was not cut, it says all that it read.
        let was_given_up = is_killed || seen.contains("partitions revoked");
        assert!(was_given_up, "the session has ended: {seen}");
        assert!(0 < read && read < in_full, "it went on where it was");
        stop(running);
        assert!(deployment.export(&["a"]) == deployment.changelog());
        deployment.text("a", &["state", "recount"]);
    }
}

/// Each answer takes longer than a worker waits for a record in one turn.
pub fn restored_from_far_away() {
    const ID: &str = "far";
    const LATENCY: Duration = Duration::from_millis(30);
    let proxy = proxy();
    let deployment = Deployment::on(&proxy.node.brokers, "far");
    let member = Member {
        instance: "a",
        address: free_address(),
    };
    let given = [
        format!("kafka.brokers={}", proxy.brokers),
        format!("instance.id={ID}"),
        format!("http.address={}", member.address),
        "workers=2".to_owned(),
        "commit.interval=500ms".to_owned(),
    ];
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let settings = [given.as_slice(), &expected::SETTINGS].concat();
    proxy.delay(ID, LATENCY);
    let mut shop = shop(50, 31);
    for _ in 0..2 {
        let running = deployment.start("a", &settings);
        let feed = Feed::start(&deployment, shop, 200.0);
        feed.wait_sent(100);
        shop = feed.finish();
        Expected::of(&deployment).wait_for(&deployment, &[member]);
        running.signal("TERM");
        assert_eq!(running.code(), Some(0));
    }
    Expected::of(&deployment).assert_stores(&deployment, &["a"]);
}
