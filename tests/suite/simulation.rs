//! Schedules of faults: whatever goes wrong, and in whatever order, what can be seen in the end is what the
//! input amounts to.
//!
//! `SEGSTREAM_TEST_SCHEDULES=1000` is the default; `SEGSTREAM_TEST_SEED=n` replays one schedule.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use crate::support::simulation::Amid;
use crate::support::simulation::Bug;
use crate::support::simulation::Heard;
use crate::support::simulation::Hits;
use crate::support::simulation::Kind;
use crate::support::simulation::OLDER_FORMAT;
use crate::support::simulation::process::CROSSINGS;
use crate::support::simulation::schedule;

/// Schedules within which a planted bug must be found.
const SCHEDULES_FOR_A_BUG: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn enabled() -> BTreeSet<Kind> {
    let all = Kind::ALL.into_iter();
    all.filter(|kind| *kind != Kind::OlderFormat || OLDER_FORMAT.is_some())
        .collect()
}

/// A schedule syncs often: in memory where there is such a place.
fn directory() -> TempDir {
    let in_memory = Path::new("/dev/shm");
    if in_memory.is_dir() {
        tempfile::tempdir_in(in_memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// One schedule; what it found, if it found something.
fn run(seed: u64, enabled: &BTreeSet<Kind>, bug: Option<Bug>) -> Result<Hits, String> {
    let directory = directory();
    let root = directory.path();
    let run = catch_unwind(AssertUnwindSafe(|| schedule::run(seed, enabled, bug, root)));
    run.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()));
        let text = text.unwrap_or_default();
        text.lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(120)
            .collect()
    })
}

fn replay(seed: u64) -> String {
    format!("SEGSTREAM_TEST_SEED={seed} cargo test --test suite simulation")
}

/// Runs schedules on all cores; what happened in them, and the seeds of those that found something.
fn run_all(seeds: std::ops::Range<u64>, enabled: &BTreeSet<Kind>) -> (Hits, Vec<u64>) {
    let next = AtomicU64::new(seeds.start);
    let (hits, failed) = (Mutex::new(Hits::default()), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    match run(seed, enabled, None) {
                        Ok(found) => hits.lock().unwrap().add(&found),
                        Err(what) => {
                            println!("found: {what}; replay: {}", replay(seed));
                            failed.lock().unwrap().push(seed);
                        }
                    }
                }
            });
        }
    });
    (hits.into_inner().unwrap(), failed.into_inner().unwrap())
}

#[test]
fn whatever_goes_wrong_everything_seen_in_the_end_is_what_the_input_amounts_to() {
    let seeds = match number("SEGSTREAM_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEGSTREAM_TEST_SCHEDULES").unwrap_or(1000),
    };
    let schedules = seeds.end - seeds.start;
    let enabled = enabled();
    let (hits, failed) = run_all(seeds, &enabled);
    println!("{schedules} schedules, what happened: {hits:?}");
    let first = failed.iter().min().copied().map(replay);
    assert!(
        failed.is_empty(),
        "{} failed, the first: {first:?}",
        failed.len()
    );
    if schedules >= 1000 {
        assert_all_happened(&hits, &enabled);
    }
}

fn assert_all_happened(hits: &Hits, enabled: &BTreeSet<Kind>) {
    for kind in enabled {
        assert!(hits.kinds.contains_key(kind), "{kind:?} never happened");
    }
    for point in CROSSINGS {
        assert!(
            hits.points.contains_key(&point),
            "nothing died at {point:?}"
        );
    }
    for heard in Heard::ALL {
        for before in Heard::ALL {
            let order = (before, heard);
            // After these a worker has nothing until it is assigned something, or told to give it up.
            let may_follow = match before {
                Heard::Assigned | Heard::Revoked => true,
                Heard::Lost => heard == Heard::Assigned,
                Heard::Aborted | Heard::Unknown => {
                    matches!(heard, Heard::Assigned | Heard::Revoked | Heard::Lost)
                }
            };
            let was_heard = hits.orders.contains_key(&order);
            assert!(was_heard || !may_follow, "{order:?} was never heard");
        }
        for amid in [Amid::Batch, Amid::Restore] {
            let place = (amid, heard);
            assert!(hits.amid.contains_key(&place), "{place:?} was never heard");
        }
    }
}

#[test]
fn a_seed_gives_the_same_schedule_every_time() {
    let enabled = enabled();
    for seed in 0..40 {
        let (first, second) = (run(seed, &enabled, None), run(seed, &enabled, None));
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Every bug here is planted around the program, so the schedules must fail.
fn is_found(bug: Bug) {
    let enabled = enabled();
    let found = (0..SCHEDULES_FOR_A_BUG)
        .find_map(|seed| Some((seed, run(seed, &enabled, Some(bug)).err()?)));
    let (seed, what) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
    println!("{bug:?} is found by schedule {seed}: {what}");
}

macro_rules! planted {
    ($($name:ident: $bug:ident,)*) => {
        $(
            #[test]
            fn $name() {
                is_found(Bug::$bug);
            }
        )*
    };
}

planted! {
    an_aborted_transaction_taken_for_a_committed_one_is_found: OkForAborted,
    a_transaction_sent_again_after_an_unknown_outcome_is_found: SentAgainAfterUnknown,
    a_doubled_dead_letter_is_found: DoubledDeadLetter,
    a_lost_dead_letter_is_found: LostDeadLetter,
    a_doubled_change_is_found: DoubledChange,
    a_lost_change_is_found: LostChange,
    a_lost_latest_change_is_found: LostCurrent,
    a_latest_change_that_is_not_the_last_is_found: CurrentHasFirst,
    a_staged_customer_left_out_of_a_transaction_is_found: LostState,
    a_worker_resumed_where_it_had_read_is_found: ResumedWhereItHadRead,
    a_lost_delivery_is_found: LostDelivery,
    a_restore_that_ends_too_early_is_found: ChangelogCutShort,
    a_gap_in_a_restore_is_found: ChangelogGap,
    old_facts_of_a_partition_are_found: OldFacts,
    an_old_end_of_a_partition_is_found: OldEnd,
    a_commit_after_a_lost_session_is_found: NotFenced,
    a_loss_that_is_never_heard_of_is_found: LostUnheard,
    a_partition_handed_over_too_early_is_found: HandedOverTooEarly,
    deliveries_of_an_aborted_transaction_that_are_counted_are_found: AbortedCounted,
    a_mark_that_stays_is_found: MarkStays,
    a_gauge_that_stays_is_found: GaugeStays,
    a_phase_that_stays_is_found: PhaseStays,
}
