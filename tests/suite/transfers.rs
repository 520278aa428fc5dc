//! Events that reach a partition as transfers: each is folded once, with its own record time, and the partition
//! has caught up only when its events and its transfers are read.

use std::sync::Arc;
use std::time::Duration;

use segstream::domain::event::parse::parse;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::time::Timestamp;
use segstream::engine::commands::Delivered;
use segstream::engine::commands::decide;
use segstream::engine::policy::Rules;
use segstream::engine::state::checkpoint::Checkpoint;
use segstream::engine::verdict::Outcome;
use segstream::engine::verdict::Verdict;
use segstream::faults::Faults;
use segstream::log::Error;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::Progress;
use segstream::log::ReadBack;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::pipeline::Shared;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::pipeline::partitions::Phase;
use segstream::pipeline::worker::Worker;
use serde_json::json;
use tempfile::TempDir;

use crate::support;
use crate::support::Life;
use crate::support::Sizing;
use crate::support::TRANSFERS;
use crate::support::log_view::LogView;
use crate::support::log_view::Viewed;
use segstream::config::store::Engine;

const SIZING: Sizing = Sizing {
    commit_records: 3,
    flush_records: 1000,
    flush_bytes: 1 << 30,
    engine: Engine::Fjall,
    flushes_in_background: false,
    page_bytes: 2000,
    cache_bytes: 1 << 20,
};
const RECORD_TIME: &str = "2026-06-01T00:00:00Z";
/// When the transfers were written.
const WRITTEN_AT: &str = "2026-10-01T00:00:00Z";

fn order(customer: &str, order: u32) -> Vec<u8> {
    let event = json!({
        "event_id": format!("e-{order}"), "type": "order.completed", "occurred_at": "2026-05-30T00:00:00Z",
        "customer_id": customer, "order_id": format!("o-{order}"), "currency": "USD", "revenue": 10 + order,
    });
    event.to_string().into_bytes()
}

fn event(customer: &str, number: u32) -> InputRecord {
    let key = Some(customer.as_bytes().to_vec());
    InputRecord::new(Some(support::at(RECORD_TIME)), key, order(customer, number))
}

/// A transfer of an event that was at partition 7 and this offset.
fn transfer(customer: &str, number: u32, offset: &str) -> InputRecord {
    let record_time = support::at(RECORD_TIME).as_milliseconds().to_string();
    let header = |name: &'static str, value: &str| (name.into(), Some(value.as_bytes().to_vec()));
    InputRecord {
        timestamp: Some(support::at(WRITTEN_AT)),
        headers: vec![
            header("segstream-record-time", &record_time),
            header("segstream-source-partition", "7"),
            header("segstream-source-offset", offset),
            header("of-the-shop", "x"),
        ],
        ..event(customer, number)
    }
}

fn life() -> (TempDir, Life) {
    let root = tempfile::tempdir().unwrap();
    let life = Life::begin(root.path(), 1, SIZING, &Faults::none());
    (root, life)
}

/// A life whose partition follows the wall clock.
fn life_on_the_wall() -> (TempDir, Life) {
    let (root, life) = life();
    let Life {
        log,
        shared,
        worker,
        advance_to,
    } = life;
    drop(worker);
    let mut shared = Arc::try_unwrap(shared).unwrap();
    shared.clock_rules.mode = ClockMode::Wall;
    let shared = Arc::new(shared);
    let life = Life {
        worker: Worker::new(log.worker(0, 1), Arc::clone(&shared)),
        log,
        shared,
        advance_to,
    };
    (root, life)
}

/// The checkpoint of the only partition.
fn checkpoint(shared: &Shared) -> Checkpoint {
    let visible = shared.partitions.visible();
    let Phase::Running(store) = &visible[&Partition(0)] else {
        panic!("it does not run");
    };
    store.checkpoint().unwrap()
}

/// A log that delivers everything twice, and withholds transfers for a number of polls.
struct Odd {
    inner: EmbeddedWorker,
    withheld: u32,
}

impl Odd {
    fn polled(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        let mut polled = self.inner.poll(limit)?;
        if let Polled::Deliveries(deliveries) = &mut polled {
            deliveries.extend(deliveries.clone());
        }
        Ok(polled)
    }
}

