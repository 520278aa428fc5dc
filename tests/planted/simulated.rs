//! The one test of the copy with the planted mistakes: schedules of the simulation until one finds something. It
//! ends with 0 where none did, and with 1 and a sentence where one did.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::wildcard_enum_match_arm,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a test may panic, and says what it saw"
)]

#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use support::simulation::runs::Extent;
use support::simulation::runs::every_kind;
use support::simulation::runs::run_all;

fn main() -> ExitCode {
    let schedules = std::env::args().nth(1);
    let schedules = schedules.and_then(|text| text.parse().ok()).unwrap();
    // What a schedule finds is a panic, and the first is said below.
    std::panic::set_hook(Box::new(|_| {}));
    let found = run_all(0..schedules, &every_kind(), Extent::UntilFound, |_, _| {});
    match found.failed.first() {
        None => ExitCode::SUCCESS,
        Some((seed, what)) => {
            println!("schedule {seed}: {what}");
            ExitCode::FAILURE
        }
    }
}
