//! A transaction that the log does not take is not tried again as it was.

use std::sync::Arc;
use std::sync::Mutex;

use segstream::config::store::Engine;
use segstream::domain::ids::Partition;
use segstream::log::Committed;
use segstream::log::Error;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::worker::Worker;

use crate::engine::order;
use crate::support::Life;
use crate::support::Sizing;
use crate::support::at;
use crate::support::events_at;
use crate::support::log_view::LogView;
use crate::support::log_view::Viewed;

const SIZING: Sizing = Sizing {
    commit_records: CUSTOMERS,
    flush_records: 1000,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2000,
    cache_bytes: 1 << 20,
};
const CUSTOMERS: usize = 400;
/// A transaction with more records of state is aborted.
const RECORDS_MAX: usize = 30;

/// A log that takes small transactions only.
struct Narrow {
    inner: EmbeddedWorker,
    /// Records of state of each transaction, and whether it was taken.
    tried: Arc<Mutex<Vec<(usize, bool)>>>,
}

impl LogView for Narrow {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        let parts = transaction.partitions.iter();
        let records = parts.map(|part| part.state.len()).sum();
        let is_taken = records <= RECORDS_MAX;
        self.tried.lock().unwrap().push((records, is_taken));
        if is_taken {
            self.inner.commit(transaction)
        } else {
            Err(Error::Aborted)
        }
    }
}

#[test]
fn a_transaction_that_is_too_large_for_the_log_is_halved_until_it_is_taken() {
    let root = tempfile::tempdir().unwrap();
    let life = Life::begin_ticking(root.path(), 1, SIZING);
    let events = (0..CUSTOMERS).map(|number| {
        let customer = format!("c-{number}");
        let event = order(&customer, 1, "2026-10-01T10:00:00Z", 1000);
        InputRecord::new(
            Some(at("2026-10-01T10:00:00Z")),
            Some(customer.into_bytes()),
            event,
        )
    });
    life.log.append(events.collect(), None).unwrap();
    let tried = Arc::new(Mutex::new(Vec::new()));
    let view = Narrow {
        inner: life.log.worker(0, 1),
        tried: Arc::clone(&tried),
    };
    let mut worker = Worker::new(Viewed(view), Arc::clone(&life.shared));
    life.shared.control.stop_at(life.log.ends());
    worker.run().unwrap();
    assert_eq!(life.records().len(), CUSTOMERS);
    let store = &life.shared.partitions.visible()[&Partition(0)];
    let segstream::pipeline::partitions::Phase::Running(store) = store else {
        panic!("the partition runs");
    };
    let folded = store.checkpoint().unwrap().offsets;
    assert_eq!(folded, events_at(CUSTOMERS as u64));
    // Each is smaller than the one before until one is taken; afterwards too much is tried again only now and then.
    let tried = tried.lock().unwrap();
    let failed: Vec<usize> = tried
        .iter()
        // The checkpoint by which a worker claims its partition comes first.
        .skip(1)
        .take_while(|(_, is_taken)| !is_taken)
        .map(|(records, _)| *records)
        .collect();
    assert!(failed.len() > 2, "{tried:?}");
    assert!(failed.is_sorted_by(|one, next| one > next), "{failed:?}");
    let taken = tried.iter().filter(|(_, is_taken)| *is_taken).count();
    assert!(
        tried.len() - failed.len() - taken <= taken / 16,
        "{tried:?}"
    );
}