impl LogView for Odd {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        if self.withheld == 0 {
            return self.polled(limit);
        }
        self.withheld -= 1;
        let before = self.inner.progress_of(Partition(0));
        let mut polled = self.polled(limit)?;
        if let Polled::Deliveries(deliveries) = &mut polled {
            deliveries.retain(|delivery| delivery.position.source == Source::Events);
            let read = self.inner.progress_of(Partition(0));
            let next = |progress: &Progress, source| progress[&source].position.unwrap_or(0);
            let offsets = AppliedOffsets::default()
                .with(Source::Events, next(&read, Source::Events))
                .with(Source::Transfers, next(&before, Source::Transfers));
            self.inner.resume_at(Partition(0), offsets)?;
        }
        Ok(polled)
    }
}

#[test]
fn a_transfer_folds_once_with_its_original_record_time_and_moves_no_clock() {
    let (_root, life) = life();
    life.log.append(vec![event("a", 1)], None).unwrap();
    let transfers = vec![
        transfer("a", 2, "41"),
        transfer("b", 3, "42"),
        transfer("b", 4, "43"),
    ];
    life.log.append_transfers(transfers).unwrap();
    life.shared.control.stop_at(life.log.ends());
    let log = Odd {
        inner: life.log.worker(0, 1),
        withheld: 0,
    };
    Worker::new(Viewed(log), Arc::clone(&life.shared))
        .run()
        .unwrap();
    let counts = life.shared.tally.counts();
    assert_eq!(counts.verdicts.len(), 1, "{counts:?}");
    assert_eq!(counts.verdicts[&Outcome::Applied], 4);
    let records = life.records();
    for (id, orders, transfers) in [("a", 2, 1), ("b", 2, 3)] {
        let record = &records[id];
        assert_eq!(record.evaluated_at, support::at(RECORD_TIME), "{id}");
        let totals = record.aggregate.ledger.totals_since(None);
        assert_eq!(totals.orders.total(), orders, "{id}");
        assert_eq!(record.applied.next(Source::Transfers), transfers, "{id}");
    }
    let checkpoint = checkpoint(&life.shared);
    assert_eq!(checkpoint.clock, Some(support::at(RECORD_TIME)));
    assert_eq!(checkpoint.record_time_max, Some(support::at(RECORD_TIME)));
    assert_eq!(checkpoint.offsets, life.log.ends()[0]);
    let causes = life.changes().into_iter().map(|change| {
        let change: serde_json::Value = serde_json::from_str(&change).unwrap();
        (
            change["customer_id"].as_str().unwrap().to_owned(),
            change["cause"].clone(),
        )
    });
    let mut of_b = causes.filter(|(id, _)| id == "b");
    let first = json!({"event_id": "e-3", "topic": support::TOPIC, "partition": 7, "offset": 42});
    assert_eq!(of_b.next().unwrap().1, first, "where the event came from");
}

#[test]
fn a_transfer_below_the_entrys_offset_is_a_duplicate_whatever_its_event_id() {
    let (intake, policy, model) = (support::intake(), support::policy(), support::model());
    let rules = Rules {
        policy: &policy,
        model: &model,
    };
    let record_time = support::at(RECORD_TIME);
    let position = Position {
        source: Source::Transfers,
        partition: Partition(0),
        offset: 5,
    };
    let folded = |entry, number| {
        let payload = order("a", number);
        let event = parse(&payload, record_time, &intake).unwrap();
        let delivered = Delivered {
            event: &event,
            position,
            origin: Position {
                source: Source::Events,
                partition: Partition(1),
                offset: 99,
            },
            record_time,
            clock: None,
        };
        decide(entry, "a", delivered, rules)
    };
    let first = folded(None, 1);
    assert_eq!(first.verdict, Verdict::Applied);
    assert_eq!(folded(first.entry, 2).verdict, Verdict::Duplicate);
}

