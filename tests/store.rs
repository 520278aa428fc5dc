//! When a store is trusted, waited for, or thrown away and made again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    missing_docs,
    reason = "a test may panic, and says what it saw"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use segstream::domain::ids::CustomerId;
use segstream::domain::ids::Partition;
use segstream::engine::record::CustomerRecord;
use segstream::faults::Faults;
use segstream::store::Error;
use segstream::store::codec::Checkpoint;
use segstream::store::directory::StoreDirectory;
use segstream::store::partition::PartitionStore;
use segstream::store::partition::Sizes;
use segstream::store::verification::Expected;
use segstream::store::verification::WipeReason;
use support::at;

const PARTITION: Partition = Partition(0);
const SIZES: Sizes = Sizes {
    cache_bytes: 1 << 20,
    database_cache_bytes: 1 << 20,
};

/// The log as it was when the store was made: its changelog ends at 10.
fn expected() -> Expected {
    Expected {
        lineage: "cluster/state".to_owned(),
        changelog_start: 0,
        changelog_end: 10,
        current_since: None,
    }
}

fn open(root: &Path, expected: &Expected) -> (PartitionStore, Option<WipeReason>) {
    let directory = StoreDirectory::open(root, "test", Duration::from_secs(30)).unwrap();
    PartitionStore::open(&directory, PARTITION, expected, SIZES, Faults::none()).unwrap()
}

/// A store of one customer that was current at noon.
fn made(root: &Path) {
    let (store, wiped) = open(root, &expected());
    assert_eq!(wiped, None);
    let record = Arc::new(CustomerRecord::default());
    let records = vec![(CustomerId::new("c"), record, 40)];
    let noon = Some(at("2026-01-01T12:00:00Z"));
    store
        .apply(records, Some(Checkpoint::default()), 10, noon)
        .unwrap();
    store.flush().unwrap();
}

#[test]
fn a_store_is_kept_only_where_it_fits_to_the_log() {
    for (change, reason) in [
        (None, None),
        (Some("lineage"), Some(WipeReason::Lineage)),
        (Some("cleaned"), Some(WipeReason::OffsetOutOfRange)),
        (Some("shortened"), Some(WipeReason::OffsetOutOfRange)),
        (Some("in time"), None),
        (Some("too late"), Some(WipeReason::TooOld)),
    ] {
        let root = tempfile::tempdir().unwrap();
        made(root.path());
        let mut log = expected();
        match change {
            Some("lineage") => log.lineage = "another/state".to_owned(),
            Some("cleaned") => (log.changelog_start, log.changelog_end) = (11, 20),
            Some("shortened") => log.changelog_end = 9,
            Some("in time") => log.current_since = Some(at("2026-01-01T12:00:00Z")),
            Some("too late") => log.current_since = Some(at("2026-01-01T12:00:00.001Z")),
            _ => {}
        }
        let (store, wiped) = open(root.path(), &log);
        assert_eq!(wiped, reason, "{change:?}");
        let is_kept = store.get("c").unwrap().is_some();
        assert_eq!(is_kept, reason.is_none(), "{change:?}");
        // One that is not kept is read again from the beginning.
        assert_eq!(store.changelog_next(), if is_kept { 10 } else { 0 });
    }
}

#[test]
fn a_store_that_was_never_current_is_not_taken_for_a_fresh_one() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = open(root.path(), &expected());
    store.apply(Vec::new(), None, 4, None).unwrap();
    store.flush().unwrap();
    drop(store);
    let mut log = expected();
    log.current_since = Some(at("1990-01-01T00:00:00Z"));
    assert_eq!(open(root.path(), &log).1, Some(WipeReason::TooOld));
}

#[test]
fn a_held_directory_is_waited_for_and_not_wiped() {
    let root = tempfile::tempdir().unwrap();
    made(root.path());
    let held = StoreDirectory::open(root.path(), "test", Duration::ZERO).unwrap();
    let refused = StoreDirectory::open(root.path(), "test", Duration::ZERO);
    assert!(matches!(refused, Err(Error::Held { .. })));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| open(root.path(), &expected()));
        drop(held);
        let (store, wiped) = waiting.join().unwrap();
        assert_eq!(wiped, None);
        assert!(store.get("c").unwrap().is_some(), "nothing was wiped");
    });
}

#[test]
fn a_store_opened_as_it_was_left_shows_its_records() {
    let root = tempfile::tempdir().unwrap();
    made(root.path());
    let directory = StoreDirectory::open(root.path(), "test", Duration::ZERO).unwrap();
    let store = PartitionStore::open_as_left(&directory, PARTITION, SIZES).unwrap();
    assert_eq!(store.records().count(), 1);
    assert_eq!(store.changelog_next(), 10);
}
