//! Clocks that are wrong: of this machine, of a producer, of a file. No customer is moved by them, no honest event is
//! refused, and it is said.

use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use segstream::cli::services::LogIntake;
use segstream::codec::changelog;
use segstream::codec::changelog::Said;
use segstream::codec::key::StateKey;
use segstream::codec::partition::encode_checkpoint;
use segstream::config::store::Engine;
use segstream::domain::ids::Partition;
use segstream::domain::time::DAY_MS;
use segstream::domain::time::Timestamp;
use segstream::engine::state::checkpoint::Checkpoint;
use segstream::engine::state::table::DefinitionTable;
use segstream::engine::verdict::Outcome;
use segstream::faults::Faults;
use segstream::http::EventIntake;
use segstream::log;
use segstream::log::PartitionCommit;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::StateRecord;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::EmbeddedWorker;
use segstream::log::embedded::InputRecord;
use segstream::pipeline;
use segstream::pipeline::Shared;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::pipeline::partition::clock::MonotonicClock;
use segstream::pipeline::partition::clock::WallClock;
use segstream::pipeline::partition::wall::StartRules;
use segstream::pipeline::partitions::Phase;
use segstream::pipeline::worker::Worker;
use serde_json::Value;
use serde_json::json;

use crate::support::Life;
use crate::support::Sizing;
use crate::support::at;
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
const START: &str = "2026-11-24T12:00:00Z";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const YEAR_MS: i64 = 365 * DAY_MS;
const JUMP_MAX: Duration = Duration::from_secs(600);
const DOWNTIME_MAX: Duration = Duration::from_secs(60 * 86_400);

/// The clocks of a machine.
#[derive(Clone)]
struct Machine {
    begun: Instant,
    wall_ms: Arc<AtomicI64>,
    boot_ms: Arc<AtomicI64>,
    monotonic_ms: Arc<AtomicI64>,
}

impl Machine {
    fn at(wall: Timestamp) -> Self {
        Self {
            begun: Instant::now(),
            wall_ms: Arc::new(AtomicI64::new(wall.as_milliseconds())),
            boot_ms: Arc::new(AtomicI64::new(500_000)),
            monotonic_ms: Arc::default(),
        }
    }

    /// Time passes.
    fn pass(&self, milliseconds: i64) {
        for clock in [&self.wall_ms, &self.boot_ms, &self.monotonic_ms] {
            clock.fetch_add(milliseconds, Ordering::Relaxed);
        }
    }

    /// The machine sleeps: the monotonic clock stands.
    fn sleep(&self, milliseconds: i64) {
        for clock in [&self.wall_ms, &self.boot_ms] {
            clock.fetch_add(milliseconds, Ordering::Relaxed);
        }
    }

    /// Somebody sets the wall clock.
    fn step(&self, milliseconds: i64) {
        self.wall_ms.fetch_add(milliseconds, Ordering::Relaxed);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_milliseconds(self.wall_ms.load(Ordering::Relaxed)).unwrap()
    }

    /// Its wall clock, compared with the time since it was started.
    fn wall(&self) -> WallClock {
        let (wall, boot_ms) = (self.clone(), Arc::clone(&self.boot_ms));
        let since_boot =
            move || Duration::from_millis(boot_ms.load(Ordering::Relaxed).unsigned_abs());
        WallClock::manual(move || wall.now()).watched(since_boot, JUMP_MAX)
    }

    /// Each reading moves it by a millisecond.
    fn monotonic(&self) -> MonotonicClock {
        let own = self.clone();
        MonotonicClock::manual(move || {
            let passed_ms = own.monotonic_ms.fetch_add(1, Ordering::Relaxed);
            own.begun + Duration::from_millis(passed_ms.unsigned_abs())
        })
    }

    /// A process of this machine, whose partition follows the wall clock.
    fn life(&self, root: &Path, is_trusted: bool) -> Life {
        self.life_with(root, |shared| {
            if let Some(start) = &mut shared.clock_rules.start {
                start.is_trusted = is_trusted;
            }
        })
    }

