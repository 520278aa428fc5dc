//! The program on real Apache Kafka: killed, restarted, joined, stalled, cut off, upgraded and misconfigured.
//!
//! The short form runs by default; `SEGSTREAM_TEST_LONG=1` runs the full counts, and [`losses`] and [`chaos`] have
//! lengths of their own. Where there is no Kafka the tests show as ignored with the reason, unless
//! `SEGSTREAM_REQUIRE_KAFKA` is 1.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    unreachable_pub,
    dead_code,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test may panic, and says what it saw"
)]

#[path = "../support/mod.rs"]
mod support;
// Not `prometheus`: that is the crate.
#[path = "../support/prometheus.rs"]
mod scraper;

mod brokers;
mod catching_up;
mod chaos;
mod commits;
mod dead_letters;
mod deployment;
mod expected;
mod exports;
mod feed;
mod fences;
mod group;
mod histories;
mod instances;
mod losses;
mod outages;
mod proxy;
mod rejections;
mod restores;
mod running;
mod sizes;
mod snapshots;
mod surroundings;
mod upgrade;
mod vacancies;

use std::path::PathBuf;
use std::time::Duration;

use libtest_mimic::Arguments;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use support::cluster::Cluster;
use support::contract::contract;
use support::kafka;

/// Partitions of the topics of a deployment, unless its settings say another number.
const PARTITIONS: u32 = 12;
const PATIENCE: Duration = Duration::from_secs(120);
/// Unless `--test-threads` says another number.
const TESTS_AT_A_TIME: usize = 4;

