//! Ownership of a partition moves between the workers of a process: what an earlier owner still hears or does
//! never touches what the partition's owner runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use segstream::domain::ids::Partition;
use segstream::faults::Faults;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::Injected;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::partitions::Phase;
use segstream::pipeline::worker::Worker;
use segstream::simulate::Shop;
use segstream::simulate::ShopOptions;

use crate::support;
use crate::support::Life;
use crate::support::Sizing;

const PARTITIONS: u32 = 2;
const MOVING: Partition = Partition(0);
const SIZING: Sizing = Sizing {
    commit_records: 20,
    flush_records: 1000,
    flush_bytes: 1 << 30,
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
    shop.map(|event| InputRecord {
        timestamp: Some(event.record_time),
        key: event.key,
        payload: event.payload,
    })
    .collect()
}

/// Two workers of one process, X with the even partitions and Y with the odd ones.
struct Pair {
    life: Life,
    x: Worker<EmbeddedWorker>,
    y: Worker<EmbeddedWorker>,
}

impl Pair {
    fn begin(root: &Path, customers: u32) -> Self {
        let life = Life::begin(root, PARTITIONS, SIZING, &Faults::none());
        life.log.append(feed(customers), None).unwrap();
        let x = Worker::new(life.log.worker(0, 2), Arc::clone(&life.shared));
        let y = Worker::new(life.log.worker(1, 2), Arc::clone(&life.shared));
        Self { life, x, y }
    }

    fn settle(&mut self) {
        for _ in 0..60 {
            self.x.turn().unwrap();
            self.y.turn().unwrap();
        }
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

#[test]
fn a_loss_that_is_heard_late_leaves_the_new_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut pair = Pair::begin(root.path(), 40);
    pair.settle();
    // The group has given the partition to Y. X hears of it only after Y has begun to run it.
    pair.life.log.inject(1, Injected::Assign(vec![MOVING]));
    for _ in 0..25 {
        pair.y.turn().unwrap();
    }
    pair.life.log.inject(0, Injected::Lose(vec![MOVING]));
    pair.settle();
    pair.assert_whole();
}

#[test]
fn a_revocation_that_is_heard_late_leaves_the_new_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut pair = Pair::begin(root.path(), 40);
    pair.settle();
    pair.life.log.inject(1, Injected::Assign(vec![MOVING]));
    for _ in 0..25 {
        pair.y.turn().unwrap();
    }
    pair.life.log.inject(0, Injected::Revoke(vec![MOVING]));
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
    pair.life.log.inject(0, Injected::Assign(vec![MOVING]));
    pair.settle();
    pair.assert_whole();
}
