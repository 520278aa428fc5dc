//! A source whose last record is never delivered: the control record that ends a transaction. A partition passes
//! it, and says so in its next checkpoint.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::offsets::AppliedOffsets;
use segstream::log::Committed;
use segstream::log::Error;
use segstream::log::PartitionFacts;
use segstream::log::Progress;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::Shared;
use segstream::pipeline::partition::clock::MonotonicClock;
use segstream::pipeline::partitions::Phase;
use segstream::pipeline::worker::Worker;
use serde_json::json;

use crate::support;
use crate::support::Life;
use crate::support::Sizing;
use crate::support::log_view::LogView;
use crate::support::log_view::Viewed;
use segstream::config::store::Engine;

const SIZING: Sizing = Sizing {
    commit_records: 100,
    flush_records: 1000,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2000,
    cache_bytes: 1 << 20,
};

/// Offsets of the events that transactions committed, in their order.
type Commits = Arc<Mutex<Vec<u64>>>;

/// A log whose events end with a control record: one offset that is passed and never delivered.
struct Transactional {
    inner: EmbeddedWorker,
    commits: Commits,
    /// Retention has deleted all records before the end, the control record included.
    is_deleted: bool,
}

impl Transactional {
    /// The end of the events that are delivered.
    fn end(&mut self) -> u64 {
        let progress = self.inner.progress_of(Partition(0));
        progress[&Source::Events].end
    }

    fn without_control(&mut self, offsets: AppliedOffsets) -> AppliedOffsets {
        let next = offsets.next(Source::Events).min(self.end());
        offsets.with(Source::Events, next)
    }
}

impl LogView for Transactional {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn resume_at(&mut self, partition: Partition, offsets: AppliedOffsets) -> Result<(), Error> {
        let offsets = self.without_control(offsets);
        self.inner.resume_at(partition, offsets)
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        let mut transaction = transaction.clone();
        for part in &mut transaction.partitions {
            let next = part.offsets.next(Source::Events);
            self.commits.lock().unwrap().push(next);
            part.offsets = self.without_control(part.offsets);
        }
        self.inner.commit(&transaction)
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        let mut facts = self.inner.facts(partition)?.unwrap();
        let events = facts.sources.get_mut(&Source::Events).unwrap();
        events.end += 1;
        if self.is_deleted {
            events.start = events.end;
        }
        Ok(Some(facts))
    }

    fn progress_of(&mut self, partition: Partition) -> Progress {
        let mut progress = self.inner.progress_of(partition);
        let events = progress.get_mut(&Source::Events).unwrap();
        if events.position == Some(events.end) {
            events.position = Some(events.end + 1);
        }
        events.end += 1;
        progress
    }
}

/// A process on such a log. The test moves its monotonic clock by seconds; each reading moves it by a millisecond.
struct Process {
    life: Life,
    worker: Worker<Viewed<Transactional>>,
    commits: Commits,
    seconds: Arc<AtomicU32>,
}

impl Process {
    fn begin(root: &Path, is_deleted: bool) -> Self {
        let (begun, seconds) = (Instant::now(), Arc::new(AtomicU32::new(0)));
        let (passed, reads) = (Arc::clone(&seconds), AtomicU32::new(0));
        let clock = MonotonicClock::manual(move || {
            let passed = Duration::from_secs(1) * passed.load(Ordering::Relaxed);
            begun + passed + Duration::from_millis(1) * reads.fetch_add(1, Ordering::Relaxed)
        });
        let life = Life::begin_on(clock, root, 1, SIZING);
        let commits = Commits::default();
        let log = Transactional {
            inner: life.log.worker(0, 1),
            commits: Arc::clone(&commits),
            is_deleted,
        };
        Self {
            worker: Worker::new(Viewed(log), Arc::clone(&life.shared)),
            life,
            commits,
            seconds,
        }
    }

    fn append(&self) {
        let event = json!({
            "event_id": "e-1", "type": "order.completed", "occurred_at": "2026-05-30T00:00:00Z",
            "customer_id": "a", "order_id": "o-1", "currency": "USD", "revenue": 10,
        });
        let record_time = Some(support::at("2026-06-01T00:00:00Z"));
        let payload = event.to_string().into_bytes();
        let record = InputRecord::new(record_time, Some(b"a".to_vec()), payload);
        self.life.log.append(vec![record], None).unwrap();
    }

    /// Goes on for so many seconds, a turn each.
    fn turns(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.seconds.fetch_add(1, Ordering::Relaxed);
            self.worker.turn().unwrap();
        }
    }

    fn committed(&self) -> Vec<u64> {
        self.commits.lock().unwrap().clone()
    }
}

fn is_running(shared: &Shared) -> bool {
    let visible = shared.partitions.visible();
    matches!(visible.get(&Partition(0)), Some(Phase::Running(_)))
}

#[test]
fn a_control_record_at_the_end_is_committed_with_the_checkpoint_interval_and_not_before() {
    let root = tempfile::tempdir().unwrap();
    let mut process = Process::begin(root.path(), false);
    process.append();
    process.turns(100);
    // The first checkpoint, and the event.
    assert_eq!(process.committed(), [0, 1]);
    let metrics = &process.life.shared.metrics;
    let lag = metrics
        .deliveries
        .consumer_lag_records
        .with_label_values(&["0"]);
    assert_eq!(lag.get(), 0);
    process.seconds.fetch_add(3600, Ordering::Relaxed);
    process.turns(100);
    assert_eq!(process.committed(), [0, 1, 2]);
    process.seconds.fetch_add(3600, Ordering::Relaxed);
    process.turns(100);
    assert_eq!(process.committed(), [0, 1, 2]);
}

#[test]
fn a_partition_starts_again_after_retention_has_deleted_the_control_record_at_its_end() {
    let root = tempfile::tempdir().unwrap();
    let mut process = Process::begin(root.path(), false);
    process.append();
    process.turns(10);
    process.seconds.fetch_add(3600, Ordering::Relaxed);
    process.turns(10);
    drop(process);
    let mut process = Process::begin(root.path(), true);
    process.turns(10);
    assert!(is_running(&process.life.shared));
    assert_eq!(
        process.committed(),
        [2],
        "the worker's claim, and nothing new"
    );
}

#[test]
fn a_run_with_ends_commits_the_control_record_at_its_end_and_none_beyond_it() {
    for (events, end) in [(1, 2), (2, 1)] {
        let root = tempfile::tempdir().unwrap();
        let mut process = Process::begin(root.path(), false);
        (0..events).for_each(|_| process.append());
        let ends = vec![support::events_at(end)];
        process.life.shared.control.stop_at(ends);
        process.worker.run().unwrap();
        assert_eq!(process.committed().last(), Some(&end), "{events} events");
    }
}
