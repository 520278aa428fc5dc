//! What a side wrote, and how long a purchase took to become a visible change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rdkafka::Message;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Headers;
use segstream::codec::key::StateKey;
use segstream::domain::time::Timestamp;

use crate::kafka;
use crate::samples::Sample;
use crate::samples::Samples;
use crate::workers;

/// Records of a topic, or of several, by event of the input.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub records_per_event: f64,
    /// Keys and values.
    pub bytes_per_record: f64,
    pub headers_bytes_per_record: f64,
    pub samples: Vec<Sample>,
}

impl Stream {
    pub fn bytes_per_event(&self) -> f64 {
        self.records_per_event * (self.bytes_per_record + self.headers_bytes_per_record)
    }
}

/// What a side wrote to one topic.
#[derive(Clone, Debug, Default)]
pub struct TopicBytes {
    pub kind: String,
    pub records_per_event: f64,
    /// Keys, values, headers, and what the format of a record adds: not compressed.
    pub bytes_per_event: f64,
    /// In the broker's files, with the batches' own bytes; `None` where they are not on this machine.
    pub stored_bytes_per_event: Option<f64>,
}

/// What a side wrote.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// To the changelog.
    pub state: Stream,
    /// Changes and latest changes.
    pub others: Stream,
    pub topics: Vec<TopicBytes>,
    /// Customers written in a transaction, about.
    pub customers_per_transaction: f64,
}

/// Sums over a topic.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    records: u64,
    bytes: u64,
    of_headers: u64,
    of_format: u64,
    customers: u64,
    /// Of the partition that has most of them.
    checkpoints_max: u64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
            of_headers: self.of_headers + other.of_headers,
            of_format: self.of_format + other.of_format,
            customers: self.customers + other.customers,
            checkpoints_max: self.checkpoints_max.max(other.checkpoints_max),
        }
    }

    fn stream(self, events: u64, samples: Samples) -> Stream {
        let count = self.records.max(1) as f64;
        Stream {
            records_per_event: self.records as f64 / events as f64,
            bytes_per_record: self.bytes as f64 / count,
            headers_bytes_per_record: self.of_headers as f64 / count,
            samples: samples.drawn,
        }
    }
}

impl Written {
    /// Reads the changelog and the output topics; the changelog comes first.
    pub fn read(brokers: &str, topics: &[String], events: u64) -> Self {
        let mut written = Self::default();
        let mut of_others = (Sums::default(), Samples::default());
        for (place, topic) in topics.iter().enumerate() {
            let mut of_state = Samples::default();
            let samples = if place == 0 {
                &mut of_state
            } else {
                &mut of_others.1
            };
            let sums = sums(brokers, topic, samples);
            let all = sums.bytes + sums.of_headers + sums.of_format;
            written.topics.push(TopicBytes {
                kind: topic.rsplit('.').next().unwrap().to_owned(),
                records_per_event: sums.records as f64 / events as f64,
                bytes_per_event: all as f64 / events as f64,
                stored_bytes_per_event: stored_bytes(topic)
                    .map(|bytes| bytes as f64 / events as f64),
            });
            if place == 0 {
                written.state = sums.stream(events, of_state);
                // A full transaction of a worker has a checkpoint of each of its partitions.
                let transactions = workers() as u64 * sums.checkpoints_max;
                written.customers_per_transaction = sums.customers as f64 / transactions as f64;
            } else {
                of_others.0 = of_others.0.plus(sums);
            }
        }
        written.others = of_others.0.stream(events, of_others.1);
        written
    }

    pub fn bytes_per_event(&self) -> f64 {
        self.state.bytes_per_event() + self.others.bytes_per_event()
    }
}

