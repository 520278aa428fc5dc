//! A transaction that the log does not take is not tried again as it was.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use segstream::config::store::Engine;
use segstream::domain::ids::Partition;
use segstream::domain::partitioner::partition_of;
use segstream::domain::topic::Topic;
use segstream::log::Committed;
use segstream::log::Error;
use segstream::log::PartitionFacts;
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

/// A log that never takes some records.
struct Choosy {
    inner: EmbeddedWorker,
    refuses: fn(&Transaction) -> bool,
}

impl LogView for Choosy {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        if (self.refuses)(transaction) {
            let detail = "it is too large".to_owned();
            return Err(Error::Refused { detail });
        }
        self.inner.commit(transaction)
    }
}

/// A transaction has a record of state of one of these customers.
fn has_state(transaction: &Transaction, customers: &[&str]) -> bool {
    let mut states = transaction.partitions.iter().flat_map(|part| &part.state);
    states.any(|record| {
        let mut customers = customers.iter();
        customers.any(|customer| record.key.ends_with(customer.as_bytes()))
    })
}

fn has_output(transaction: &Transaction, topic: Topic) -> bool {
    let mut outputs = transaction.outputs.iter();
    outputs.any(|output| output.topic == topic)
}

/// An order each of 400 customers, on a log that refuses some records.
fn run_choosy(
    root: &Path,
    refuses: fn(&Transaction) -> bool,
) -> (Life, Result<(), segstream::pipeline::Error>) {
    let life = Life::begin_ticking(root, 1, SIZING);
    let events = (0..CUSTOMERS).map(|number| {
        let customer = format!("c-{number:03}");
        let event = order(&customer, 1, "2026-10-01T10:00:00Z", 1000);
        let at = at("2026-10-01T10:00:00Z");
        InputRecord::new(Some(at), Some(customer.into_bytes()), event)
    });
    life.log.append(events.collect(), None).unwrap();
    let view = Choosy {
        inner: life.log.worker(0, 1),
        refuses,
    };
    let mut worker = Worker::new(Viewed(view), Arc::clone(&life.shared));
    life.shared.control.stop_at(life.log.ends());
    let done = worker.run();
    (life, done)
}

fn letters(life: &Life) -> Vec<(String, String)> {
    let letters = life.log.dead_letters().map(|found| found.unwrap().2);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    letters
        .map(|letter| {
            let reason = letter.headers.iter().find(|(name, _)| name == "reason");
            let reason = text(reason.unwrap().1.as_deref().unwrap());
            (text(letter.key.as_deref().unwrap()), reason)
        })
        .collect()
}

#[test]
fn only_the_deliveries_whose_outputs_the_log_refuses_are_rejected() {
    let refused = ["c-000", "c-077", "c-078", "c-399"];
    let root = tempfile::tempdir().unwrap();
    let (life, done) = run_choosy(root.path(), |transaction| {
        has_state(transaction, &["c-000", "c-077", "c-078", "c-399"])
    });
    done.unwrap();
    let records = life.records();
    assert_eq!(records.len(), CUSTOMERS - refused.len());
    assert!(
        refused
            .iter()
            .all(|customer| !records.contains_key(*customer))
    );
    let reason = || "output_too_large".to_owned();
    let expected = refused.map(|customer| (customer.to_owned(), reason()));
    assert_eq!(letters(&life), expected);
    life.assert_counts();
}

/// By hand: once the delivery is found, 16 transactions each of 1, 2, 4, 8 and 16 records take 496, so 80 are enough for the other
/// 400; the search takes fewer than 10.
#[test]
fn transactions_grow_again_as_soon_as_the_refused_delivery_is_found() {
    let root = tempfile::tempdir().unwrap();
    let (life, done) = run_choosy(root.path(), |transaction| {
        has_state(transaction, &["c-010"])
    });
    done.unwrap();
    assert_eq!(life.records().len(), CUSTOMERS - 1);
    let transactions = life.shared.tally.counts().transactions;
    assert!(transactions <= 90, "{transactions}");
}

/// Neither is tried for ever.
#[test]
fn a_refusal_that_no_delivery_can_be_rejected_for_ends_the_worker() {
    let all: fn(&Transaction) -> bool = |_| true;
    let letters_too: fn(&Transaction) -> bool = |transaction| {
        has_state(transaction, &["c-077"]) || has_output(transaction, Topic::DeadLetters)
    };
    for refuses in [all, letters_too] {
        let root = tempfile::tempdir().unwrap();
        let (life, done) = run_choosy(root.path(), refuses);
        let error = done.unwrap_err();
        assert!(
            matches!(&error, segstream::pipeline::Error::Refused { detail } if detail == "it is too large"),
            "{error:?}"
        );
        assert_eq!(letters(&life), []);
    }
}

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

/// A log that refuses one customer's records, whose partition it gives back later than the other one each time.
struct Slow {
    inner: EmbeddedWorker,
    /// Questions until it says anything of the second partition.
    waits: u32,
    refused: Arc<Mutex<u32>>,
}

impl LogView for Slow {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        if partition == Partition(1) && self.waits > 0 {
            self.waits -= 1;
            return Ok(None);
        }
        self.inner.facts(partition)
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        if has_state(transaction, &["refused"]) {
            self.waits = 60;
            *self.refused.lock().unwrap() += 1;
            let detail = "it is too large".to_owned();
            return Err(Error::Refused { detail });
        }
        self.inner.commit(transaction)
    }
}

/// By hand: transactions of 64 records are halved six times, and the seventh refusal finds the delivery.
#[test]
fn the_search_for_a_refused_delivery_goes_on_while_another_partition_commits() {
    let root = tempfile::tempdir().unwrap();
    let sizing = Sizing {
        commit_records: 64,
        ..SIZING
    };
    let life = Life::begin_ticking(root.path(), 2, sizing);
    let record = |customer: &str, number: u64| {
        let event = order(customer, number, "2026-10-01T10:00:00Z", 1000);
        let at = at("2026-10-01T10:00:00Z");
        InputRecord::new(Some(at), Some(customer.as_bytes().to_vec()), event)
    };
    let in_partition = |partition: u32| {
        let names = (0..).map(|number| format!("c-{number}"));
        names.filter(move |name| partition_of(name.as_bytes(), 2) == Partition(partition))
    };
    let busy: Vec<String> = in_partition(0).take(6000).collect();
    let good = in_partition(1).next().unwrap();
    let refused = (0..)
        .map(|number| format!("{number}-refused"))
        .find(|name| partition_of(name.as_bytes(), 2) == Partition(1))
        .unwrap();
    let mut records: Vec<InputRecord> = busy.iter().map(|name| record(name, 1)).collect();
    records.extend([record(&good, 1), record(&refused, 1), record(&good, 2)]);
    life.log.append(records, None).unwrap();
    let count = Arc::new(Mutex::new(0));
    let view = Slow {
        inner: life.log.worker(0, 1),
        waits: 0,
        refused: Arc::clone(&count),
    };
    let mut worker = Worker::new(Viewed(view), Arc::clone(&life.shared));
    life.shared.control.stop_at(life.log.ends());
    worker.run().unwrap();
    assert_eq!(life.records().len(), busy.len() + 1);
    let reason = "output_too_large".to_owned();
    assert_eq!(letters(&life), [(refused, reason)]);
    assert!(*count.lock().unwrap() <= 7, "{count:?}");
}
