//! Only one of the two workers of an instance loses its connection to the group's coordinator. The broker ends that
//! worker's session and gives its partitions to the other worker of the same process; later the first one is back.
//!
//! `SEGSTREAM_TEST_LOSSES=10 cargo test --test kafka loses_its_session` does so ten times; `just test-losses` is that.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::deployment::Deployment;
use crate::deployment::wait_until;
use crate::expected;
use crate::expected::Expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::proxy::Fate;
use crate::proxy::MemberConnections;
use crate::proxy::Proxy;
use crate::proxy::proxy;
use crate::running::Running;
use crate::scraper::free_address;
use crate::seed_of;
use crate::support;
use crate::support::Chance;

/// Not the beginning of the group's name, so that a request names a member by its id alone.
const INSTANCE: &str = "one-of-two";
/// Longer than the session of 6 s, and than what a client waits before it connects anew.
const OUTAGE: Duration = Duration::from_secs(26);
/// What the log of an instance must not say: nothing has happened to a topic, a store or an id.
const FALSE: [&str; 8] = [
    "shortened",
    "made anew",
    "no checkpoint",
    "store wiped",
    "taken over",
    "cannot happen",
    "group offset differs",
    "ERROR segstream",
];

/// How the connection is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// It ends, and so does each new one.
    Cut,
    /// What is sent on it arrives only after the outage.
    Delayed,
}

/// Losses of the test, 1 unless `SEGSTREAM_TEST_LOSSES` says how many.
fn losses() -> u64 {
    let given = std::env::var("SEGSTREAM_TEST_LOSSES").ok();
    given.map_or(1, |text| text.parse().expect("a number of losses"))
}

/// Whether the members whose names begin so have all partitions between them, and each has some.
pub fn share_all(deployment: &Deployment, names: &[&str]) -> bool {
    let members = group::members(deployment);
    let is_each_there = names.iter().all(|name| {
        let of_name = members.iter().filter(|(id, _)| id.starts_with(*name));
        of_name.map(|(_, partitions)| *partitions).sum::<usize>() > 0
    });
    members.len() == names.len()
        && is_each_there
        && members.values().sum::<usize>() == crate::PARTITIONS as usize
}

pub fn lost_sessions() {
    let proxy = proxy();
    let deployment = Deployment::on(&proxy.node.brokers, "losses");
    let mut chance = Chance(seed_of("loses_its_session"));
    let address = free_address();
    let given = [
        format!("kafka.brokers={}", proxy.brokers),
        format!("instance.id={INSTANCE}"),
        format!("http.address={address}"),
        // What is committed is on disk, so that a copy of the stores is complete.
        "store.flush_records=0".to_owned(),
    ];
    let settings: Vec<&str> = given.iter().map(String::as_str).collect();
    let settings = [settings.as_slice(), &expected::SETTINGS].concat();
    let running = deployment.start("a", &settings);
    let member = Member {
        instance: "a",
        address,
    };
    let names = [0, 1].map(|worker| format!("{INSTANCE}-{worker}"));
    let both = [names[0].as_str(), names[1].as_str()];
    // Enough that some still buy after the last loss, however slow the machine is.
    let customers = u32::try_from(200 * losses()).unwrap();
    let mut shop = shop(customers, 1);
    for number in 0..losses() {
        wait_until("both workers have partitions", || {
            share_all(&deployment, &both)
        });
        let feed = Feed::start(&deployment, shop, 30.0);
        feed.wait_sent(100);
        let loss = if number % 2 == 0 {
            Loss::Cut
        } else {
            Loss::Delayed
        };
        let loser = chance.below(2) as usize;
        println!("loss {}: {loss:?} of {}", number + 1, names[loser]);
        lose(proxy, &deployment, loss, (&names[loser], &names[1 - loser]));
        wait_until("both workers have partitions again", || {
            share_all(&deployment, &both)
        });
        shop = feed.finish();
        let expected = Expected::of(&deployment);
        expected.wait_for(&deployment, &[member]);
        wait_until("the stores on disk are complete", || {
            is_copy_complete(&deployment, &running, &expected)
        });
        let seen = running.seen.lock().unwrap();
        for line in &*seen {
            let said = FALSE.iter().find(|text| line.contains(*text));
            assert!(said.is_none(), "{line}");
        }
    }
    running.signal("TERM");
    assert_eq!(running.code(), Some(0));
    Expected::of(&deployment).assert_stores(&deployment, &["a"]);
}

/// A worker loses its connection to the coordinator for [`OUTAGE`], and the other one gets everything meanwhile.
fn lose(proxy: &Proxy, deployment: &Deployment, loss: Loss, (loser, other): (&str, &str)) {
    let is_lost = Arc::new(AtomicBool::new(true));
    let connections = MemberConnections::default();
    let (of_rule, name) = (Arc::clone(&is_lost), loser.to_owned());
    proxy.rule(INSTANCE, move |request| {
        if connections.have(request, &name) && of_rule.load(Ordering::Relaxed) {
            match loss {
                Loss::Cut => Fate::Cut,
                Loss::Delayed => Fate::Hold,
            }
        } else {
            Fate::Pass
        }
    });
    let begun = Instant::now();
    wait_until("the other worker has everything", || {
        share_all(deployment, &[other])
    });
    let remaining = OUTAGE.saturating_sub(begun.elapsed());
    assert!(!remaining.is_zero(), "the session ended within the outage");
    let until = Instant::now() + remaining;
    wait_until("the end of the outage", || Instant::now() >= until);
    is_lost.store(false, Ordering::Relaxed);
    proxy.pass(INSTANCE);
}

/// Whether a copy of the stores of the running instance has the fold's state, as a reader of stopped stores prints it.
fn is_copy_complete(deployment: &Deployment, running: &Running, expected: &Expected) -> bool {
    let copy = deployment.store("copy");
    if copy.is_dir() {
        std::fs::remove_dir_all(&copy).unwrap();
    }
    running.signal("STOP");
    support::copy_directory(&deployment.store("a"), &copy);
    running.signal("CONT");
    let is_complete = deployment.export(&["copy"]) == expected.export;
    if is_complete {
        expected.assert_stores(deployment, &["copy"]);
    }
    is_complete
}
