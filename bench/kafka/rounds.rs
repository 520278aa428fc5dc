//! Rounds of a load: what each side used, and the medians.

use std::process::Child;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use crate::Args;
use crate::kafka;
use crate::load::Load;
use crate::measure::Usage;
use crate::outputs;
use crate::outputs::Latencies;
use crate::outputs::Written;
use crate::partitions;
use crate::side;
use crate::side::Side;

/// A paced load is measured after this long: both sides have started and have caught up with it.
const WARM_UP: Duration = Duration::from_secs(15);

/// One side of one round.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    cpu_us_per_event: f64,
    broker_cpu_us_per_event: Option<f64>,
    events_per_second: f64,
    rss_mb: f64,
    disk_bytes_per_event: f64,
}

/// A load, and the settings of `run` for it.
pub struct Case {
    pub name: &'static str,
    pub events: u64,
    pub load: fn(&Args, u64) -> Load,
    pub settings: Vec<String>,
}

/// All events are in the broker before either side starts.
pub fn to_end(case: &Case, args: &Args, brokers: &str) {
    let (name, events) = (case.name, case.events);
    let topic = side::input(brokers, name);
    let bytes = (case.load)(args, events).send(brokers, &topic, events, None);
    println!(
        "\n{name}, as fast as it goes: {events} events of {} bytes on average, all in the broker before",
        bytes / events
    );
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        let side = Side::new(
            brokers,
            &format!("run-{name}-{round}"),
            &topic,
            args.commit_ms,
        );
        let command = side.segstream(&["run", "--until-caught-up"], &case.settings);
        let run = until_end(command, events);
        let by_run = side.written(events);
        side.forget();
        let side = Side::new(
            brokers,
            &format!("pipe-{name}-{round}"),
            &topic,
            args.commit_ms,
        );
        let pipe = until_end(side.pipe(&by_run, Some(events)), events);
        let by_pipe = side.written(events);
        side.forget();
        print_round(round, &run, &pipe, &by_run, &by_pipe);
        rounds.push((run, pipe));
    }
    side::forget(brokers, &topic);
    print_medians(&rounds);
}

/// The peak memory of `run` over a whole topic, in megabytes.
pub fn peak_rss_mb(command: Command, events: u64) -> f64 {
    until_end(command, events).rss_mb
}

fn until_end(mut command: Command, events: u64) -> Figures {
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let usage = Usage::until_end(&mut child);
    figures(&usage, events, started.elapsed().as_secs_f64())
}

fn figures(usage: &Usage, events: u64, seconds: f64) -> Figures {
    let us_per_event = |seconds: f64| seconds * 1e6 / events as f64;
    Figures {
        cpu_us_per_event: us_per_event(usage.cpu_seconds),
        broker_cpu_us_per_event: usage.broker_cpu_seconds.map(us_per_event),
        events_per_second: events as f64 / seconds,
        rss_mb: usage.rss_bytes_max as f64 / 1e6,
        disk_bytes_per_event: usage.disk_bytes as f64 / events as f64,
    }
}

/// The events come at a rate.
pub fn paced(case: &Case, args: &Args, brokers: &str) {
    let name = case.name;
    println!(
        "\n{name}, {} events a second for {} s",
        args.rate, args.seconds
    );
    let all = args.rate * (args.seconds + WARM_UP.as_secs());
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        let topic = side::input(brokers, &format!("{name}-run-{round}"));
        let side = Side::new(
            brokers,
            &format!("run-{name}-{round}"),
            &topic,
            args.commit_ms,
        );
        let latencies = Latencies::watch(brokers, &side.topic("changes"), partitions());
        let command = side.segstream(&["run"], &case.settings);
        let (run, since_ms) = at_pace(command, (case.load)(args, all), args, &topic);
        let latencies = latencies.finish(since_ms);
        let by_run = side.written(all);
        side.forget();
        side::forget(brokers, &topic);
        let topic = side::input(brokers, &format!("{name}-pipe-{round}"));
        let side = Side::new(
            brokers,
            &format!("pipe-{name}-{round}"),
            &topic,
            args.commit_ms,
        );
        let (pipe, _) = at_pace(
            side.pipe(&by_run, None),
            (case.load)(args, all),
            args,
            &topic,
        );
        let by_pipe = side.written(all);
        side.forget();
        side::forget(brokers, &topic);
        print_round(round, &run, &pipe, &by_run, &by_pipe);
        println!(
            "  purchase to visible change: p50 {} ms, p99 {} ms, greatest {} ms of {} changes",
            latencies.at(0.5),
            latencies.at(0.99),
            latencies.at(1.0),
            latencies.count()
        );
        rounds.push((run, pipe));
    }
    println!("  ({} events measured a side)", args.rate * args.seconds);
    print_medians(&rounds);
}