#[test]
fn a_transfer_without_its_headers_and_a_null_value_are_dead_letters_as_they_came() {
    let (_root, mut life) = life();
    let mut bad = transfer("a", 1, "not a number");
    bad.headers.remove(1);
    let null = InputRecord {
        payload: None,
        headers: vec![
            ("reason".into(), Some(b"mine".to_vec())),
            ("empty".into(), None),
        ],
        ..event("b", 2)
    };
    life.log
        .append_transfers(vec![bad.clone(), transfer("a", 1, "x"), event("a", 1)])
        .unwrap();
    life.log.append(vec![null.clone()], None).unwrap();
    life.run_to_end().unwrap();
    assert!(life.records().is_empty());
    let letters: Vec<_> = life.log.dead_letters().map(|one| one.unwrap().2).collect();
    let find = |topic: &str, offset: &str| {
        let text = |letter: &segstream::log::OutputRecord, name: &str| {
            let mut named = letter.headers.iter().filter(|(known, _)| known == name);
            let value = named.next_back().unwrap().1.clone().unwrap();
            String::from_utf8(value).unwrap()
        };
        let mut found = letters.iter().filter(|letter| {
            text(letter, "source_topic") == topic && text(letter, "source_offset") == offset
        });
        let letter = found.next().unwrap();
        assert!(found.next().is_none());
        (letter, text(letter, "reason"), text(letter, "detail"))
    };
    for (offset, sentence) in [
        ("0", "segstream-source-partition is absent"),
        ("1", "segstream-source-offset: \"x\" is not an offset"),
        ("2", "segstream-record-time is absent"),
    ] {
        let (_, reason, detail) = find(TRANSFERS, offset);
        assert_eq!(reason, "transfer");
        assert!(detail.contains(sentence), "{detail}");
    }
    let (letter, ..) = find(TRANSFERS, "0");
    assert_eq!(letter.value, bad.payload);
    assert_eq!(letter.headers[..bad.headers.len()], bad.headers[..]);
    let (letter, reason, _) = find(support::TOPIC, "0");
    assert_eq!(reason, "unreadable");
    assert_eq!(letter.value, None);
    assert_eq!(letter.key, null.key);
    assert_eq!(letter.headers[..2], null.headers[..]);
    assert_eq!(letters.len(), 4);
}

#[test]
fn a_transfer_whose_record_time_is_ahead_of_the_wall_clock_counts_but_not_with_it() {
    let (_root, mut life) = life_on_the_wall();
    let counted_at = |number, text| {
        let mut transfer = transfer("a", number, "41");
        let record_time = support::at(text).as_milliseconds().to_string();
        transfer.headers[0].1 = Some(record_time.into_bytes());
        transfer
    };
    // The wall clock stands at midnight, and time.skew is five minutes.
    let transfers = vec![
        counted_at(1, "2026-11-24T00:05:00Z"),
        counted_at(2, "2026-11-24T00:05:00.001Z"),
        counted_at(3, "9999-01-01T00:00:00Z"),
    ];
    life.log.append_transfers(transfers).unwrap();
    life.run_to_end().unwrap();
    let counts = life.shared.tally.counts();
    assert_eq!(counts.verdicts[&Outcome::Applied], 3);
    assert_eq!(counts.record_times_ahead, 2);
    let evaluated_at = life.records()["a"].evaluated_at;
    assert_eq!(evaluated_at, support::at("2026-11-24T00:05:00Z"));
}

#[test]
fn a_run_to_the_end_ends_only_after_the_transfers() {
    let (_root, life) = life();
    life.log.append(vec![event("a", 1)], None).unwrap();
    let transfers = vec![transfer("b", 2, "1")];
    life.log.append_transfers(transfers).unwrap();
    life.shared.control.stop_at(life.log.ends());
    let log = Odd {
        inner: life.log.worker(0, 1),
        withheld: 30,
    };
    Worker::new(Viewed(log), Arc::clone(&life.shared))
        .run()
        .unwrap();
    assert_eq!(life.records().len(), 2);
    assert_eq!(checkpoint(&life.shared).offsets, life.log.ends()[0]);
}

#[test]
fn a_restart_goes_on_with_both_sources_where_the_checkpoint_says() {
    let root = tempfile::tempdir().unwrap();
    for (round, keeps_store) in [(1, true), (2, true), (3, false)] {
        if !keeps_store {
            std::fs::remove_dir_all(root.path().join("store")).unwrap();
        }
        let mut life = Life::begin(root.path(), 1, SIZING, &Faults::none());
        life.log.append(vec![event("a", 10 * round)], None).unwrap();
        let transfers = vec![
            transfer("a", 10 * round + 1, "1"),
            transfer("b", 10 * round + 2, "2"),
        ];
        life.log.append_transfers(transfers).unwrap();
        life.run_to_end().unwrap();
        let counts = life.shared.tally.counts();
        assert_eq!(counts.verdicts[&Outcome::Applied], 3, "round {round}");
        assert_eq!(counts.events, 3, "round {round}");
        let totals = life.records()["a"].aggregate.ledger.totals_since(None);
        assert_eq!(totals.orders.total(), u64::from(2 * round));
    }
}

