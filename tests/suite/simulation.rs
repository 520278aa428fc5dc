//! Schedules of faults: whatever goes wrong, and in whatever order, what can be seen in the end is what the
//! input amounts to.
//!
//! `SEGSTREAM_TEST_SCHEDULES=1000` is the default; `SEGSTREAM_TEST_SEED=n` replays one schedule.

use std::collections::BTreeSet;

use crate::support::simulation::Amid;
use crate::support::simulation::Bug;
use crate::support::simulation::Heard;
use crate::support::simulation::Hits;
use crate::support::simulation::Kind;
use crate::support::simulation::process::CROSSINGS;
use crate::support::simulation::runs::Extent;
use crate::support::simulation::runs::every_kind;
use crate::support::simulation::runs::run;
use crate::support::simulation::runs::run_all;

/// Schedules within which a planted bug must be found.
const SCHEDULES_FOR_A_BUG: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn replay(seed: u64) -> String {
    format!("SEGSTREAM_TEST_SEED={seed} cargo test --test suite simulation")
}

#[test]
fn whatever_goes_wrong_everything_seen_in_the_end_is_what_the_input_amounts_to() {
    let seeds = match number("SEGSTREAM_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEGSTREAM_TEST_SCHEDULES").unwrap_or(1000),
    };
    let schedules = seeds.end - seeds.start;
    let enabled = every_kind();
    let found = run_all(seeds, &enabled, Extent::All, |seed, what| {
        println!("found: {what}; replay: {}", replay(seed));
    });
    println!("{schedules} schedules, what happened: {:?}", found.hits);
    let first = found.failed.first().map(|(seed, _)| replay(*seed));
    assert!(
        found.failed.is_empty(),
        "{} failed, the first: {first:?}",
        found.failed.len()
    );
    if schedules >= 1000 {
        assert_all_happened(&found.hits, &enabled);
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
    let enabled = every_kind();
    for seed in 0..40 {
        let (first, second) = (run(seed, &enabled, None), run(seed, &enabled, None));
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Every bug here is planted around the program, so the schedules must fail.
fn is_found(bug: Bug) {
    let enabled = every_kind();
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
    a_commit_after_another_workers_is_found: ChangelogNotFenced,
    a_loss_that_is_never_heard_of_is_found: LostUnheard,
    a_partition_handed_over_too_early_is_found: HandedOverTooEarly,
    deliveries_of_an_aborted_transaction_that_are_counted_are_found: AbortedCounted,
    a_mark_that_stays_is_found: MarkStays,
    a_gauge_that_stays_is_found: GaugeStays,
    a_phase_that_stays_is_found: PhaseStays,
}