    fn life_with(&self, root: &Path, configure: impl FnOnce(&mut Shared)) -> Life {
        let Life {
            log,
            shared,
            worker,
            advance_to,
        } = Life::begin_on(self.monotonic(), root, 1, SIZING);
        drop(worker);
        let mut shared = Arc::try_unwrap(shared).unwrap();
        shared.limits.checkpoint_interval = Duration::from_secs(1);
        shared.wall = self.wall();
        shared.clock_rules.mode = ClockMode::Wall;
        shared.clock_rules.start = Some(StartRules {
            jump_max: JUMP_MAX,
            downtime_max: DOWNTIME_MAX,
            is_trusted: false,
        });
        configure(&mut shared);
        let shared = Arc::new(shared);
        Life {
            worker: Worker::new(log.worker(0, 1), Arc::clone(&shared)),
            log,
            shared,
            advance_to,
        }
    }

    /// Seconds pass, with two turns each: the first may commit what the second sees.
    fn seconds(&self, life: &mut Life, seconds: u32) -> Result<(), pipeline::Error> {
        for _ in 0..seconds {
            self.pass(1000);
            life.worker.turn()?;
            life.worker.turn()?;
        }
        Ok(())
    }
}

fn order(customer: &str, number: u32, occurred_at: Timestamp) -> Vec<u8> {
    let event = json!({
        "event_id": format!("e-{customer}-{number}"), "type": "order.completed",
        "occurred_at": occurred_at.to_string(), "customer_id": customer,
        "order_id": format!("o-{customer}-{number}"), "currency": "USD", "revenue": 10,
    });
    event.to_string().into_bytes()
}

/// An order as a producer sends it, with its clock.
fn sent(customer: &str, number: u32, occurred_at: Timestamp, clock: Timestamp) -> InputRecord {
    let payload = order(customer, number, occurred_at);
    InputRecord::new(Some(clock), Some(customer.as_bytes().to_vec()), payload)
}

fn post(life: &Life, customer: &str, number: u32, occurred_at: Timestamp) -> usize {
    let intake = LogIntake {
        log: life.log.clone(),
        shared: Arc::clone(&life.shared),
    };
    let line = order(customer, number, occurred_at);
    intake.accept(vec![line]).unwrap().accepted
}

fn checkpoint(life: &Life) -> Checkpoint {
    match life.shared.partitions.phase(Partition(0)) {
        Some(Phase::Running(store)) => store.checkpoint().unwrap(),
        _ => panic!("it does not run"),
    }
}

/// Changes without the wall time at which they were emitted.
fn changes(life: &Life) -> Vec<Value> {
    let parsed = life.changes().into_iter().map(|text| {
        let mut change: Value = serde_json::from_str(&text).unwrap();
        change.as_object_mut().unwrap().remove("emitted_at");
        change
    });
    parsed.collect()
}

fn is_held(life: &Life) -> bool {
    life.shared.metrics.clock_held.get() == 1
}

/// Purchases of a customer: the first and the last.
fn purchases(life: &Life, customer: &str) -> (Timestamp, Timestamp) {
    let span = life.records()[customer].aggregate.purchases.unwrap();
    (span.first_at, span.last_at)
}

/// A customer buys, the clock goes wrong as the test says, and two years pass. What was published then, and how many
/// changes there were when the clock had just gone right again.
fn story(goes_wrong: impl FnOnce(&Machine, &mut Life)) -> (Vec<Value>, usize) {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::at(at(START));
    let mut life = machine.life(root.path(), false);
    machine.seconds(&mut life, 3).unwrap();
    assert_eq!(post(&life, "c-1", 1, at(START)), 1);
    machine.seconds(&mut life, 30).unwrap();
    goes_wrong(&machine, &mut life);
    machine.seconds(&mut life, 2).unwrap();
    let before = changes(&life).len();
    for _ in 0..24 {
        machine.sleep(30 * DAY_MS);
        machine.seconds(&mut life, 3).unwrap();
    }
    assert!(!is_held(&life));
    (changes(&life), before)
}

/// What is published where the clock is right.
fn right_story() -> &'static (Vec<Value>, usize) {
    static RIGHT: LazyLock<(Vec<Value>, usize)> = LazyLock::new(|| {
        let (changes, before) = story(|machine, life| machine.seconds(life, 15).unwrap());
        assert_eq!(before, 1, "the first assignment");
        assert!(
            changes.len() > before,
            "time moves the customer: {changes:?}"
        );
        (changes, before)
    });
    &RIGHT
}

#[test]
fn a_clock_ten_years_ahead_for_15_seconds_moves_no_customer_and_it_is_said() {
    let wrong = story(|machine, life| {
        assert!(!is_held(life));
        machine.step(10 * YEAR_MS);
        machine.seconds(life, 15).unwrap();
        assert!(is_held(life));
        assert!(checkpoint(life).clock < Some(at("2026-11-24T12:01:00Z")));
        machine.step(-10 * YEAR_MS);
    });
    assert_eq!(&wrong, right_story());
}