#[test]
fn state_from_before_there_were_transfers_reads_them_from_the_earliest() {
    let root = tempfile::tempdir().unwrap();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format3");
    support::copy_directory(&fixtures.join("log"), &root.path().join("log"));
    let mut life = Life::begin(root.path(), 3, SIZING, &Faults::none());
    let transfers = vec![transfer("new-1", 1, "1"), transfer("new-2", 2, "2")];
    life.log.append_transfers(transfers).unwrap();
    life.run_to_end().unwrap();
    let records = life.records();
    assert!(records.len() > 2);
    for id in ["new-1", "new-2"] {
        assert_eq!(records[id].applied.next(Source::Events), 0);
        assert!(records[id].applied.next(Source::Transfers) > 0);
    }
}

/// The clock of a partition whose events are read, and whose transfers are withheld or not.
fn clock_on_the_wall(withheld: u32) -> Timestamp {
    let (_root, life) = life();
    life.log.append(vec![event("a", 1)], None).unwrap();
    let transfers = vec![transfer("b", 2, "1")];
    life.log.append_transfers(transfers).unwrap();
    let Life {
        log,
        shared,
        worker,
        ..
    } = life;
    drop(worker);
    let mut shared = Arc::try_unwrap(shared).unwrap();
    shared.clock_rules.mode = ClockMode::Wall;
    shared.clock_rules.grace = Duration::from_secs(10);
    // The clock is asked about in the first turn that has a partition, and not again within a second.
    let is_read = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let begun = std::time::Instant::now();
    let ticks = Arc::clone(&is_read);
    shared.monotonic = segstream::pipeline::partition::clock::MonotonicClock::manual(move || {
        let ticks = ticks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        begun + Duration::from_millis(300) * u32::try_from(ticks).unwrap()
    });
    let shared = Arc::new(shared);
    let log = Odd {
        inner: log.worker(0, 1),
        withheld,
    };
    let mut worker = Worker::new(Viewed(log), Arc::clone(&shared));
    for _ in 0..40 {
        worker.turn().unwrap();
    }
    shared.control.stop();
    worker.run().unwrap();
    checkpoint(&shared).clock.unwrap()
}

#[test]
fn a_partition_has_caught_up_when_its_events_and_its_transfers_are_read() {
    let wall = support::at("2026-11-24T00:00:00Z");
    let caught_up = wall.plus_milliseconds(-10_000);
    assert_eq!(clock_on_the_wall(0), caught_up);
    // Behind the record time by the disorder.
    let lagging = support::at(RECORD_TIME).plus_milliseconds(-60_000);
    assert_eq!(clock_on_the_wall(1000), lagging);
}

/// A log that is far away: it reads one place at a time, and has the record when it is asked for the same place again.
struct Far {
    inner: EmbeddedWorker,
    fetched: Option<Position>,
}

impl LogView for Far {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn read_back(&mut self, position: Position) -> Result<ReadBack, Error> {
        if self.fetched.replace(position) == Some(position) {
            self.inner.read_back(position)
        } else {
            Ok(ReadBack::NotYet)
        }
    }
}

#[test]
fn the_last_records_of_two_sources_are_read_back_one_after_the_other() {
    let root = tempfile::tempdir().unwrap();
    let begin = || Life::begin(root.path(), 1, SIZING, &Faults::none());
    let first = begin();
    first.log.append(vec![event("a", 1)], None).unwrap();
    let transfers = vec![transfer("b", 2, "1")];
    first.log.append_transfers(transfers).unwrap();
    first.shared.control.stop_at(first.log.ends());
    Worker::new(first.log.worker(0, 1), Arc::clone(&first.shared))
        .run()
        .unwrap();
    assert_eq!(checkpoint(&first.shared).last_records.each().count(), 2);
    drop(first);
    let life = begin();
    let log = Far {
        inner: life.log.worker(0, 1),
        fetched: None,
    };
    let mut worker = Worker::new(Viewed(log), Arc::clone(&life.shared));
    for _ in 0..20 {
        worker.turn().unwrap();
    }
    assert_eq!(checkpoint(&life.shared).offsets, life.log.ends()[0]);
}
