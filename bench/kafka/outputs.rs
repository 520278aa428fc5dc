//! What a side wrote, and how long a purchase took to become a visible change.

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
use segstream::domain::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;

/// Records of a kind, by event of the input.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Stream {
    pub records_per_event: f64,
    pub bytes_per_record: f64,
    pub headers_bytes_per_record: f64,
}

/// What a side wrote.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Written {
    /// To the changelog.
    pub state: Stream,
    /// Changes and latest changes.
    pub others: Stream,
}

impl Written {
    pub fn read(brokers: &str, state: &str, others: &[String], events: u64) -> Self {
        Self {
            state: Stream::read(brokers, &[state.to_owned()], events),
            others: Stream::read(brokers, others, events),
        }
    }

    pub fn bytes_per_event(&self) -> f64 {
        [&self.state, &self.others]
            .iter()
            .map(|stream| {
                let bytes = stream.bytes_per_record + stream.headers_bytes_per_record;
                stream.records_per_event * bytes
            })
            .sum()
    }
}

impl Stream {
    fn read(brokers: &str, topics: &[String], events: u64) -> Self {
        let (mut records, mut bytes, mut of_headers) = (0_u64, 0, 0);
        for topic in topics {
            let (consumer, partitions) = reader(brokers, topic, Offset::Beginning);
            let mut ended = 0;
            while ended < partitions {
                match consumer.poll(Duration::from_millis(100)) {
                    Some(Ok(message)) => {
                        records += 1;
                        bytes += message.key_len() + message.payload_len();
                        of_headers += message.headers().map_or(0, |headers| {
                            let each = headers.iter();
                            each.map(|header| {
                                header.key.len() + header.value.map_or(0, <[u8]>::len)
                            })
                            .sum::<usize>()
                        });
                    }
                    Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                    Some(Err(error)) => panic!("{error}"),
                    None => {}
                }
            }
        }
        let count = records.max(1) as f64;
        Self {
            records_per_event: records as f64 / events as f64,
            bytes_per_record: bytes as f64 / count,
            headers_bytes_per_record: of_headers as f64 / count,
        }
    }
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
