//! Crashes at every named fault point: whatever the schedule, the state equals the fold of the
//! input and the changes equal those of a run without crashes.
//!
//! `SEGSTREAM_TEST_SCHEDULES=200` is the default; `SEGSTREAM_TEST_SEED=n` replays one schedule.

use crate::support;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use crate::support::Chance;
use crate::support::Life;
use crate::support::Sizing;
use segstream::config::store::Engine;
use segstream::domain::ids::Position;
use segstream::faults::Decision;
use segstream::faults::FaultPoint;
use segstream::faults::Faults;
use segstream::log::embedded::InputRecord;
use segstream::simulate::Shop;
use segstream::simulate::ShopOptions;

const SCHEDULES: u64 = 200;
const PARTITIONS: u32 = 2;
const EVENTS_MAX: usize = 60;
/// After this many faults the schedule lets the run end.
const FAULTS_MAX: u32 = 4;

struct Schedule {
    chance: Chance,
    left: u32,
    crossings_until_next: u64,
    hit: Arc<Mutex<BTreeMap<FaultPoint, u64>>>,
}

impl Schedule {
    fn decide(&mut self, point: FaultPoint) -> Decision {
        if self.left == 0 {
            return Decision::Continue;
        }
        if self.crossings_until_next > 0 {
            self.crossings_until_next -= 1;
            return Decision::Continue;
        }
        self.left -= 1;
        self.crossings_until_next = self.chance.below(90);
        *self.hit.lock().unwrap().entry(point).or_default() += 1;
        let may_be_unknown = matches!(
            point,
            FaultPoint::CommitBefore | FaultPoint::CommitBeforeFlush | FaultPoint::CommitAfterFlush
        );
        if may_be_unknown && self.chance.below(2) == 0 {
            Decision::Unknown
        } else {
            Decision::Crash
        }
    }
}

fn feed(seed: u64) -> Vec<InputRecord> {
    let shop = Shop::new(ShopOptions {
        customers: 6,
        seed,
        starts_at: support::at("2026-01-01T00:00:00Z"),
        days: None,
        dirt: 0.2,
    });
    let events = shop.take(EVENTS_MAX);
    events
        .map(|event| InputRecord::new(Some(event.record_time), event.key, event.payload))
        .collect()
}

/// Appends what the log does not have yet, as a producer without any acknowledgement would.
fn append_rest(
    life: &Life,
    feed: &[InputRecord],
    chance: &mut Chance,
) -> Result<(), segstream::log::Error> {
    let mut sent = usize::try_from(life.log.cursor("feed")?.unwrap_or(0)).unwrap();
    while sent < feed.len() {
        let until = (sent + 1 + usize::try_from(chance.below(20)).unwrap()).min(feed.len());
        let next = u64::try_from(until).unwrap();
        life.log
            .append(feed[sent..until].to_vec(), Some(("feed", Some(next))))?;
        sent = until;
    }
    Ok(())
}

fn run_schedule(seed: u64, root: &Path, hit: &Arc<Mutex<BTreeMap<FaultPoint, u64>>>) {
    let mut chance = Chance(seed);
    let feed = feed(seed);
    let sizing = Sizing {
        commit_records: 1 + usize::try_from(chance.below(12)).unwrap(),
        flush_records: [0, 1, 5, 1000][usize::try_from(chance.below(4)).unwrap()],
        flush_bytes: [4000, 1 << 30][usize::try_from(chance.below(2)).unwrap()],
        engine: [Engine::Sled, Engine::Fjall][usize::try_from(chance.below(2)).unwrap()],
        flushes_in_background: false,
        page_bytes: [300, 1500, 8192][usize::try_from(chance.below(3)).unwrap()],
        cache_bytes: [4096, 1 << 20][usize::try_from(chance.below(2)).unwrap()],
    };
    // Time alone has its share: in one of ten the clocks run on for years after the last event.
    let advance_to = (chance.below(10) == 0).then(|| support::at("2030-01-01T00:00:00Z"));
    let schedule = Mutex::new(Schedule {
        left: 1 + u32::try_from(chance.below(u64::from(FAULTS_MAX))).unwrap(),
        crossings_until_next: chance.below(60),
        chance: Chance(seed ^ 0xfau64),
        hit: Arc::clone(hit),
    });
    let faults = Faults::planned(move |point| schedule.lock().unwrap().decide(point));
    for number in 0.. {
        let here = root.join(format!("life-{number}"));
        let mut life = Life::begin(&here, PARTITIONS, sizing, &faults);
        life.advance_to = advance_to;
        let done = append_rest(&life, &feed, &mut chance).is_ok() && life.run_to_end().is_ok();
        if done {
            verify(seed, &life, feed.len());
            return;
        }
        // What a killed process leaves: what is on disk now, before any handle is dropped.
        let next = root.join(format!("life-{}", number + 1));
        support::copy_directory(&here, &next);
        drop(life);
        std::fs::remove_dir_all(&here).unwrap();
    }
}

fn verify(seed: u64, life: &Life, events: usize) {
    let inputs: Vec<(Position, InputRecord)> = life.log.inputs().map(Result::unwrap).collect();
    assert_eq!(
        inputs.len(),
        events,
        "seed {seed}: the input has every event once"
    );
    let expected = support::fold(&inputs, life.advance_to);
    assert_eq!(
        life.records(),
        expected.records,
        "seed {seed}: state equals the fold"
    );
    let mut changes = life.changes();
    let mut expected_changes = expected.changes;
    changes.sort();
    expected_changes.sort();
    assert_eq!(
        changes, expected_changes,
        "seed {seed}: changes equal those without crashes"
    );
    life.assert_counts();
}

#[test]
fn crashes_at_every_fault_point_leave_no_trace() {
    let hit = Arc::new(Mutex::new(BTreeMap::new()));
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seeds = match number("SEGSTREAM_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEGSTREAM_TEST_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let schedules = seeds.end - seeds.start;
    for seed in seeds {
        let directory = tempfile::tempdir().unwrap();
        let run = std::panic::catch_unwind(|| run_schedule(seed, directory.path(), &hit));
        if let Err(panic) = run {
            eprintln!("replay: SEGSTREAM_TEST_SEED={seed} cargo test --test suite crash_schedules");
            std::panic::resume_unwind(panic);
        }
    }
    let hit = hit.lock().unwrap();
    println!("{schedules} schedules, faults by point: {hit:?}");
    if schedules >= SCHEDULES {
        for point in FaultPoint::ALL {
            assert!(hit.contains_key(&point), "{point:?} was never cut");
        }
    }
}
