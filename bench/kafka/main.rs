//! What an event costs: `segstream run` beside a bare pipe of the same clients that writes as many
//! records and bytes, on real Kafka, in one run.
//!
//!   cargo bench --bench kafka                      both loads, three rounds, about 20 minutes
//!   cargo bench --bench kafka -- --rounds 1 --only fast
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
#[path = "../../tests/support/kafka.rs"]
mod kafka;
mod load;
mod measure;
mod outputs;
mod pipe;

use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use clap::Parser;
use load::Load;
use measure::Usage;
use outputs::Latencies;
use outputs::Written;

/// The commit interval of both sides.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);
const PARTITIONS: u32 = 12;
const WORKERS: usize = 2;
/// A paced load is measured after this long: both sides have started and have caught up with it.
const WARM_UP: Duration = Duration::from_secs(15);

/// Measures `segstream run` beside a bare pipe.
#[derive(Debug, Parser)]
struct Args {
    /// Events of the fast load.
    #[arg(long, default_value_t = 3_000_000)]
    events: u64,
    /// Customers, drawn by a zipf law of exponent 0.9.
    #[arg(long, default_value_t = 1_000_000)]
    customers: u32,
    /// Rounds; each measures both sides.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Events a second of the paced load.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Seconds of the paced load.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// One load alone.
    #[arg(long)]
    only: Option<Which>,
    /// Settings of `run` besides those of the measurement.
    #[arg(long = "set")]
    set: Vec<String>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Fast,
    Paced,
    Memory,
    Burst,
}

/// One side of one round.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    cpu_us_per_event: f64,
    events_per_second: f64,
    rss_mb: f64,
    disk_mb: f64,
}

/// Topics and settings of one side of one round.
struct Side {
    brokers: String,
    name: String,
    input: String,
    root: tempfile::TempDir,
}

impl Side {
    fn new(brokers: &str, name: &str, input: &str) -> Self {
        let side = Self {
            brokers: brokers.to_owned(),
            name: format!("{name}-{}", std::process::id()),
            input: input.to_owned(),
            root: tempfile::tempdir().unwrap(),
        };
        let status = side.segstream(&["topics", "create"], &[]).status().unwrap();
        assert!(status.success(), "the topics are made");
        side
    }

    fn topic(&self, kind: &str) -> String {
        format!("{}.{kind}", self.name)
    }

    fn segstream(&self, arguments: &[&str], settings: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_segstream"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let own = [
            format!("kafka.brokers={}", self.brokers),
            format!("kafka.group_id={}", self.name),
            format!("topics.events={}", self.input),
            format!("topics.changes={}", self.topic("changes")),
            format!("topics.current={}", self.topic("current")),
            format!("topics.state={}", self.topic("state")),
            format!("topics.dead_letters={}", self.topic("letters")),
            format!("topics.partitions={PARTITIONS}"),
            format!("store.directory={}", self.root.path().display()),
            format!("commit.interval={}ms", COMMIT_INTERVAL.as_millis()),
            format!("workers={WORKERS}"),
            "http.address=".to_owned(),
            "log.filter=warn".to_owned(),
        ];
        for setting in own.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        command
    }

    fn pipe(&self, written: &Written, events: Option<u64>) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(
            pipe::PLAN,
            serde_json::to_string(&pipe::Plan {
                brokers: self.brokers.clone(),
                group: self.name.clone(),
                input: self.input.clone(),
                state: self.topic("state"),
                changes: self.topic("changes"),
                workers: WORKERS,
                partitions: PARTITIONS,
                written: written.clone(),
                events,
            })
            .unwrap(),
        );
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn written(&self, events: u64) -> Written {
        Written::read(
            &self.brokers,
            &self.topic("state"),
            &[self.topic("changes"), self.topic("current")],
            events,
        )
    }

    /// What was written goes, so that the broker's disk does not fill.
    fn forget(self) {
        let topics = ["changes", "current", "state", "letters"].map(|kind| self.topic(kind));
        for topic in topics {
            let arguments = [
                "--bootstrap-server",
                &self.brokers,
                "--delete",
                "--topic",
                &topic,
            ];
            kafka::tool("org.apache.kafka.tools.TopicCommand", &arguments);
        }
    }
}

