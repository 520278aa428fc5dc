//! The bare pipe: the same clients with the same settings, and nothing between them. It writes as many
//! records and bytes as `run` did, in transactions that end by the same rule.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::message::Header;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::producer::Producer;
use rdkafka::producer::ThreadedProducer;
use segstream::domain::topic::TopicNames;
use segstream::log::kafka::Connection;
use serde::Deserialize;
use serde::Serialize;

use crate::outputs::Stream;
use crate::samples::Sample;

/// The environment variable that makes this process the pipe.
pub const PLAN: &str = "BENCH_PIPE_PLAN";
const COMMIT_RECORDS: u64 = 10_000;
const WAIT: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    pub brokers: String,
    pub group: String,
    pub input: String,
    pub state: String,
    pub changes: String,
    pub workers: usize,
    pub partitions: u32,
    pub commit_interval_ms: u64,
    /// The file with what it writes to the changelog and to the other topics.
    pub records: PathBuf,
    /// Ends after so many; without, when it is stopped.
    pub events: Option<u64>,
}

pub fn run(plan: &Plan) {
    let taken = AtomicU64::new(0);
    let taken = &taken;
    std::thread::scope(|scope| {
        for worker in 0..plan.workers {
            scope.spawn(move || work(plan, worker, taken));
        }
    });
}

/// What it writes to a stream: these records one after the other, so many for each event.
#[derive(Debug, Serialize, Deserialize)]
pub struct Writes {
    records_per_event: f64,
    samples: Vec<Sample>,
}

impl Writes {
    pub fn of(stream: &Stream) -> Self {
        Self {
            records_per_event: stream.records_per_event,
            samples: stream.samples.clone(),
        }
    }
}

/// Whole records of a stream that are due after so many events.
struct Due {
    records_per_event: f64,
    records: Vec<(Sample, Option<OwnedHeaders>)>,
    sent: u64,
}

impl Due {
    fn new(writes: Writes) -> Self {
        let with_headers = |sample: Sample| {
            let room = OwnedHeaders::new_with_capacity(sample.headers.len());
            let headers = sample.headers.iter().fold(room, |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: value.as_deref(),
                })
            });
            let has_headers = !sample.headers.is_empty();
            (sample, has_headers.then_some(headers))
        };
        Self {
            records_per_event: writes.records_per_event,
            records: writes.samples.into_iter().map(with_headers).collect(),
            sent: 0,
        }
    }

    fn send(&mut self, topic: &str, events: u64, partition: Option<i32>, producer: &Writer) {
        let due = (self.records_per_event * events as f64) as u64;
        while self.sent < due {
            let place = self.sent as usize % self.records.len();
            let (sample, headers) = &self.records[place];
            self.sent += 1;
            let record = BaseRecord {
                topic,
                partition,
                payload: sample.value.as_deref(),
                key: sample.key.as_deref(),
                timestamp: None,
                headers: headers.clone(),
                delivery_opaque: (),
            };
            let record: BaseRecord<'_, [u8], [u8]> = record;
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
    }
}

type Writer = ThreadedProducer<DefaultProducerContext>;

fn create<T: rdkafka::config::FromClientConfig>(mut config: ClientConfig, from_start: bool) -> T {
    if from_start {
        config.set("auto.offset.reset", "earliest");
    }
    config.create().unwrap()
}

fn work(plan: &Plan, worker: usize, taken_by_all: &AtomicU64) {
    let topic = || plan.changes.clone();
    let connection = Connection {
        brokers: plan.brokers.clone(),
        group_id: plan.group.clone(),
        instance_id: "pipe".to_owned(),
        session_timeout: Duration::from_secs(45),
        transaction_timeout: Duration::from_secs(15),
        // As `run` has it by default.
        compression: "lz4",
        topics: TopicNames {
            events: plan.input.clone(),
            transfers: None,
            changes: topic(),
            current: topic(),
            state: plan.state.clone(),
            dead_letters: topic(),
        },
        security: BTreeMap::new(),
        is_event_clock: false,
    };
    let consumer: BaseConsumer = create(connection.member(worker), true);
    let producer: Writer = create(connection.transactional(worker), false);
    producer.init_transactions(WAIT).unwrap();
    consumer.subscribe(&[&plan.input]).unwrap();
    let records = std::fs::read(&plan.records).unwrap();
    let [state, changes]: [Writes; 2] = postcard::from_bytes(&records).unwrap();
    let (mut state, mut changes) = (Due::new(state), Due::new(changes));
    let interval = Duration::from_millis(plan.commit_interval_ms);
    let mut events = 0;
    loop {
        let mut taken = 0;
        let mut read: BTreeMap<i32, Range<i64>> = BTreeMap::new();
        let mut started: Option<Instant> = None;
        while taken < COMMIT_RECORDS {
            let left = started.map_or(interval, |started| {
                interval.saturating_sub(started.elapsed())
            });
            if left.is_zero() {
                break;
            }
            match consumer.poll(left) {
                Some(message) => {
                    let message = message.unwrap();
                    if started.is_none() {
                        started = Some(Instant::now());
                        producer.begin_transaction().unwrap();
                    }
                    taken += 1;
                    events += 1;
                    let offset = message.offset();
                    read.entry(message.partition())
                        .or_insert(offset..offset)
                        .end = offset + 1;
                    state.send(&plan.state, events, Some(message.partition()), &producer);
                    changes.send(&plan.changes, events, None, &producer);
                }
                None if started.is_none() => break,
                None => {}
            }
        }
        if started.is_none() {
            let all = taken_by_all.load(Ordering::Relaxed);
            if plan.events.is_some_and(|events| all >= events) {
                return;
            }
            continue;
        }
        if commit(&plan.input, &read, &consumer, &producer) {
            taken_by_all.fetch_add(taken, Ordering::Relaxed);
        }
    }
}

/// Whether what was read is committed; if not, it is read again.
fn commit(
    input: &str,
    read: &BTreeMap<i32, Range<i64>>,
    consumer: &BaseConsumer,
    producer: &Writer,
) -> bool {
    while producer.in_flight_count() > 0 {
        std::thread::sleep(Duration::from_micros(300));
    }
    let mut offsets = TopicPartitionList::new();
    for (partition, range) in read {
        offsets
            .add_partition_offset(input, *partition, Offset::Offset(range.end))
            .unwrap();
    }
    let group = consumer.group_metadata().unwrap();
    let sent = producer.send_offsets_to_transaction(&offsets, &group, WAIT);
    let Err(error) = sent else {
        producer.commit_transaction(WAIT).unwrap();
        return true;
    };
    // The group has a new generation: what is still assigned is read again from where the transaction began, and what is
    // not goes on from the committed offset.
    eprintln!("  pipe: a transaction is aborted: {error}");
    producer.abort_transaction(WAIT).unwrap();
    let assigned = consumer.assignment().unwrap();
    let kept = read
        .iter()
        .filter(|(partition, _)| assigned.find_partition(input, **partition).is_some());
    for (partition, range) in kept {
        let from = Offset::Offset(range.start);
        consumer
            .seek(input, *partition, from, WAIT)
            .unwrap_or_else(|error| eprintln!("  pipe: no longer assigned: {error}"));
    }
    false
}