#[test]
fn a_leap_to_1970_stops_nothing_and_ends_with_it() {
    let wrong = story(|machine, life| {
        let right = machine.now();
        machine.step(-right.as_milliseconds());
        machine.seconds(life, 15).unwrap();
        assert!(is_held(life));
        machine.step(right.as_milliseconds());
    });
    assert_eq!(&wrong, right_story());
}

#[test]
fn a_clock_that_drifts_half_an_hour_and_comes_back_moves_no_customer() {
    let wrong = story(|machine, life| {
        for _ in 0..15 {
            machine.step(2 * MINUTE_MS);
            machine.seconds(life, 1).unwrap();
        }
        assert!(is_held(life));
        // Not further than it was trusted.
        assert!(checkpoint(life).clock < Some(at("2026-11-24T12:11:00Z")));
        machine.step(-30 * MINUTE_MS);
    });
    assert_eq!(&wrong, right_story());
}

#[test]
fn a_step_of_nine_minutes_is_a_correction_that_the_clocks_follow() {
    let corrected = story(|machine, life| {
        machine.step(9 * MINUTE_MS);
        machine.seconds(life, 15).unwrap();
        assert!(!is_held(life));
        let expected = machine.now().plus_milliseconds(-11_000);
        assert!(checkpoint(life).clock >= Some(expected));
    });
    assert_eq!(&corrected, right_story());
}

#[test]
fn a_machine_that_slept_for_a_week_goes_on_at_once() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::at(at(START));
    let mut life = machine.life(root.path(), false);
    machine.seconds(&mut life, 3).unwrap();
    machine.sleep(7 * DAY_MS);
    machine.seconds(&mut life, 3).unwrap();
    assert!(!is_held(&life));
    let expected = machine.now().plus_milliseconds(-11_000);
    assert!(checkpoint(&life).clock >= Some(expected));
}

#[test]
fn what_is_posted_while_the_clock_is_wrong_is_applied_as_it_says() {
    for step_ms in [
        10 * YEAR_MS,
        -at(START).as_milliseconds(),
        // A virtual machine that was paused: the clock is right, and cannot be told from one that is wrong.
        3 * HOUR_MS,
    ] {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(at(START));
        let mut life = machine.life(root.path(), false);
        machine.seconds(&mut life, 3).unwrap();
        machine.step(step_ms);
        machine.seconds(&mut life, 3).unwrap();
        let bought = at("2026-11-24T12:00:05Z");
        assert_eq!(post(&life, "c-1", 1, bought), 1, "{step_ms}");
        // By the clock after the pause.
        let later = at("2026-11-24T15:00:05Z");
        assert_eq!(post(&life, "c-1", 2, later), 1, "{step_ms}");
        // A shop on the same machine, whose clock is wrong too.
        let wrong = machine.now();
        let is_future = step_ms > DAY_MS;
        if is_future {
            assert_eq!(post(&life, "c-1", 3, wrong), 0, "{step_ms}");
        }
        machine.seconds(&mut life, 3).unwrap();
        assert_eq!(purchases(&life, "c-1"), (bought, later), "{step_ms}");
        assert!(is_held(&life));
        machine.step(-step_ms);
        machine.seconds(&mut life, 2).unwrap();
        assert!(!is_held(&life));
    }
}

#[test]
fn the_wall_time_of_a_clock_that_was_wrong_is_not_kept() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::at(at(START));
    let mut life = machine.life(root.path(), false);
    machine.seconds(&mut life, 3).unwrap();
    machine.step(10 * YEAR_MS);
    machine.seconds(&mut life, 3).unwrap();
    assert_eq!(post(&life, "c-1", 1, at(START)), 1);
    machine.seconds(&mut life, 3).unwrap();
    assert_eq!(checkpoint(&life).wall, Some(at("2026-11-24T12:00:07Z")));
    drop(life);
    // The machine is started again, with the right time.
    let machine = Machine::at(at("2026-11-24T12:10:00Z"));
    let mut life = machine.life(root.path(), false);
    machine.seconds(&mut life, 3).unwrap();
    assert!(checkpoint(&life).clock > Some(at("2026-11-24T12:09:00Z")));
}

