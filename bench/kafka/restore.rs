//! A store of many customers that was wiped, stopped or killed: how long until events are processed again, beside
//! plainly consuming the same changelog.

use std::time::Duration;
use std::time::Instant;

use rdkafka::ClientConfig;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;

use crate::Args;
use crate::kafka;
use crate::load::Load;
use crate::measure::Usage;
use crate::partitions;
use crate::side::Side;
use crate::side::input;

/// Events after each start, so that something is processed.
const NEW_EVENTS: u64 = 1000;
/// Events a second before a kill.
const LIVE_RATE: u64 = 10_000;
/// The instance runs for so long before it is killed.
const LIVE: Duration = Duration::from_secs(20);

pub fn restore(args: &Args, brokers: &str) {
    let topic = input(brokers, "restore");
    let side = Side::new(brokers, "run-restore", &topic, args.commit_ms);
    let mut load = Load::everyone(args.customers);
    // Every customer twice.
    load.send(brokers, &topic, 2 * u64::from(args.customers), None);
    let filled = until_caught_up(&side, args);
    println!(
        "\nrestore of {} customers with two orders each; filled in {:.1} s",
        args.customers, filled.0
    );
    for round in 0..args.rounds {
        let (seconds, records, bytes) = consume(brokers, &side.topic("state"));
        println!("round {}", round + 1);
        println!(
            "  plain consumption of the changelog: {seconds:.1} s, {records} records, {:.0} MB",
            bytes as f64 / 1e6
        );
        load.send(brokers, &topic, NEW_EVENTS, None);
        let stopped = until_caught_up(&side, args);
        print("after a clean stop", &stopped, None);
        wipe(&side);
        load.send(brokers, &topic, NEW_EVENTS, None);
        print("wiped", &until_caught_up(&side, args), Some(seconds));
        kill(&side, args, || {
            let events = LIVE.as_secs() * LIVE_RATE;
            load.send(brokers, &topic, events, Some(LIVE_RATE));
        });
        load.send(brokers, &topic, NEW_EVENTS, None);
        print("killed under load", &until_caught_up(&side, args), None);
    }
    side.forget();
}

/// From the start of the process until the events that wait are committed and the process has ended.
fn until_caught_up(side: &Side, args: &Args) -> (f64, Usage) {
    let started = Instant::now();
    let command = &mut side.segstream(&["run", "--until-caught-up"], &args.set);
    let usage = Usage::until_end(&mut command.spawn().unwrap());
    (started.elapsed().as_secs_f64(), usage)
}

fn print(what: &str, (seconds, usage): &(f64, Usage), plain_seconds: Option<f64>) {
    let ratio = plain_seconds.map_or_else(String::new, |plain| {
        format!(", {:.2} times plain consumption", seconds / plain)
    });
    println!(
        "  {what}: {seconds:.1} s until it had processed {NEW_EVENTS} events and ended{ratio}; {:.1} s of CPU, peak RSS {:.0} MB",
        usage.cpu_seconds,
        usage.rss_bytes_max as f64 / 1e6
    );
}

fn wipe(side: &Side) {
    for entry in std::fs::read_dir(side.root()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
}

fn kill(side: &Side, args: &Args, live: impl FnOnce()) {
    let mut run = side.segstream(&["run"], &args.set).spawn().unwrap();
    live();
    kafka::send_signal(run.id(), "KILL");
    run.wait().unwrap();
}

/// Seconds, records and bytes of a topic, read committed from its beginning to its end.
fn consume(brokers: &str, topic: &str) -> (f64, u64, u64) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench-reader")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions() {
        let partition = i32::try_from(partition).unwrap();
        all.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    let started = Instant::now();
    consumer.assign(&all).unwrap();
    let (mut left, mut records, mut bytes) = (partitions(), 0, 0);
    while left > 0 {
        match consumer.poll(Duration::from_secs(10)) {
            Some(Ok(message)) => {
                records += 1;
                bytes += message.key_len() as u64 + message.payload_len() as u64;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => left -= 1,
            Some(Err(error)) => panic!("{error}"),
            None => panic!("nothing came for ten seconds"),
        }
    }
    (started.elapsed().as_secs_f64(), records, bytes)
}
