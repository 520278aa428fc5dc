//! Every customer becomes a high risk in the same millisecond while others go on buying: what that costs those,
//! and how long it takes until all changes are out.

use std::time::Duration;

use segstream::domain::time::Timestamp;

use crate::Args;
use crate::kafka;
use crate::load::Load;
use crate::outputs::Latencies;
use crate::outputs::Sorted;
use crate::outputs::now_ms;
use crate::partitions;
use crate::side::Side;
use crate::side::input;

const SILENCE_DAYS: i64 = 10;
const DAY_MS: i64 = 86_400_000;
/// Until the burst: the purchases are sent and folded, and the live ones are measured without it.
const BEFORE: Duration = Duration::from_secs(150);
/// Live purchases in this long before the burst are compared with those during it.
const QUIET_MS: i64 = 40_000;
/// The clock is so far behind the wall clock.
const GRACE_MS: i64 = 1000;
/// Purchases a second meanwhile, of customers who buy once.
const LIVE_RATE: u64 = 2000;
/// The live purchases go on for so long after the burst begins.
const AFTER_MS: i64 = 90_000;

pub fn burst(args: &Args, brokers: &str) {
    let topic = input(brokers, "burst");
    let at_ms = now_ms() + i64::try_from(BEFORE.as_millis()).unwrap();
    let bought_at = Timestamp::from_milliseconds(at_ms - SILENCE_DAYS * DAY_MS).unwrap();
    let customers = u64::from(args.customers);
    let side = Side::new(brokers, "run-burst", &topic, args.commit_ms);
    let latencies = Latencies::watch(brokers, &side.topic("changes"), partitions());
    let settings = [
        "churn.method=silence".to_owned(),
        format!("churn.silence_days={SILENCE_DAYS}"),
        "churn.band_changes=true".to_owned(),
        format!("time.grace={GRACE_MS}ms"),
    ];
    let settings = [settings.as_slice(), &args.set].concat();
    let mut run = side.segstream(&["run"], &settings).spawn().unwrap();
    let everyone = Load::everyone(args.customers).occurred_at(bought_at);
    send(everyone, brokers, &topic, customers, None);
    let live = {
        let (brokers, topic) = (brokers.to_owned(), topic.clone());
        let left_ms = at_ms - now_ms() + AFTER_MS;
        let events = LIVE_RATE * u64::try_from(left_ms / 1000).unwrap();
        std::thread::spawn(move || {
            let load = Load::everyone(10_000_000).of("l");
            send(load, &brokers, &topic, events, Some(LIVE_RATE));
        })
    };
    live.join().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(run.try_wait().unwrap().is_none(), "it still runs");
    kafka::send_signal(run.id(), "TERM");
    run.wait().unwrap();
    print_latencies(&latencies.moments(), at_ms, customers);
    side.forget();
}

fn send(mut load: Load, brokers: &str, topic: &str, events: u64, rate: Option<u64>) {
    load.send(brokers, topic, events, rate);
}

fn print_latencies(moments: &[(i64, i64)], at_ms: i64, customers: u64) {
    let of_burst = moments.iter().filter(|(occurred, seen)| {
        // What is live and happened in that very millisecond is seen before the clock gets there.
        *occurred == at_ms && *seen >= at_ms + GRACE_MS
    });
    let fired = of_burst.clone().count();
    let first_ms = of_burst
        .clone()
        .map(|(_, seen)| *seen)
        .min()
        .unwrap_or(at_ms);
    let last_ms = of_burst.map(|(_, seen)| *seen).max().unwrap_or(at_ms);
    let live =
        |from_ms: i64, to_ms: i64| {
            let live = moments.iter().copied();
            Sorted::of(live.filter(move |(occurred, _)| {
                *occurred != at_ms && (from_ms..to_ms).contains(occurred)
            }))
        };
    let before = live(at_ms - QUIET_MS, at_ms - GRACE_MS);
    let during = live(first_ms, last_ms);
    println!(
        "\n{customers} customers with a deadline in the same millisecond, {LIVE_RATE} live purchases a second"
    );
    println!(
        "  {fired} changes, the first {} ms and the last {} ms after it: {:.0} a second",
        first_ms - at_ms,
        last_ms - at_ms,
        fired as f64 * 1000.0 / (last_ms - first_ms).max(1) as f64
    );
    for (name, latencies) in [("before", &before), ("during", &during)] {
        println!(
            "  live purchase to visible change {name}: p50 {} ms, p99 {} ms, greatest {} ms of {}",
            latencies.at(0.5),
            latencies.at(0.99),
            latencies.at(1.0),
            latencies.count()
        );
    }
    println!(
        "  ratio of p99: {:.2}",
        during.at(0.99) as f64 / before.at(0.99).max(1) as f64
    );
}
