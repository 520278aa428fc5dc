//! Stores that a thread of its own writes while the worker goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::engine::input;
use crate::engine::order;
use crate::support;
use crate::support::Life;
use crate::support::Sizing;
use segstream::config::store::Engine;
use segstream::domain::ids::Position;
use segstream::faults::Decision;
use segstream::faults::FaultPoint;
use segstream::faults::Faults;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::Error;
use segstream::store;

const CUSTOMERS: u64 = 300;

/// A thread writes a store whenever there are 75 records that are not on disk; at 100, the worker would write all.
fn begun(root: &Path, engine: Engine, faults: &Faults) -> Life {
    let sizing = Sizing {
        commit_records: 2,
        flush_records: 100,
        flush_bytes: 1 << 30,
        engine,
        flushes_in_background: true,
        page_bytes: 500,
        cache_bytes: 1 << 20,
    };
    Life::begin(root, 2, sizing, faults)
}

fn append(life: &Life, orders: u64) {
    for number in 0..orders {
        let customer = format!("c-{}", number * 7 % CUSTOMERS);
        let order = order(&customer, number, "2026-05-02T00:00:00Z", 150 + number);
        let record = input(Some(customer.as_bytes()), &order);
        life.log.append(vec![record], None).unwrap();
    }
}

fn is_flush_thread() -> bool {
    std::thread::current().name() == Some("flush")
}

#[test]
fn stores_written_by_a_thread_hold_what_was_committed_also_when_they_are_opened_again() {
    for engine in [Engine::Sled, Engine::Fjall] {
        let root = tempfile::tempdir().unwrap();
        let written = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&written);
        let faults = Faults::planned(move |point| {
            if point == FaultPoint::StoreAfterFlush && is_flush_thread() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Decision::Continue
        });
        let mut life = begun(root.path(), engine, &faults);
        append(&life, 2000);
        life.run_to_end().unwrap();
        assert!(written.load(Ordering::Relaxed) > 1, "{engine:?}");
        let inputs: Vec<(Position, InputRecord)> = life.log.inputs().map(Result::unwrap).collect();
        let expected = support::fold(&inputs, None);
        assert_eq!(life.records(), expected.records);
        life.assert_counts();
        drop(life);
        let mut again = begun(root.path(), engine, &Faults::none());
        again.run_to_end().unwrap();
        assert_eq!(again.records(), expected.records);
        again.assert_counts();
    }
}

#[test]
fn a_flush_that_fails_on_its_thread_ends_the_worker_with_its_error() {
    let root = tempfile::tempdir().unwrap();
    let faults = Faults::planned(|point| {
        if point == FaultPoint::StoreBefore && is_flush_thread() {
            Decision::Crash
        } else {
            Decision::Continue
        }
    });
    let mut life = begun(root.path(), Engine::Fjall, &faults);
    append(&life, 2000);
    let ended = life.run_to_end();
    assert!(
        matches!(ended, Err(Error::Store(store::Error::Fault(_)))),
        "{ended:?}"
    );
}