fn sums(brokers: &str, topic: &str, samples: &mut Samples) -> Sums {
    let mut sums = Sums::default();
    let mut checkpoints = BTreeMap::<i32, u64>::new();
    let (consumer, partitions) = reader(brokers, topic, Offset::Beginning);
    let mut ended = 0;
    while ended < partitions {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                sums = sums.plus(of_record(&message));
                samples.offer(&message);
                match message.key().map(StateKey::decode) {
                    Some(Ok(StateKey::Head(_))) => sums.customers += 1,
                    Some(Ok(StateKey::Checkpoint)) => {
                        *checkpoints.entry(message.partition()).or_default() += 1;
                    }
                    _ => {}
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
    sums.checkpoints_max = checkpoints.into_values().max().unwrap_or(0);
    sums
}

/// Lengths precede what they are lengths of; attributes, time and offset take about five bytes more.
fn of_record(message: &impl Message) -> Sums {
    let (key, value) = (message.key_len(), message.payload_len());
    let mut sums = Sums {
        records: 1,
        bytes: (key + value) as u64,
        of_format: 1 + 5 + length_bytes(key) + length_bytes(value),
        ..Sums::default()
    };
    for header in message.headers().into_iter().flat_map(Headers::iter) {
        let (name, value) = (header.key.len(), header.value.map_or(0, <[u8]>::len));
        sums.of_headers += (name + value) as u64;
        sums.of_format += length_bytes(name) + length_bytes(value);
    }
    let all = sums.bytes + sums.of_headers + sums.of_format;
    sums.of_format += length_bytes(all as usize);
    sums
}

/// Of a number of Kafka's record format: seven bits a byte, one of them for the sign.
fn length_bytes(length: usize) -> u64 {
    let bits = usize::BITS - length.leading_zeros() + 1;
    u64::from(bits.div_ceil(7))
}

/// What the broker of this benchmark holds of a topic on its disk.
fn stored_bytes(topic: &str) -> Option<u64> {
    let partitions = std::fs::read_dir(&kafka::node()?.log_directory).ok()?;
    let folders = partitions
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let place = name
                .strip_prefix(topic)
                .and_then(|rest| rest.strip_prefix('-'));
            place.is_some_and(|place| place.parse::<u32>().is_ok())
        });
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let segments = files
        .map(|file| file.unwrap())
        .filter(|file| file.path().extension().is_some_and(|kind| kind == "log"));
    Some(segments.map(|file| file.metadata().unwrap().len()).sum())
}

fn reader(brokers: &str, topic: &str, from: Offset) -> (BaseConsumer, usize) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench-reader")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "5")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10));
    let metadata = metadata.unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), from)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    (consumer, partitions)
}

trait KeyAndPayload: Message {
    fn key_len(&self) -> usize {
        self.key().map_or(0, <[u8]>::len)
    }
    fn payload_len(&self) -> usize {
        self.payload().map_or(0, <[u8]>::len)
    }
}

impl<M: Message> KeyAndPayload for M {}

/// A CRM system that subscribes to changes, and notes how old each is when it comes.
pub struct Latencies {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(i64, i64)>>,
}

/// Milliseconds, ascending.
pub struct Sorted(Vec<i64>);

impl Latencies {
    pub fn watch(brokers: &str, topic: &str, partitions: u32) -> Self {
        let (consumer, found) = reader(brokers, topic, Offset::Beginning);
        assert!(found <= partitions as usize);
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut latencies = Vec::new();
            while !over.load(Ordering::Relaxed) {
                match consumer.poll(Duration::from_millis(100)) {
                    Some(Ok(message)) => latencies.push(moments_ms(&message)),
                    Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                    Some(Err(error)) => panic!("{error}"),
                }
            }
            latencies
        });
        Self { is_over, thread }
    }

    /// When each change happened and when it was seen, in milliseconds, in the order in which they were seen.
    pub fn moments(self) -> Vec<(i64, i64)> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }

    /// Of purchases at or after an instant: those before it belong to the start.
    pub fn finish(self, since_ms: i64) -> Sorted {
        let moments = self.moments().into_iter();
        Sorted::of(moments.filter(|(bought, _)| *bought >= since_ms))
    }
}

impl Sorted {
    pub fn of(moments: impl Iterator<Item = (i64, i64)>) -> Self {
        let mut latencies: Vec<i64> = moments.map(|(bought, seen)| seen - bought).collect();
        latencies.sort_unstable();
        Self(latencies)
    }

    pub fn at(&self, share: f64) -> i64 {
        let last = self.0.len().saturating_sub(1);
        let place = (last as f64 * share) as usize;
        self.0.get(place).copied().unwrap_or(0)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// The record time of the purchase, which a change is stamped with, and now.
fn moments_ms(message: &impl Message) -> (i64, i64) {
    let headers = message.headers().unwrap();
    let time = headers.iter().find(|header| header.key == "ce_time");
    let text = std::str::from_utf8(time.unwrap().value.unwrap()).unwrap();
    let changed = Timestamp::parse_rfc3339(text).unwrap();
    (changed.as_milliseconds(), now_ms())
}
