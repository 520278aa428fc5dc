//! What an event costs: `segstream run` beside a bare pipe of the same clients that writes as many
//! records and bytes, on real Kafka, in one run.
//!
//!   cargo bench --bench kafka                      all loads but `steady`, three rounds, about an hour
//!   cargo bench --bench kafka -- --rounds 1 --only history
//!   cargo bench --bench kafka -- --rounds 1 --only steady --seconds 600
//!   cargo bench --bench kafka -- --only burst      all customers fall silent in the same second

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a measurement may stop at the first thing that is not as it must be, and goes by the clock"
)]

mod burst;
mod history;
#[path = "../../tests/support/kafka.rs"]
mod kafka;
mod load;
mod measure;
mod outputs;
mod pipe;
mod restore;
mod rounds;
mod samples;
mod side;

use std::path::Path;
use std::sync::OnceLock;

use clap::Parser;
use load::Load;
use rounds::Case;
use side::Side;

/// Partitions of each topic and workers of each side.
static SIZES: OnceLock<(u32, usize)> = OnceLock::new();

fn partitions() -> u32 {
    SIZES.get().unwrap().0
}

fn workers() -> usize {
    SIZES.get().unwrap().1
}

/// Measures `segstream run` beside a bare pipe.
#[derive(Debug, Parser)]
struct Args {
    /// Events of the loads that are all in the broker before the start.
    #[arg(long, default_value_t = 3_000_000)]
    events: u64,
    /// Customers, drawn by a zipf law.
    #[arg(long, default_value_t = 1_000_000)]
    customers: u32,
    /// Exponent of the law; 0: all customers are as frequent.
    #[arg(long, default_value_t = 0.9)]
    exponent: f64,
    /// Partitions of each topic.
    #[arg(long, default_value_t = 12)]
    partitions: u32,
    /// Workers of each side.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Rounds; each measures both sides.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Events a second of the paced loads.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Seconds of the paced loads.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The commit interval of both sides, in milliseconds.
    #[arg(long, default_value_t = 100)]
    commit_ms: u64,
    /// These loads alone.
    #[arg(long)]
    only: Vec<Which>,
    /// Settings of `run` besides those of the measurement.
    #[arg(long = "set")]
    set: Vec<String>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Purchases of now.
    Fast,
    /// The same at a rate.
    Paced,
    /// Purchases of 437 days; sums since ever.
    History,
    /// The same with windows of 30, 365 and 730 days and churn.
    HistoryFull,
    /// The purchases of `history` at a rate.
    Steady,
    /// Every customer once.
    Memory,
    /// All customers become a high risk in the same millisecond.
    Burst,
    /// A store that was wiped, stopped or killed.
    Restore,
}

fn main() {
    if let Ok(plan) = std::env::var(pipe::PLAN) {
        pipe::run(&serde_json::from_str(&plan).unwrap());
        return;
    }
    let args = Args::parse();
    SIZES.set((args.partitions, args.workers)).unwrap();
    let brokers = kafka::brokers();
    measure::print_surroundings();
    println!(
        "settings: {} workers, {} partitions, commits of {} ms, {} customers by zipf {}, {} rounds, own settings {:?}",
        args.workers,
        args.partitions,
        args.commit_ms,
        args.customers,
        args.exponent,
        args.rounds,
        args.set
    );
    let models = tempfile::tempdir().unwrap();
    let is_asked = |which| {
        let is_default = args.only.is_empty() && which != Which::Steady;
        is_default || args.only.contains(&which)
    };
    if is_asked(Which::Fast) {
        rounds::to_end(&recent("fast", &args), &args, brokers);
    }
    if is_asked(Which::Paced) {
        rounds::paced(&recent("paced", &args), &args, brokers);
    }
    if is_asked(Which::History) {
        let case = of_history("history", history::plain(models.path()), &args);
        rounds::to_end(&case, &args, brokers);
    }
    if is_asked(Which::HistoryFull) {
        let case = of_history("history-full", history::full(models.path()), &args);
        rounds::to_end(&case, &args, brokers);
    }
    if is_asked(Which::Steady) {
        let case = of_history("steady", history::plain(models.path()), &args);
        rounds::paced(&case, &args, brokers);
    }
    if is_asked(Which::Memory) {
        memory(&args, brokers);
    }
    if is_asked(Which::Burst) {
        burst::burst(&args, brokers);
    }
    if is_asked(Which::Restore) {
        restore::restore(&args, brokers);
    }
}

fn recent(name: &'static str, args: &Args) -> Case {
    Case {
        name,
        events: args.events,
        load: |args, _| Load::zipf(args.customers, args.exponent, 1),
        settings: args.set.clone(),
    }
}

fn of_history(name: &'static str, settings: Vec<String>, args: &Args) -> Case {
    Case {
        name,
        events: args.events,
        load: |args, events| Load::zipf(args.customers, args.exponent, 1).with_history(events),
        settings: [settings, args.set.clone()].concat(),
    }
}

/// Every customer once, then the memory of the process: nothing is evicted by being unused.
fn memory(args: &Args, brokers: &str) {
    let topic = side::input(brokers, "memory");
    let events = u64::from(args.customers);
    Load::everyone(args.customers).send(brokers, &topic, events, None);
    let side = Side::new(brokers, "run-memory", &topic, args.commit_ms);
    let command = side.segstream(&["run", "--until-caught-up"], &args.set);
    let rss_mb = rounds::peak_rss_mb(command, events);
    println!(
        "\n{} customers, each once: peak RSS {rss_mb:.0} MB, store {:.0} MB on disk",
        args.customers,
        folder_mb(side.root())
    );
    side.forget();
}

fn folder_mb(folder: &Path) -> f64 {
    fn bytes(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                let kind = entry.metadata().unwrap();
                if kind.is_dir() {
                    bytes(&entry.path())
                } else {
                    kind.len()
                }
            })
            .sum()
    }
    bytes(folder) as f64 / 1e6
}
