//! Topics of a test's own on the shared Kafka, held to the contract of every log.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rdkafka::Message;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::message::Header;
use rdkafka::message::Headers;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::time::Timestamp;
use segstream::domain::topic::TopicNames;
use segstream::log::OutputRecord;
use segstream::log::embedded::InputRecord;
use segstream::log::kafka::Connection;
use segstream::log::kafka::KafkaLog;
use segstream::log::kafka::KafkaOutputs;
use segstream::log::kafka::KafkaWorker;
use segstream::log::kafka::Plan;
use segstream::log::kafka::create_topics;
use segstream::log::outputs::OutputKind;

use crate::support::contract::PARTITIONS;
use crate::support::contract::Subject;
use crate::support::kafka;

const PATIENCE: Duration = Duration::from_secs(60);

/// A log on the cluster.
pub struct Cluster {
    connection: Connection,
    log: KafkaLog,
}

impl Cluster {
    /// The log.
    pub fn log(&self) -> &KafkaLog {
        &self.log
    }

    /// The topic of the changelog.
    pub fn state_topic(&self) -> &str {
        &self.connection.topics.state
    }

    /// Writes a record to a changelog, as another worker may.
    pub fn write_to_changelog(&self, partition: Partition) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka::brokers())
            .create()
            .unwrap();
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.connection.topics.state)
            .partition(i32::try_from(partition.0).unwrap())
            .key(b"another".as_slice())
            .payload(b"writer".as_slice());
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }
}

/// The committed records of a topic, in offset order within each partition.
pub fn committed(topic: &str, partitions: u32) -> Vec<OutputRecord> {
    let all = committed_by_partition(topic, partitions);
    all.into_iter().map(|(_, record)| record).collect()
}

/// The same, each with its partition.
pub fn committed_by_partition(topic: &str, partitions: u32) -> Vec<(usize, OutputRecord)> {
    committed_on(kafka::brokers(), topic, partitions)
}

/// The same of another cluster.
pub fn committed_on(brokers: &str, topic: &str, partitions: u32) -> Vec<(usize, OutputRecord)> {
    let take = |message: &BorrowedMessage<'_>| {
        let partition = usize::try_from(message.partition()).unwrap();
        (partition, output_record(message))
    };
    read_committed(brokers, topic, partitions, take)
}

/// The events of a topic, each with its place.
pub fn events_on(brokers: &str, topic: &str, partitions: u32) -> Vec<(Position, InputRecord)> {
    read_committed(brokers, topic, partitions, |message| {
        let position = Position {
            source: Source::Events,
            partition: Partition(u32::try_from(message.partition()).unwrap()),
            offset: u64::try_from(message.offset()).unwrap(),
        };
        let record = InputRecord {
            timestamp: message
                .timestamp()
                .to_millis()
                .and_then(Timestamp::from_milliseconds),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: headers(message),
        };
        (position, record)
    })
}

/// What is taken of each committed record of a topic, in offset order within each partition.
fn read_committed<T>(
    brokers: &str,
    topic: &str,
    partitions: u32,
    take: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Vec<T> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "reader-of-tests")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions).unwrap() {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    // A partition may reach its end again after an error that the client mends.
    let mut ended = BTreeSet::new();
    let mut taken = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while ended.len() < list.count() {
        assert!(Instant::now() < deadline, "{topic} has no end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => taken.push(take(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
            }
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
    taken
}

/// Name and value of each header of a message.
fn headers(message: &impl Message) -> Vec<segstream::log::Header> {
    let all = message.headers().into_iter().flat_map(|headers| {
        headers.iter().map(|header| {
            (
                header.key.to_owned().into(),
                header.value.map(<[u8]>::to_vec),
            )
        })
    });
    all.collect()
}

fn output_record(message: &impl Message) -> OutputRecord {
    let timestamp = message.timestamp().to_millis().unwrap();
    OutputRecord {
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers(message),
        timestamp: Timestamp::from_milliseconds(timestamp).unwrap(),
    }
}

fn send(topic: &str, records: &[InputRecord]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        // Java's; what the embedded log has is compared with it.
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    for record in records {
        let mut to_send: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
            .timestamp(record.timestamp.map_or(-1, Timestamp::as_milliseconds));
        to_send.key = record.key.as_deref();
        to_send.payload = record.payload.as_deref();
        if !record.headers.is_empty() {
            let headers = record.headers.iter();
            let headers = headers.fold(OwnedHeaders::new(), |headers, (key, value)| {
                let value = value.as_deref();
                headers.insert(Header { key, value })
            });
            to_send = to_send.headers(headers);
        }
        producer.send(to_send).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

impl Subject for Cluster {
    type Worker = KafkaWorker;
    type Reader = KafkaOutputs;

    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("contract-{}-{number}", std::process::id());
        let topic = |kind: &str| format!("{name}.{kind}");
        let connection = Connection {
            brokers: kafka::brokers().to_owned(),
            group_id: name.clone(),
            instance_id: "a".to_owned(),
            session_timeout: Duration::from_secs(6),
            transaction_timeout: Duration::from_secs(10),
            compression: "lz4",
            topics: TopicNames {
                events: topic("events"),
                transfers: Some(topic("transfers")),
                changes: topic("changes"),
                current: topic("current"),
                state: topic("state"),
                dead_letters: topic("letters"),
            },
            security: BTreeMap::new(),
            is_event_clock: false,
        };
        let plan = Plan {
            partitions: PARTITIONS,
            replication_factor: -1,
        };
        create_topics(&connection, plan).unwrap();
        let log = KafkaLog::open(connection.clone()).unwrap();
        Self { connection, log }
    }

    fn append(&self, records: Vec<InputRecord>) {
        send(&self.connection.topics.events, &records);
    }

    fn append_transfers(&self, records: Vec<InputRecord>) {
        send(self.connection.topics.transfers.as_ref().unwrap(), &records);
    }

    fn worker(&self, index: usize, _workers: usize) -> KafkaWorker {
        self.log.worker(index).unwrap()
    }

    fn input_ends(&self) -> Vec<u64> {
        let ends = self.log.ends().unwrap().into_iter();
        ends.map(|ends| ends.next(Source::Events)).collect()
    }

    fn reader(&self, kind: OutputKind) -> KafkaOutputs {
        self.log.reader(kind).unwrap()
    }

    fn changes(&self) -> Vec<OutputRecord> {
        let mut changes = committed_by_partition(&self.connection.topics.changes, PARTITIONS);
        changes.sort_by_key(|(partition, _)| *partition);
        changes.into_iter().map(|(_, record)| record).collect()
    }

    fn dead_letters(&self) -> Vec<OutputRecord> {
        committed(&self.connection.topics.dead_letters, PARTITIONS)
    }

    fn reopened(self) -> Self {
        let log = KafkaLog::open(self.connection.clone()).unwrap();
        Self { log, ..self }
    }
}