fn main() {
    if let Ok(plan) = std::env::var(pipe::PLAN) {
        pipe::run(&serde_json::from_str(&plan).unwrap());
        return;
    }
    let args = Args::parse();
    let brokers = kafka::brokers();
    measure::print_surroundings();
    println!(
        "settings: {WORKERS} workers, {PARTITIONS} partitions, commits of {} ms, {} customers by \
         zipf 0.9, {} rounds, own settings {:?}",
        COMMIT_INTERVAL.as_millis(),
        args.customers,
        args.rounds,
        args.set
    );
    let is_asked = |which| args.only.is_none_or(|only| only == which);
    if is_asked(Which::Fast) {
        fast(&args, brokers);
    }
    if is_asked(Which::Paced) {
        paced(&args, brokers);
    }
    if is_asked(Which::Memory) {
        memory(&args, brokers);
    }
    if is_asked(Which::Burst) {
        burst::burst(&args, brokers);
    }
}

fn input(brokers: &str, kind: &str) -> String {
    let topic = format!("bench-{kind}-{}", std::process::id());
    let partitions = PARTITIONS.to_string();
    let arguments = [
        "--bootstrap-server",
        brokers,
        "--create",
        "--topic",
        &topic,
        "--partitions",
        &partitions,
        "--config",
        "retention.ms=-1",
    ];
    let output = kafka::tool("org.apache.kafka.tools.TopicCommand", &arguments);
    assert!(output.status.success(), "{output:?}");
    topic
}

fn fast(args: &Args, brokers: &str) {
    let topic = input(brokers, "fast");
    let mut load = Load::zipf(args.customers, 1);
    let bytes = load.send(brokers, &topic, args.events, None);
    println!(
        "\nas fast as it goes: {} events of {} bytes on average, all in the broker before",
        args.events,
        bytes / args.events
    );
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        let side = Side::new(brokers, &format!("run-fast-{round}"), &topic);
        let run = to_end(
            side.segstream(&["run", "--until-caught-up"], &args.set),
            args.events,
        );
        let written = side.written(args.events);
        side.forget();
        let side = Side::new(brokers, &format!("pipe-fast-{round}"), &topic);
        let pipe = to_end(side.pipe(&written, Some(args.events)), args.events);
        let by_pipe = side.written(args.events);
        side.forget();
        print_round(round, &run, &pipe, &written, &by_pipe);
        rounds.push((run, pipe));
    }
    summary(&rounds);
}

