//! The log aborts one transaction. A run with ends commits everything all the same, and what is committed is on disk when the
//! worker ends.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use segstream::config::store::Engine;
use segstream::domain::ids::Partition;
use segstream::engine::state::checkpoint::Checkpoint;
use segstream::log::Committed;
use segstream::log::Error;
use segstream::log::Transaction;
use segstream::log::WorkerLog as _;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::partition::clock::MonotonicClock;
use segstream::pipeline::worker::Worker;
use segstream::store::directory::StoreDirectory;
use segstream::store::partition::PartitionStore;
use serde_json::json;

use crate::support;
use crate::support::Life;
use crate::support::Sizing;
use crate::support::log_view::LogView;
use crate::support::log_view::Viewed;

const SIZING: Sizing = Sizing {
    commit_records: 100,
    flush_records: 1000,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2000,
    cache_bytes: 1 << 20,
};

/// Transactions up to the one that is aborted, itself included; 0: none is.
type UntilAbort = Arc<AtomicU32>;

struct AbortsOne {
    inner: EmbeddedWorker,
    until_abort: UntilAbort,
}

impl LogView for AbortsOne {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        let left = self.until_abort.load(Ordering::Relaxed);
        self.until_abort
            .store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 1 {
            return Err(Error::Aborted);
        }
        self.inner.commit(transaction)
    }
}

fn append(log: &EmbeddedLog, customer: &str) {
    let event = json!({
        "event_id": customer, "type": "order.completed", "occurred_at": "2026-05-30T00:00:00Z",
        "customer_id": customer, "order_id": customer, "currency": "USD", "revenue": 10,
    });
    let record_time = Some(support::at("2026-06-01T00:00:00Z"));
    let payload = event.to_string().into_bytes();
    let record = InputRecord::new(record_time, Some(customer.as_bytes().to_vec()), payload);
    log.append(vec![record], None).unwrap();
}

fn worker(life: &Life, until_abort: &UntilAbort) -> Worker<Viewed<AbortsOne>> {
    let log = AbortsOne {
        inner: life.log.worker(0, 1),
        until_abort: Arc::clone(until_abort),
    };
    Worker::new(Viewed(log), Arc::clone(&life.shared))
}

/// The checkpoint and the number of customers in the store of an instance that has stopped.
fn on_disk(root: &Path) -> (Checkpoint, usize) {
    let store = root.join("store");
    let directory = StoreDirectory::open(&store, "test", Duration::ZERO).unwrap();
    let database = support::small_tree(20);
    let store = PartitionStore::open_as_left(&directory, Partition(0), &database).unwrap();
    (store.checkpoint().unwrap(), store.records().count())
}

/// By hand: the claim of the partition, the event, and the clock that is moved at the end are at least a transaction each.
#[test]
fn a_run_that_moves_clocks_at_its_end_moves_them_whichever_transaction_is_aborted() {
    let moved_to = support::at("2026-09-01T00:00:00Z");
    let mut runs = 0;
    let mut is_one_aborted = true;
    while is_one_aborted {
        runs += 1;
        let root = tempfile::tempdir().unwrap();
        let life = Life::begin_ticking(root.path(), 1, SIZING);
        append(&life.log, "a");
        let until_abort = UntilAbort::new(AtomicU32::new(runs));
        let mut worker = worker(&life, &until_abort);
        life.shared.control.advance_to(moved_to);
        life.shared.control.stop_at(life.log.ends());
        worker.run().unwrap();
        is_one_aborted = until_abort.load(Ordering::Relaxed) == 0;
        drop((worker, life));
        let (checkpoint, customers) = on_disk(root.path());
        assert_eq!(checkpoint.offsets, support::events_at(1), "{runs}");
        assert_eq!(checkpoint.clock, Some(moved_to), "{runs}");
        assert_eq!(customers, 1, "{runs}");
    }
    assert!(runs > 3, "{runs}");
}

#[test]
fn what_was_committed_before_an_aborted_transaction_is_on_disk_after_a_stop() {
    let root = tempfile::tempdir().unwrap();
    let (begun, seconds) = (Instant::now(), Arc::new(AtomicU32::new(0)));
    let passed = Arc::clone(&seconds);
    let clock = MonotonicClock::manual(move || {
        begun + Duration::from_secs(1) * passed.load(Ordering::Relaxed)
    });
    let life = Life::begin_on(clock, root.path(), 1, SIZING);
    let until_abort = UntilAbort::default();
    let mut worker = worker(&life, &until_abort);
    append(&life.log, "a");
    for _ in 0..10 {
        seconds.fetch_add(1, Ordering::Relaxed);
        worker.turn().unwrap();
    }
    // It is taken, and no time passes after which it would be committed.
    append(&life.log, "b");
    worker.turn().unwrap();
    until_abort.store(1, Ordering::Relaxed);
    life.shared.control.stop();
    worker.run().unwrap();
    assert_eq!(until_abort.load(Ordering::Relaxed), 0, "one was aborted");
    drop((worker, life));
    let (checkpoint, customers) = on_disk(root.path());
    assert_eq!(checkpoint.offsets, support::events_at(1));
    assert_eq!(customers, 1);
}