fn main() {
    let mut arguments = Arguments::from_args();
    // Most of them wait for sessions and transactions to end.
    arguments.test_threads.get_or_insert(TESTS_AT_A_TIME);
    let tests: [(&str, fn()); 50] = [
        (
            "the_changelog_is_read_by_whole_transactions_while_it_is_written",
            snapshots::whole_transactions,
        ),
        (
            "three_instances_under_random_blows_end_with_what_the_input_amounts_to",
            chaos::random_blows,
        ),
        (
            "a_worker_that_alone_loses_its_session_comes_back_and_nothing_is_lost_or_twice",
            losses::lost_sessions,
        ),
        (
            "partitions_revoked_while_their_transaction_commits_go_on_behind_it",
            commits::revoked_while_it_commits,
        ),
        (
            "partitions_lost_while_their_transaction_commits_are_restored_behind_it",
            commits::lost_while_it_commits,
        ),
        (
            "a_commit_whose_outcome_is_unknown_counts_once_applied_or_not",
            commits::unknown_outcomes,
        ),
        (
            "what_another_writer_wrote_since_the_last_transaction_aborts_the_next_one",
            fences::overtaken,
        ),
        (
            "a_member_that_is_joined_anew_without_a_word_writes_nothing_twice",
            fences::joined_anew_without_a_word,
        ),
        (
            "partitions_that_a_restart_between_two_generations_left_without_an_owner_get_one",
            vacancies::restarted_between_two_generations,
        ),
        (
            "a_rebalance_in_the_middle_of_a_restore_changes_nothing",
            restores::rebalanced_while_it_restores,
        ),
        (
            "a_partition_is_restored_from_a_cluster_that_is_far_away",
            restores::restored_from_far_away,
        ),
        (
            "a_restore_that_is_cut_goes_on_where_it_was",
            restores::cut_while_it_restores,
        ),
        (
            "each_request_of_a_transaction_may_be_cut_stalled_or_unanswered",
            outages::blows_on_each_request,
        ),
        (
            "a_commit_without_an_answer_counts_once_and_the_group_says_later_what_became_of_it",
            outages::unanswered_commits,
        ),
        (
            "a_producer_that_the_broker_has_ended_comes_back_once",
            outages::ended_producers,
        ),
        (
            "of_two_processes_of_one_id_one_ends_and_says_why",
            outages::two_of_one_id,
        ),
        (
            "a_process_that_is_stopped_past_its_transactions_goes_on",
            outages::stopped_past_its_transactions,
        ),
        (
            "a_topic_that_is_deleted_ends_an_instance_with_its_name",
            outages::deleted_topic,
        ),
        (
            "a_broker_that_is_restarted_costs_time_only",
            brokers::restarted_broker,
        ),
        (
            "a_broker_that_is_away_for_half_a_minute_costs_time_only",
            brokers::away_for_half_a_minute,
        ),
        (
            "a_broker_that_stalls_for_half_a_minute_costs_time_only",
            brokers::stalled_for_half_a_minute,
        ),
        (
            "coordinators_that_move_to_another_broker_cost_time_only",
            brokers::changed_coordinators,
        ),
        (
            "a_run_until_caught_up_ends_beside_a_service",
            catching_up::beside_a_service,
        ),
        (
            "two_runs_until_caught_up_share_the_work_and_both_end",
            catching_up::beside_each_other,
        ),
        (
            "a_run_until_caught_up_does_not_end_before_other_instances_have_committed",
            catching_up::not_before_the_others,
        ),
        (
            "a_run_moves_the_clocks_of_what_other_instances_do_not_have",
            catching_up::moves_what_others_do_not_have,
        ),
        (
            "an_export_of_the_changelog_says_as_of_the_clocks_what_http_and_the_stores_say",
            exports::as_of_the_clocks,
        ),
        (
            "rejected_events_are_said_with_topic_partition_and_offset_and_at_once_where_nearly_all_are",
            rejections::said_with_their_places,
        ),
        (
            "a_changelog_of_format_3_exports_the_same_and_goes_on_without_a_repeat",
            upgrade::format_3_goes_on,
        ),
        (
            "killed_at_any_moment_the_result_is_that_of_a_run_without_kills",
            instances::killed_at_any_moment,
        ),
        (
            "an_instance_that_joins_dies_returns_and_leaves_changes_nothing",
            instances::joins_dies_returns_and_leaves,
        ),
        (
            "an_instance_that_was_stopped_past_its_session_writes_nothing",
            instances::stopped_past_its_session,
        ),
        (
            "wrong_surroundings_end_with_one_sentence_that_says_what_to_do",
            surroundings::wrong_surroundings,
        ),
        (
            "topics_that_lose_events_or_change_their_times_are_said_or_refused",
            surroundings::history_lost_or_changed,
        ),
        (
            "record_times_and_tails_that_mislead_a_clock_do_not",
            surroundings::misleading_tails,
        ),
        (
            "a_broker_that_stalls_costs_time_only",
            instances::stalling_broker,
        ),
        (
            "a_lagging_instance_calls_nobody_silent_whose_purchase_waits",
            instances::lagging_instance,
        ),
        (
            "a_compacted_changelog_restores_the_same_state_as_does_one_that_ends_in_no_state",
            surroundings::changelog_tails,
        ),
        (
            "a_record_of_ten_megabytes_is_one_dead_letter_with_its_bytes",
            surroundings::ten_megabytes,
        ),
        (
            "compressed_garbage_that_no_topic_takes_is_a_dead_letter_and_the_events_behind_it_count",
            sizes::compressed_garbage,
        ),
        (
            "noise_in_any_part_of_a_record_is_cut_to_what_the_broker_takes",
            sizes::noise,
        ),
        (
            "batches_keep_within_topics_that_take_twenty_thousand_bytes",
            sizes::small_limits,
        ),
        (
            "state_keeps_within_a_topic_that_takes_twenty_thousand_bytes_however_much_a_customer_buys",
            sizes::growing_state,
        ),
        (
            "compressed_garbage_ends_nothing_while_all_topics_or_one_of_them_take_little",
            sizes::limits_of_each_topic,
        ),
        (
            "a_limit_that_is_lowered_while_running_rejects_the_events_that_need_more_and_no_others",
            sizes::lowered_limit,
        ),
        (
            "dead_letters_are_listed_shown_mended_and_sent_again",
            dead_letters::read_and_sent_again,
        ),
        (
            "dead_letters_over_http_are_those_of_the_topic_and_nobody_joins_the_group",
            dead_letters::over_http,
        ),
        (
            "a_topic_that_was_made_anew_is_refused_though_it_is_longer",
            histories::topic_made_anew,
        ),
        (
            "a_topic_that_has_another_record_at_the_place_of_the_last_one_is_refused",
            histories::other_topics,
        ),
        (
            "a_source_that_begins_above_what_the_state_needs_is_refused_and_one_from_which_only_processed_records_are_gone_is_not",
            histories::removed_records,
        ),
    ];
    let reason = kafka::why_not();
    let is_required = std::env::var("SEGSTREAM_REQUIRE_KAFKA").is_ok_and(|value| value == "1");
    if let Some(reason) = &reason {
        eprintln!("no Kafka: {reason}");
    }
    let is_ignored = reason.is_some() && !is_required;
    let contract = contract::<Cluster>().into_iter();
    let contract = contract.map(|(name, test)| (format!("contract::{name}"), test));
    let tests = tests
        .into_iter()
        .map(|(name, test)| (name.to_owned(), test));
    let trials = contract.chain(tests).map(|(name, test)| {
        let run = move || -> Result<(), Failed> {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn is_long() -> bool {
    std::env::var("SEGSTREAM_TEST_LONG").is_ok_and(|value| value == "1")
}

fn cdnow() -> Option<PathBuf> {
    support::data_file("cdnow_master.txt")
}

/// The seed of a run, with the command that repeats it.
fn seed_of(filter: &str) -> u64 {
    let given = std::env::var("SEGSTREAM_TEST_SEED").ok();
    let seed = given.and_then(|text| text.parse().ok()).unwrap_or(11);
    println!("replay: SEGSTREAM_TEST_SEED={seed} cargo test --test kafka {filter}");
    seed
}

fn seed() -> u64 {
    seed_of("")
}
