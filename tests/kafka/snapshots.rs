//! The changelog is read while workers write it.

use std::sync::mpsc;

use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use segstream::domain::ids::Partition;

use crate::PATIENCE;
use crate::support::cluster::Cluster;
use crate::support::contract::Subject;
use crate::support::kafka;

struct Writer {
    producer: BaseProducer,
    topic: String,
}

impl Writer {
    fn begin(cluster: &Cluster, id: &str) -> Self {
        let topic = cluster.state_topic().to_owned();
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka::brokers())
            .set("transactional.id", format!("{topic}-{id}"))
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        Self { producer, topic }
    }

    fn write(&self, key: &str) {
        let record: BaseRecord<'_, str, str> = BaseRecord::to(&self.topic)
            .partition(0)
            .key(key)
            .payload("value");
        let sent = self.producer.send(record);
        sent.map_err(|(error, _)| error).unwrap();
        self.producer.flush(PATIENCE).unwrap();
    }

    fn commit(&self) {
        self.producer.commit_transaction(PATIENCE).unwrap();
    }
}

/// The reading begins in the middle of a transaction, and a third one is open when it ends.
pub fn whole_transactions() {
    let cluster = Cluster::new();
    let [first, second, third] = ["first", "second", "third"].map(|id| Writer::begin(&cluster, id));
    first.write("before");
    first.commit();
    second.write("part");
    let mut reader = cluster.log().state_reader().unwrap();
    let (sender, read) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        let take = |key: &[u8], _: Option<&[u8]>| {
            sender
                .send(String::from_utf8(key.to_vec()).unwrap())
                .unwrap();
        };
        reader.read_on(Partition(0), 0, take).unwrap()
    });
    // The ends were asked for before the first record came.
    assert_eq!(read.recv_timeout(PATIENCE).unwrap(), "before");
    second.write("head");
    third.write("open");
    second.commit();
    let rest: Vec<String> = read.iter().collect();
    assert_eq!(rest, ["part", "head"]);
    // 0 to 3 are a record, the end of its transaction, and two records.
    assert_eq!(reading.join().unwrap(), 4);
    third.commit();
    let mut reader = cluster.log().state_reader().unwrap();
    let mut rest = Vec::new();
    let next = reader.read_on(Partition(0), 4, |key, _| rest.push(key.to_vec()));
    assert_eq!(rest, [b"open"]);
    // "open", and the ends of two transactions.
    assert_eq!(next.unwrap(), 7);
}