/// A state whose last transaction was at the start, and a process that begins at `wall`.
fn started_at(wall: Timestamp, is_trusted: bool) -> Result<Life, pipeline::Error> {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::at(at(START));
    let mut life = machine.life(root.path(), false);
    machine.seconds(&mut life, 3).unwrap();
    drop(life);
    let machine = Machine::at(wall);
    let mut life = machine.life(root.path(), is_trusted);
    machine.seconds(&mut life, 3)?;
    Ok(life)
}

#[test]
fn a_process_does_not_start_with_a_clock_before_the_last_transaction_or_long_after_it() {
    // The last transaction was some seconds after the start.
    for (wall, is_right) in [
        ("1970-01-01T00:00:00Z", false),
        ("2025-11-24T12:00:00Z", false),
        ("2026-11-24T11:49:00Z", false),
        ("2026-11-24T11:51:00Z", true),
        ("2026-11-24T12:00:00Z", true),
        ("2026-12-24T12:00:00Z", true),
        ("2027-01-23T12:00:00Z", true),
        ("2027-01-23T12:00:10Z", false),
        ("2036-11-24T12:00:00Z", false),
    ] {
        match started_at(at(wall), false) {
            Ok(_) => assert!(is_right, "{wall}"),
            Err(error) => {
                assert!(!is_right, "{wall}: {error}");
                assert!(
                    matches!(error, pipeline::Error::WallClock { .. }),
                    "{error}"
                );
                let chain = format!("{:#}", anyhow::Error::from(error));
                assert!(chain.contains("segstream run --trust-clock"), "{chain}");
                assert!(chain.contains("2026-11-24T12:00:0"), "{chain}");
            }
        }
        assert!(started_at(at(wall), true).is_ok(), "{wall}");
    }
}

/// A log whose session ends when the test says.
struct Lossy {
    inner: EmbeddedWorker,
    is_lost: Arc<AtomicBool>,
}

impl LogView for Lossy {
    fn inner(&mut self) -> &mut EmbeddedWorker {
        &mut self.inner
    }

    fn poll(&mut self, limit: PollLimit) -> Result<Polled, log::Error> {
        if self.is_lost.swap(false, Ordering::Relaxed) {
            return Ok(Polled::Lost(vec![Partition(0)]));
        }
        self.inner.poll(limit)
    }
}

#[test]
fn a_process_that_runs_does_not_end_because_another_ones_clock_was_wrong() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::at(at(START));
    let life = machine.life(root.path(), false);
    let is_lost = Arc::new(AtomicBool::new(false));
    let log = Lossy {
        inner: life.log.worker(0, 1),
        is_lost: Arc::clone(&is_lost),
    };
    let mut worker = Worker::new(Viewed(log), Arc::clone(&life.shared));
    for _ in 0..5 {
        machine.pass(1000);
        worker.turn().unwrap();
    }
    // The other process has the partition for a moment, and a clock that is a day ahead.
    let wall = Some(at("2026-11-25T12:00:00Z"));
    write_checkpoint(&life.log, 0, |checkpoint| Checkpoint { wall, ..checkpoint });
    is_lost.store(true, Ordering::Relaxed);
    for _ in 0..10 {
        machine.pass(1000);
        worker.turn().unwrap();
    }
    assert_eq!(checkpoint(&life).wall, Some(machine.now()));
}

/// Commits another checkpoint of a partition.
fn write_checkpoint(
    log: &EmbeddedLog,
    partition: u32,
    change: impl FnOnce(Checkpoint) -> Checkpoint,
) {
    let mut worker = log.worker(0, 1);
    let partition = Partition(partition);
    let facts = worker.facts(partition).unwrap().unwrap();
    let mut table = DefinitionTable::default();
    let mut last = None;
    let records = usize::try_from(facts.changelog_end).unwrap();
    let chunk = worker.read_changelog(partition, 0, records).unwrap();
    for record in chunk.records {
        let said = changelog::read(&record.key, record.value, &mut table).unwrap();
        if let Said::Checkpoint(checkpoint) = said {
            last = Some(checkpoint);
        }
    }
    let checkpoint = change(last.unwrap());
    let commit = PartitionCommit {
        partition,
        offsets: checkpoint.offsets,
        state: vec![StateRecord {
            key: StateKey::Checkpoint.encode(),
            value: Some(encode_checkpoint(checkpoint).unwrap()),
        }],
    };
    let transaction = Transaction {
        partitions: vec![commit],
        outputs: Vec::new(),
    };
    worker.commit(&transaction).unwrap();
}

