//! Ownership of a partition moves between the workers of a process: what an earlier owner still hears or does
//! never touches what the partition's owner runs.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::log::Error;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::partition::clock::MonotonicClock;
use segstream::pipeline::partitions::Phase;
use segstream::pipeline::worker::Worker;
use segstream::simulate::Shop;
use segstream::simulate::ShopOptions;

use crate::support;
use crate::support::Life;
use crate::support::Sizing;
use crate::support::log_view::LogView;
use crate::support::log_view::Viewed;
use segstream::config::store::Engine;

const PARTITIONS: u32 = 2;
const MOVING: Partition = Partition(0);
const SIZING: Sizing = Sizing {
    commit_records: 20,
    flush_records: 1000,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2000,
    cache_bytes: 1 << 20,
};

fn feed(customers: u32) -> Vec<InputRecord> {
    let shop = Shop::new(ShopOptions {
        customers,
        seed: 5,
        starts_at: support::at("2026-01-01T00:00:00Z"),
        days: Some(120),
        dirt: 0.0,
    });
    shop.map(|event| InputRecord::new(Some(event.record_time), event.key, event.payload))
        .collect()
}

/// What the group says to a worker, in the order in which the worker hears it.
type News = Arc<Mutex<VecDeque<Polled>>>;

/// A worker's view whose assignment the test decides.
struct Member {
    inner: EmbeddedWorker,
    news: News,
}

impl LogView for Member {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        let heard = self.news.lock().unwrap().pop_front();
        match &heard {
            Some(Polled::Assigned(partitions)) => self.inner.assign(partitions),
            Some(Polled::Revoked(partitions) | Polled::Lost(partitions)) => {
                self.inner.unassign(partitions);
            }
            Some(Polled::Idle | Polled::Deliveries(_)) | None => {}
        }
        heard.map_or_else(|| self.inner.poll(limit), Ok)
    }
}

/// Two workers of one process, X with the even partitions and Y with the odd ones.
struct Pair {
    life: Life,
    x: Worker<Viewed<Member>>,
    y: Worker<Viewed<Member>>,
    news_of_x: News,
    news_of_y: News,
}

impl Pair {
    fn begin(root: &Path, customers: u32) -> Self {
        let life = Life::begin_ticking(root, PARTITIONS, SIZING);
        life.log.append(feed(customers), None).unwrap();
        Self::of(life)
    }

    fn of(life: Life) -> Self {
        let member = |partition: Partition| {
            let assigned = Polled::Assigned(vec![partition]);
            let news = Arc::new(Mutex::new(VecDeque::from([assigned])));
            let log = Member {
                inner: life.log.member(),
                news: Arc::clone(&news),
            };
            (Worker::new(Viewed(log), Arc::clone(&life.shared)), news)
        };
        let (x, news_of_x) = member(Partition(0));
        let (y, news_of_y) = member(Partition(1));
        Self {
            life,
            x,
            y,
            news_of_x,
            news_of_y,
        }
    }

    /// Works until everything is committed, and some turns more.
    fn settle(&mut self) {
        let mut turns_left = 100;
        for _ in 0..100_000 {
            self.x.turn().unwrap();
            self.y.turn().unwrap();
            turns_left -= i32::from(self.is_committed());
            if turns_left == 0 {
                return;
            }
        }
        panic!("it does not settle");
    }

    fn is_committed(&self) -> bool {
        let ends = self.life.log.ends();
        let mut log = self.life.log.member();
        (0..).map(Partition).zip(ends).all(|(partition, end)| {
            let facts = log.facts(partition).unwrap().unwrap();
            let events = facts.sources[&Source::Events];
            events.group_offset == Some(end.next(Source::Events))
        })
    }

