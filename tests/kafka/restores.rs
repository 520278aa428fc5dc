//! The group moves partitions while an instance is still reading their changelogs.

use std::collections::BTreeMap;
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

/// Records that the last restore of each partition has read, by what the instance has said.
fn restored(running: &Running) -> BTreeMap<u32, u64> {
    let seen = running.seen.lock().unwrap();
    let ended = seen
        .iter()
        .filter(|line| line.contains("partition restored"));
    let number = |line: &str, name: &str| {
        let (_, rest) = line.split_once(name).unwrap();
        let digits = rest.split(' ').next().unwrap();
        digits.parse::<u64>().unwrap()
    };
    ended
        .map(|line| {
            let partition = number(line, "partition=");
            (u32::try_from(partition).unwrap(), number(line, "records="))
        })
        .collect()
}

/// Offsets that are left to restore, of each partition that is restored now.
fn remaining(member: Member<'_>) -> BTreeMap<String, u64> {
    let page = get(member.address, "/metrics", &[]).unwrap_or_default();
    let gauges = page
        .lines()
        .filter_map(|line| line.strip_prefix("segstream_restore_remaining_records"));
    let gauges = gauges.filter_map(|gauge| {
        let (labels, value) = gauge.split_once(' ')?;
        Some((labels.to_owned(), value.parse().ok()?))
    });
    gauges.filter(|(_, remaining)| *remaining > 0).collect()
}

/// The connections are cut for longer than the session, and the process is killed: what was restored is not read again.
pub fn cut_while_it_restores() {
    const ID: &str = "cut-restore";
    let proxy = proxy();
    let deployment = Deployment::on(&proxy.node.brokers, "cut");
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
    let lose_disk = || std::fs::remove_dir_all(deployment.store("a")).unwrap();
    let stop = |running: Running| {
        running.signal("TERM");
        assert_eq!(running.code(), Some(0));
    };
    let first = start();
    let feed = Feed::start(&deployment, shop(200, 31), 4000.0);
    feed.wait_sent(8000);
    feed.finish();
    wait_until("all of the input is committed", || {
        group::is_caught_up(&deployment)
    });
    stop(first);
    lose_disk();
    let whole = start();
    wait_owned(&deployment.store("a"), 12, Duration::ZERO);
    let in_full = restored(&whole);
    stop(whole);
    for is_killed in [false, true] {
        lose_disk();
        proxy.slow_down(ID, Some(SLOW_BYTES_PER_SECOND));
        let mut running = start();
        // Some of a partition is there, and some is not.
        let mut greatest = BTreeMap::new();
        wait_until("the middle of a restore", || {
            let now = remaining(member);
            for (partition, offsets) in &now {
                let known = greatest.entry(partition.clone()).or_insert(*offsets);
                *known = (*known).max(*offsets);
            }
            now.iter()
                .any(|(partition, offsets)| *offsets * 2 < greatest[partition])
        });
        let done = restored(&running);
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
        wait_owned(&deployment.store("a"), 12, Duration::from_secs(1));
        let now = restored(&running);
        println!("killed: {is_killed}, before {done:?}, then {now:?}, in full {in_full:?}");
        let seen = running.seen.lock().unwrap().join("\n");
        assert!(!seen.contains("store wiped"), "{seen}");
        if !is_killed {
            assert!(seen.contains("partitions revoked"), "{seen}");
        }
        let is_half = |(partition, records): (&u32, &u64)| {
            !done.contains_key(partition) && *records < in_full[partition]
        };
        assert!(now.iter().any(is_half), "a restore went on where it was");
        Expected::of(&deployment).wait_for(&deployment, &[member]);
        stop(running);
        Expected::of(&deployment).assert_stores(&deployment, &["a"]);
    }
}