/// A till whose clock is ten minutes ahead, beyond `time.skew`, in a partition that had its last order 26 hours ago.
#[test]
fn a_till_ten_minutes_ahead_on_a_quiet_partition_has_no_order_rejected_or_dated_anew() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::at(at(START));
    let mut life = machine.life(root.path(), false);
    let quiet_since = at(START).plus_milliseconds(-26 * HOUR_MS);
    let till = at(START).plus_milliseconds(10 * MINUTE_MS);
    let yesterday = at(START).plus_milliseconds(-3 * HOUR_MS);
    let records = vec![
        sent("c-0", 1, quiet_since, quiet_since),
        sent("c-1", 1, till, till),
        sent("c-2", 1, yesterday, till),
    ];
    life.log.append(records, None).unwrap();
    machine.seconds(&mut life, 3).unwrap();
    let counts = life.shared.tally.counts();
    assert_eq!(counts.verdicts[&Outcome::Applied], 3, "{counts:?}");
    assert_eq!(purchases(&life, "c-1"), (till, till));
    assert_eq!(purchases(&life, "c-2"), (yesterday, yesterday));
    assert_eq!(life.shared.metrics.deliveries.record_times_ahead.get(), 2);
    // They move no clock: it follows the wall clock.
    assert!(checkpoint(&life).clock < Some(machine.now()));
    assert_eq!(checkpoint(&life).record_time_max, Some(quiet_since));
}

#[test]
fn the_first_order_of_a_partition_is_applied_whatever_its_record_time_is() {
    for clock in [
        None,
        Some(at("2026-11-24T12:10:00Z")),
        Some(at("2126-01-01T00:00:00Z")),
    ] {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(at(START));
        let mut life = machine.life(root.path(), false);
        let bought = at("2026-11-24T11:59:00Z");
        let record = InputRecord {
            timestamp: clock,
            ..sent("c-1", 1, bought, bought)
        };
        life.log.append(vec![record], None).unwrap();
        machine.seconds(&mut life, 3).unwrap();
        let counts = life.shared.tally.counts();
        assert_eq!(counts.verdicts[&Outcome::Applied], 1, "{clock:?}");
        assert_eq!(purchases(&life, "c-1"), (bought, bought));
        assert_eq!(life.records()["c-1"].evaluated_at, bought, "as of then");
    }
}

#[test]
fn on_kafkas_event_clock_a_record_of_the_year_2126_moves_no_customer_and_is_counted() {
    let ends = |with_wrong: bool| {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(at(START));
        let mut life = machine.life_with(root.path(), |shared| {
            shared.clock_rules.mode = ClockMode::Event;
            shared.clock_rules.event_ahead_max = Some(Duration::from_secs(86_400));
        });
        let times = [0, 1, 2].map(|hours| at(START).plus_milliseconds(hours * HOUR_MS));
        let mut records = vec![
            sent("c-1", 1, times[0], times[0]),
            sent("c-2", 1, times[1], times[1]),
            sent("c-3", 1, times[2], times[2]),
        ];
        if with_wrong {
            let wrong = at("2126-01-01T00:00:00Z");
            records.insert(2, sent("c-9", 1, times[1], wrong));
        }
        life.log.append(records, None).unwrap();
        life.run_to_end().unwrap();
        let mut changes = changes(&life);
        changes.retain(|change| change["customer_id"] != "c-9");
        let without_place = changes.into_iter().map(|mut change| {
            change["cause"] = Value::Null;
            change.as_object_mut().unwrap().remove("change_id");
            change
        });
        let ahead = life.shared.metrics.deliveries.record_times_ahead.get();
        let clock = checkpoint(&life).clock;
        (without_place.collect::<Vec<_>>(), clock, ahead)
    };
    let (right, clock, ahead) = ends(false);
    assert_eq!((clock, ahead), (Some(at("2026-11-24T14:00:00Z")), 0));
    assert_eq!(ends(true), (right, clock, 1));
}

