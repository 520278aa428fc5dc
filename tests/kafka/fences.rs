//! A worker goes on with a partition that another one has written meanwhile: what it commits then takes no effect.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::topic::Topic;
use segstream::log::Committed;
use segstream::log::Error;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::kafka::KafkaWorker;

use crate::commits::Scene;
use crate::deployment::wait_owned;
use crate::deployment::wait_until;
use crate::expected;
use crate::expected::Member;
use crate::feed::Feed;
use crate::feed::shop;
use crate::group;
use crate::proxy::Fate;
use crate::proxy::JOIN_GROUP;
use crate::proxy::SYNC_GROUP;
use crate::proxy::proxy;
use crate::scraper::free_address;
use crate::support::cluster::Cluster;
use crate::support::contract::Subject;
use crate::support::contract::assigned;
use crate::support::contract::facts;
use crate::support::contract::output;
use crate::support::contract::part;
use crate::support::contract::replayed;
use crate::support::contract::state;
use crate::support::contract::to;

/// As a worker restores a partition: until the end of its changelog has stood still.
fn restore(worker: &mut KafkaWorker, partition: Partition) {
    loop {
        let before = facts(worker, partition).changelog_end;
        replayed(worker, partition, 100);
        if facts(worker, partition).changelog_end == before {
            break;
        }
    }
    let from = AppliedOffsets::default();
    worker.resume_at(partition, from).unwrap();
}

fn commit(
    worker: &mut KafkaWorker,
    partition: Partition,
    name: &str,
) -> Result<Vec<Committed>, Error> {
    worker.commit(&Transaction {
        partitions: vec![part(partition, 0, vec![state(name, Some("value"))])],
        outputs: vec![to(Topic::Changes, output(name, 1))],
    })
}

pub fn overtaken() {
    let cluster = Cluster::new();
    let mut worker = cluster.worker(0, 1);
    let (ours, other) = (Partition(0), Partition(1));
    for partition in assigned(&mut worker) {
        restore(&mut worker, partition);
    }
    commit(&mut worker, ours, "first").unwrap();
    commit(&mut worker, ours, "second").unwrap();
    cluster.write_to_changelog(ours);
    commit(&mut worker, other, "other").unwrap();
    for _ in 0..2 {
        let refused = commit(&mut worker, ours, "unread");
        assert!(matches!(refused, Err(Error::Aborted)), "{refused:?}");
    }
    restore(&mut worker, ours);
    commit(&mut worker, ours, "third").unwrap();
    let changes = cluster.changes().into_iter();
    let mut names: Vec<String> = changes
        .map(|change| String::from_utf8(change.value.unwrap()).unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["first 1", "other 1", "second 1", "third 1"]);
}

/// A member joins again while its session ends, and the client does not say that it lost its partitions: the worker
/// has the events that the other one has counted already.
pub fn joined_anew_without_a_word() {
    // The transaction of the events that the other worker has counted ends when the group has taken the member in again.
    let scene = Scene::new("silent", "one-silent", &["workers=1", "commit.interval=8s"]);
    let deployment = &scene.deployment;
    let running = scene.start();
    let feed = Feed::start(deployment, shop(150, 5), 200.0);
    feed.wait_sent(600);
    let shop = feed.finish();
    wait_until("the first events are committed", || {
        group::is_caught_up(deployment)
    });
    let [is_held, has_held, has_synced] = [true, false, false].map(AtomicBool::new).map(Arc::new);
    let of_rule = [&is_held, &has_held, &has_synced].map(Arc::clone);
    proxy().rule(scene.id, move |request| {
        let [is_held, has_held, has_synced] = &of_rule;
        if is_held.load(Ordering::Relaxed) && request.api == JOIN_GROUP {
            has_held.store(true, Ordering::Relaxed);
            return Fate::Hold;
        }
        if request.api == SYNC_GROUP && has_held.load(Ordering::Relaxed) {
            has_synced.store(true, Ordering::Relaxed);
        }
        Fate::Pass
    });
    let address = free_address();
    let second_address = format!("http.address={address}");
    let settings = ["workers=1", "instance.id=other", &second_address];
    let second = deployment.start("b", &[settings.as_slice(), &expected::SETTINGS].concat());
    wait_until("it joins again", || has_held.load(Ordering::Relaxed));
    running.signal("STOP");
    wait_owned(&deployment.store("b"), 12, Duration::ZERO);
    let feed = Feed::start(deployment, shop, 200.0);
    feed.wait_sent(600);
    let shop = feed.finish();
    wait_until("the other one has committed what came", || {
        group::is_caught_up(deployment)
    });
    is_held.store(false, Ordering::Relaxed);
    running.signal("CONT");
    wait_until("the group takes it in", || {
        has_synced.load(Ordering::Relaxed)
    });
    let feed = Feed::start(deployment, shop, 50.0);
    let member = Member {
        instance: "b",
        address,
    };
    feed.wait_sent(600);
    proxy().pass(scene.id);
    scene.end(feed, vec![(member, second)], running);
}
