//! Everything that needs no broker, in one binary: linking it once is faster than once a suite, and its tests
//! share the cores.

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
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a test may panic, and says what it saw"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/time_oracle.rs"]
mod time_oracle;

mod calls;
mod cdnow;
mod changes;
mod churn;
mod clocks;
mod contracts;
mod crash_schedules;
mod crossings;
mod dead_letters;
mod definition;
mod demo;
mod disk;
mod documented;
mod embedded_log;
mod engine;
mod events;
mod exports;
mod files;
mod flushes;
mod formats;
mod halving;
mod intake;
mod last_commit;
mod layout;
mod mistakes;
mod names;
mod notices;
mod numbers;
mod orders;
mod ownership;
mod progress;
mod real_files;
mod rejections;
mod said;
mod same_instant;
mod segments;
mod shutdown;
mod simulation;
mod store;
mod tidy;
mod time;
mod time_replay;
mod training;
mod transfers;
mod views;