/// Wall clocks from a minute before the first record to a century after it.
#[test]
fn no_verdict_depends_on_the_wall_clock() {
    let start = at(START);
    let hours = |hours: i64| start.plus_milliseconds(hours * HOUR_MS);
    let occurred = [-30, -25, -23, -1, 0, 1, 23, 25, 30, 900_000].map(hours);
    let stated = [-26, 0, 1, 25, 26, 900_000].map(|ahead| Some(hours(ahead)));
    let mut records = Vec::new();
    for (number, clock) in (0..).zip(stated.into_iter().chain([None])) {
        for (place, occurred_at) in occurred.into_iter().enumerate() {
            let customer = format!("c-{place}");
            let mut record = sent(&customer, number, occurred_at, start);
            record.timestamp = clock;
            records.push(record);
        }
    }
    let verdicts_at = |wall: Timestamp| {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(wall);
        let mut life = machine.life(root.path(), false);
        life.log.append(records.clone(), None).unwrap();
        life.run_to_end().unwrap();
        let letters = life.log.dead_letters();
        let letters: Vec<_> = letters.map(|letter| letter.unwrap().2.headers).collect();
        let bought: Vec<_> = life
            .records()
            .into_iter()
            .map(|(id, record)| (id, record.aggregate.purchases))
            .collect();
        (life.shared.tally.counts().verdicts, letters, bought)
    };
    let first = verdicts_at(start.plus_milliseconds(-MINUTE_MS));
    // By hand, the orders that are more than 24 hours after the record's own time: that of -26 h, 0 h, 1 h, 25 h, 26 h, 900,000 h.
    assert_eq!(first.0[&Outcome::Rejected], 7 + 3 + 2 + 1 + 1);
    for wall in [hours(1), hours(25), hours(1_000), hours(876_000)] {
        assert_eq!(verdicts_at(wall), first, "{wall}");
    }
}