/// Measures a side between two moments of a load that goes on, and what it writes to disk until it has stopped; also
/// the first of the moments, in milliseconds.
fn at_pace(mut command: Command, mut load: Load, args: &Args, topic: &str) -> (Figures, i64) {
    let mut child = command.spawn().unwrap();
    let brokers = kafka::brokers().to_owned();
    let topic = topic.to_owned();
    let (rate, seconds) = (args.rate, args.seconds + WARM_UP.as_secs());
    let feed = std::thread::spawn(move || {
        load.send(&brokers, &topic, rate * seconds, Some(rate));
    });
    std::thread::sleep(WARM_UP);
    let since_ms = outputs::now_ms();
    let stop = |child: &mut Child| {
        feed.join().unwrap();
        std::thread::sleep(Duration::from_secs(2));
        kafka::send_signal(child.id(), "TERM");
    };
    let usage = Usage::during(&mut child, Duration::from_secs(args.seconds), stop);
    let measured = figures(&usage, args.rate * args.seconds, args.seconds as f64);
    (measured, since_ms)
}

fn print_round(round: usize, run: &Figures, pipe: &Figures, by_run: &Written, by_pipe: &Written) {
    println!("round {}", round + 1);
    for (name, side, written) in [("run ", run, by_run), ("pipe", pipe, by_pipe)] {
        println!(
            "  {name}  CPU {:6.2} us/event  broker {:6.2} us/event  {:8.0} events/s  peak RSS {:4.0} MB  to disk {:5.0} \
             bytes/event  sent {:.2} state records and {:.3} others an event, {:.0} bytes",
            side.cpu_us_per_event,
            side.broker_cpu_us_per_event.unwrap_or(f64::NAN),
            side.events_per_second,
            side.rss_mb,
            side.disk_bytes_per_event,
            written.state.records_per_event,
            written.others.records_per_event,
            written.bytes_per_event()
        );
    }
    println!(
        "  ratio {:.2}, {:.0} customers a transaction",
        run.cpu_us_per_event / pipe.cpu_us_per_event,
        by_run.customers_per_transaction
    );
    for topic in &by_run.topics {
        println!(
            "  {:7}  {:.3} records an event, {:5.0} bytes an event, {:5.0} on the broker's disk",
            topic.kind,
            topic.records_per_event,
            topic.bytes_per_event,
            topic.stored_bytes_per_event.unwrap_or(f64::NAN)
        );
    }
}

fn print_medians(rounds: &[(Figures, Figures)]) {
    let median = |values: &mut dyn Iterator<Item = f64>| {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let of_run =
        |figure: fn(&Figures) -> f64| median(&mut rounds.iter().map(|(run, _)| figure(run)));
    let of_pipe =
        |figure: fn(&Figures) -> f64| median(&mut rounds.iter().map(|(_, pipe)| figure(pipe)));
    let ratios = rounds
        .iter()
        .map(|(run, pipe)| run.cpu_us_per_event / pipe.cpu_us_per_event);
    println!(
        "median: run {:.2} us/event, pipe {:.2} us/event, ratio {:.2}; broker {:.2} us/event; run {:.0} events/s, pipe {:.0} \
         events/s; peak RSS of run {:.0} MB; to disk {:.0} bytes/event",
        of_run(|side| side.cpu_us_per_event),
        of_pipe(|side| side.cpu_us_per_event),
        median(&mut ratios.into_iter()),
        of_run(|side| side.broker_cpu_us_per_event.unwrap_or(f64::NAN)),
        of_run(|side| side.events_per_second),
        of_pipe(|side| side.events_per_second),
        of_run(|side| side.rss_mb),
        of_run(|side| side.disk_bytes_per_event),
    );
}