/// Every customer once, then the memory of the process: nothing is evicted by being unused.
fn memory(args: &Args, brokers: &str) {
    let topic = input(brokers, "memory");
    let events = u64::from(args.customers);
    Load::everyone(args.customers).send(brokers, &topic, events, None);
    let side = Side::new(brokers, "run-memory", &topic);
    let run = to_end(
        side.segstream(&["run", "--until-caught-up"], &args.set),
        events,
    );
    println!(
        "\n{} customers, each once: peak RSS {:.0} MB, store {:.0} MB on disk",
        args.customers,
        run.rss_mb,
        folder_mb(side.root.path())
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

fn to_end(mut command: Command, events: u64) -> Figures {
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let usage = Usage::until_end(&mut child);
    let seconds = started.elapsed().as_secs_f64();
    figures(&usage, events, seconds)
}

fn figures(usage: &Usage, events: u64, seconds: f64) -> Figures {
    Figures {
        cpu_us_per_event: usage.cpu_seconds * 1e6 / events as f64,
        events_per_second: events as f64 / seconds,
        rss_mb: usage.rss_bytes_max as f64 / 1e6,
        disk_mb: usage.disk_bytes as f64 / 1e6,
    }
}

fn paced(args: &Args, brokers: &str) {
    println!(
        "\npaced at {} events a second for {} s",
        args.rate, args.seconds
    );
    let events = args.rate * args.seconds;
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        let topic = input(brokers, &format!("paced-run-{round}"));
        let side = Side::new(brokers, &format!("run-paced-{round}"), &topic);
        let changes = side.topic("changes");
        let latencies = Latencies::watch(brokers, &changes, PARTITIONS);
        let (run, since_ms) = at_pace(side.segstream(&["run"], &args.set), args, &topic);
        let latencies = latencies.finish(since_ms);
        let all = args.rate * (args.seconds + WARM_UP.as_secs());
        let written = side.written(all);
        side.forget();
        let topic = input(brokers, &format!("paced-pipe-{round}"));
        let side = Side::new(brokers, &format!("pipe-paced-{round}"), &topic);
        let (pipe, _) = at_pace(side.pipe(&written, None), args, &topic);
        let by_pipe = side.written(all);
        side.forget();
        print_round(round, &run, &pipe, &written, &by_pipe);
        println!(
            "  purchase to visible change: p50 {} ms, p99 {} ms, greatest {} ms of {} changes",
            latencies.at(0.5),
            latencies.at(0.99),
            latencies.at(1.0),
            latencies.count()
        );
        rounds.push((run, pipe));
    }
    println!("  ({events} events measured a side)");
    summary(&rounds);
}

/// Measures a side between two moments of a load that goes on; also the first of them, in milliseconds.
fn at_pace(mut command: Command, args: &Args, topic: &str) -> (Figures, i64) {
    let mut child = command.spawn().unwrap();
    let brokers = kafka::brokers().to_owned();
    let topic = topic.to_owned();
    let (customers, rate) = (args.customers, args.rate);
    let seconds = args.seconds + WARM_UP.as_secs();
    let feed = std::thread::spawn(move || {
        let mut load = Load::zipf(customers, 2);
        load.send(&brokers, &topic, rate * seconds, Some(rate));
    });
    std::thread::sleep(WARM_UP);
    let since_ms = outputs::now_ms();
    let usage = Usage::during(&mut child, Duration::from_secs(args.seconds));
    feed.join().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    kafka::send_signal(child.id(), "TERM");
    child.wait().unwrap();
    let measured = figures(&usage, args.rate * args.seconds, args.seconds as f64);
    (measured, since_ms)
}

fn print_round(round: usize, run: &Figures, pipe: &Figures, by_run: &Written, by_pipe: &Written) {
    println!("round {}", round + 1);
    for (name, side, written) in [("run ", run, by_run), ("pipe", pipe, by_pipe)] {
        println!(
            "  {name}  CPU {:6.2} us/event  {:8.0} events/s  peak RSS {:4.0} MB  to disk {:5.0} MB  \
             sent {:.2} state records and {:.3} others an event, {:.0} bytes",
            side.cpu_us_per_event,
            side.events_per_second,
            side.rss_mb,
            side.disk_mb,
            written.state.records_per_event,
            written.others.records_per_event,
            written.bytes_per_event()
        );
    }
    println!(
        "  ratio {:.2}",
        run.cpu_us_per_event / pipe.cpu_us_per_event
    );
}

fn summary(rounds: &[(Figures, Figures)]) {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let of = |figure: fn(&Figures) -> f64, is_run: bool| {
        median(
            rounds
                .iter()
                .map(|(run, pipe)| figure(if is_run { run } else { pipe }))
                .collect(),
        )
    };
    let ratio = median(
        rounds
            .iter()
            .map(|(run, pipe)| run.cpu_us_per_event / pipe.cpu_us_per_event)
            .collect(),
    );
    println!(
        "median: run {:.2} us/event, pipe {:.2} us/event, ratio {ratio:.2}; run {:.0} events/s, \
         pipe {:.0} events/s; peak RSS of run {:.0} MB",
        of(|side| side.cpu_us_per_event, true),
        of(|side| side.cpu_us_per_event, false),
        of(|side| side.events_per_second, true),
        of(|side| side.events_per_second, false),
        of(|side| side.rss_mb, true),
    );
}