fn segstream(root: &Path, arguments: &[&str]) -> Output {
    let directory = |key: &str, name: &str| format!("{key}={}", root.join(name).display());
    Command::new(env!("CARGO_BIN_EXE_segstream"))
        .args(arguments)
        .args(["--set", &directory("store.directory", "store")])
        .args(["--set", &directory("embedded.directory", "log")])
        .args(["--set", "embedded.partitions=2", "--set", "http.address="])
        .output()
        .unwrap()
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn replay(root: &Path, format: &str, content: &str, more: &[&str]) -> Output {
    let file = root.join("rows");
    std::fs::write(&file, content).unwrap();
    let file = file.to_str().unwrap();
    let mut arguments = vec!["replay", "--json", "--input", file, "--format", format];
    arguments.extend(more);
    segstream(root, &arguments)
}

const HEADER: &str = "customer_id,order_id,occurred_at,revenue\n";

#[test]
fn a_replay_refuses_a_row_of_the_year_2126_with_its_line_unless_it_is_allowed() {
    let of_line = |number, occurred_at: &str| {
        let payload = order("c-1", number, at(occurred_at));
        String::from_utf8(payload).unwrap()
    };
    let lines = [
        of_line(1, "2026-01-01T00:00:00Z"),
        of_line(2, "2126-01-01T00:00:00Z"),
    ]
    .join("\n");
    let rows = format!("{HEADER}c-1,1,2026-01-01,1\nc-1,2,2126-01-01,2\n");
    let cdnow = "00001 20260101 1 11.77\n00001 21260101 1 12.00\n";
    for (format, content, line) in [
        ("orders", rows.as_str(), "line 3"),
        ("jsonl", lines.as_str(), "line 2"),
        ("cdnow", cdnow, "line 2"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let refused = replay(root.path(), format, content, &[]);
        let error = error_of(&refused);
        assert_eq!(refused.status.code(), Some(3), "{format}: {error}");
        for part in [line, "2126-01-01T", "--allow-future"] {
            assert!(error.contains(part), "{format}: {error}");
        }
        assert!(
            !root.path().join("log").exists(),
            "{format}: nothing was made"
        );
        let taken = replay(root.path(), format, content, &["--allow-future"]);
        assert!(taken.status.success(), "{format}: {}", error_of(&taken));
        let summary: Value = serde_json::from_slice(&taken.stdout).unwrap();
        assert_eq!(summary["verdicts"]["applied"], 2, "{format}: {summary}");
    }
}

#[test]
fn a_replay_refuses_dates_beyond_the_year_9999_and_makes_none_of_them_1970() {
    for (zone, date) in [
        ("UTC", "9999-12-31"),
        ("Europe/Berlin", "31.12.9999"),
        ("Etc/GMT+12", "9999-12-31"),
        ("UTC", "9999-12-31T00:00:00Z"),
        ("Etc/GMT+12", "9999-12-31T12:00:00-12:00"),
        ("UTC", "10000-01-01T00:00:00Z"),
        ("UTC", "10000-01-01"),
        ("UTC", "99999-01-01"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let rows = format!("{HEADER}c-1,1,2026-01-01,1\nc-1,2,{date},2\n");
        let zone = format!("time.business_zone={zone}");
        let more = ["--allow-future", "--set", &zone];
        let refused = replay(root.path(), "orders", &rows, &more);
        let error = error_of(&refused);
        assert_eq!(refused.status.code(), Some(3), "{zone} {date}: {error}");
        // The rest of the file is taken, and the summary names the line.
        let said = String::from_utf8_lossy(&refused.stdout).into_owned() + &error;
        for part in ["line 3", date] {
            assert!(said.contains(part), "{zone} {date}: {said}");
        }
    }
    let root = tempfile::tempdir().unwrap();
    let rows = format!("{HEADER}c-1,1,2026-01-01,1\n");
    for instant in ["9999-12-31T12:00:00Z", "10000-01-01T00:00:00Z"] {
        let refused = replay(root.path(), "orders", &rows, &["--advance-to", instant]);
        assert_eq!(refused.status.code(), Some(2), "{}", error_of(&refused));
    }
}

#[test]
fn an_event_beyond_the_year_9999_is_refused_however_its_time_is_written() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::at(at(START));
    let life = machine.life(root.path(), false);
    let intake = LogIntake {
        log: life.log.clone(),
        shared: Arc::clone(&life.shared),
    };
    // The first millisecond after the last instant that is of the year 9999 in every zone, the last one of it in UTC, and
    // some of later years.
    for occurred_at in [
        "253402207201000",
        "253402300799999",
        "253402300800000",
        "9223372036854775807",
        "9223372036854775808",
        "1790000000000000",
        "\"9999-12-31T00:00:00Z\"",
        "\"10000-01-01T00:00:00Z\"",
        "\"+010000-01-01T00:00:00Z\"",
    ] {
        let line = format!(
            "{{\"event_id\":\"e\",\"type\":\"order.completed\",\"occurred_at\":{occurred_at},\"customer_id\":\"c\",\
             \"order_id\":\"o\",\"currency\":\"USD\",\"revenue\":1}}"
        );
        let receipt = intake.accept(vec![line.into_bytes()]).unwrap();
        assert_eq!(receipt.accepted, 0, "{occurred_at}");
        assert_eq!(receipt.refused[0].reason, "occurred_at", "{occurred_at}");
    }
}

#[test]
fn run_ends_with_4_where_the_clock_does_not_fit_the_state_unless_it_is_trusted() {
    let now = WallClock::system().now();
    for (after_ms, is_right) in [
        (0, true),
        (30 * DAY_MS, false),
        (-61 * DAY_MS, false),
        (-59 * DAY_MS, true),
    ] {
        let root = tempfile::tempdir().unwrap();
        let rows = format!("{HEADER}c-1,1,2026-01-01,1\nc-2,2,2026-01-02,2\n");
        assert!(replay(root.path(), "orders", &rows, &[]).status.success());
        {
            let log = EmbeddedLog::open(&root.path().join("log"), 2, Faults::none()).unwrap();
            for partition in 0..2 {
                write_checkpoint(&log, partition, |checkpoint| Checkpoint {
                    wall: Some(now.plus_milliseconds(after_ms)),
                    ..checkpoint
                });
            }
        }
        let ended = segstream(root.path(), &["run", "--until-caught-up"]);
        let error = error_of(&ended);
        if is_right {
            assert_eq!(ended.status.code(), Some(0), "{after_ms}: {error}");
            continue;
        }
        assert_eq!(ended.status.code(), Some(4), "{after_ms}: {error}");
        assert!(error.contains("segstream run --trust-clock"), "{error}");
        let arguments = ["run", "--until-caught-up", "--trust-clock"];
        let trusted = segstream(root.path(), &arguments);
        let error = error_of(&trusted);
        assert_eq!(trusted.status.code(), Some(0), "{after_ms}: {error}");
        assert!(error.contains("the wall clock is trusted"), "{error}");
        // From now on it is the time of the last transaction.
        let again = segstream(root.path(), &["run", "--until-caught-up"]);
        assert_eq!(again.status.code(), Some(0), "{}", error_of(&again));
    }
}