    /// Readers see every customer, every owned partition is marked, gauges equal a recount, and state and
    /// changes equal the fold.
    fn assert_whole(&self) {
        let visible = self.life.shared.partitions.visible();
        let running: Vec<Partition> = visible
            .iter()
            .filter(|(_, phase)| matches!(phase, Phase::Running(_)))
            .map(|(partition, _)| *partition)
            .collect();
        assert_eq!(
            running,
            [Partition(0), Partition(1)],
            "every partition answers"
        );
        let owned = self.life.shared.partitions.directory().owned().unwrap();
        assert_eq!(
            owned, running,
            "every partition that runs is marked as owned"
        );
        let inputs: Vec<_> = self.life.log.inputs().map(Result::unwrap).collect();
        let expected = support::fold(&inputs, None);
        assert_eq!(
            self.life.records(),
            expected.records,
            "state equals the fold"
        );
        let published = self.life.changes();
        let distinct: BTreeSet<&String> = published.iter().collect();
        assert_eq!(
            distinct.len(),
            published.len(),
            "no change is published twice"
        );
        assert_eq!(published.len(), expected.changes.len());
        self.life.assert_counts();
    }
}

fn report(news: &News, what: Polled) {
    news.lock().unwrap().push_back(what);
}

#[test]
fn a_loss_that_is_heard_late_leaves_the_new_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut pair = Pair::begin(root.path(), 40);
    pair.settle();
    // The group has given the partition to Y. X hears of it only after Y has begun to run it.
    report(&pair.news_of_y, Polled::Assigned(vec![MOVING]));
    for _ in 0..25 {
        pair.y.turn().unwrap();
    }
    report(&pair.news_of_x, Polled::Lost(vec![MOVING]));
    pair.settle();
    pair.assert_whole();
}

#[test]
fn a_revocation_that_is_heard_late_leaves_the_new_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut pair = Pair::begin(root.path(), 40);
    pair.settle();
    report(&pair.news_of_y, Polled::Assigned(vec![MOVING]));
    for _ in 0..25 {
        pair.y.turn().unwrap();
    }
    report(&pair.news_of_x, Polled::Revoked(vec![MOVING]));
    pair.settle();
    pair.assert_whole();
}

#[test]
fn a_partition_that_is_assigned_twice_is_taken_in_once() {
    let root = tempfile::tempdir().unwrap();
    let mut pair = Pair::begin(root.path(), 40);
    for _ in 0..6 {
        pair.x.turn().unwrap();
        pair.y.turn().unwrap();
    }
    report(&pair.news_of_x, Polled::Assigned(vec![MOVING]));
    pair.settle();
    pair.assert_whole();
}

#[test]
fn outputs_of_a_partition_that_another_worker_took_over_are_not_committed_with_the_others() {
    let root = tempfile::tempdir().unwrap();
    let (begun, passed_ms) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let clock = {
        let passed_ms = Arc::clone(&passed_ms);
        MonotonicClock::manual(move || {
            begun + Duration::from_millis(passed_ms.load(Ordering::Relaxed))
        })
    };
    let sizing = Sizing {
        commit_records: 1_000_000,
        ..SIZING
    };
    let mut pair = Pair::of(Life::begin_on(clock, root.path(), PARTITIONS, sizing));
    pair.news_of_y.lock().unwrap().clear();
    report(&pair.news_of_x, Polled::Assigned(vec![Partition(1)]));
    for _ in 0..10 {
        pair.x.turn().unwrap();
    }
    // Y hears of an assignment that the group has withdrawn since, and takes the partition over for a while.
    report(&pair.news_of_y, Polled::Assigned(vec![Partition(1)]));
    pair.y.turn().unwrap();
    // X takes deliveries of both partitions, and finds out in the same turn: it asks for progress once a second.
    pair.life.log.append(feed(40), None).unwrap();
    passed_ms.fetch_add(1000, Ordering::Relaxed);
    pair.x.turn().unwrap();
    for _ in 0..10 {
        passed_ms.fetch_add(10, Ordering::Relaxed);
        pair.x.turn().unwrap();
    }
    report(&pair.news_of_y, Polled::Lost(vec![Partition(1)]));
    pair.y.turn().unwrap();
    for _ in 0..200 {
        passed_ms.fetch_add(10, Ordering::Relaxed);
        pair.x.turn().unwrap();
    }
    pair.assert_whole();
}
