//! Kafka: the distributed log. A worker is one member of the group with its own transactional
//! producer; partitions, group and transactions are the broker's. ARCHITECTURE.md, On Kafka, says
//! why each step is as it is; `errors` is the table of what an error means.

mod admin;
mod changes;
mod client;
mod errors;
mod event_producer;
mod reader;
mod rebalance;
mod transactional_producer;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;

pub use crate::log::kafka::admin::Plan;
pub use crate::log::kafka::admin::create_topics;
pub use crate::log::kafka::admin::topic_problems;
pub use crate::log::kafka::changes::KafkaChanges;
pub use crate::log::kafka::client::Connection;
pub use crate::log::kafka::client::Topics;
pub use crate::log::kafka::event_producer::EventProducer;
pub use crate::log::kafka::worker::KafkaWorker;

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::kafka::reader::TopicReader;
use crate::log::kafka::reader::number;

/// How long a cluster may take to answer when a command starts.
const START_WAIT: Duration = Duration::from_secs(10);

/// Records of the changelog taken at a time.
const CHUNK_RECORDS: usize = 4096;

/// A cluster that was found to hold what the service needs.
#[derive(Clone, Debug)]
pub struct KafkaLog {
    connection: Arc<Connection>,
    partitions: u32,
    identity: Identity,
}

/// What a store made from the changelog depends on.
#[derive(Clone, Debug)]
struct Identity {
    lineage: String,
    /// `delete.retention.ms` of the changelog.
    tombstones_kept: Duration,
}

impl KafkaLog {
    /// Looks at the cluster.
    ///
    /// # Errors
    /// [`Error::Unusable`] if nobody answers or the input topic is not there; topics that are not
    /// as the service needs them are told all at once.
    pub fn open(connection: Connection) -> Result<Self, Error> {
        let client: BaseConsumer = connection
            .metadata_client()
            .create()
            .map_err(|error| connection.unusable(format!("kafka.security is wrong: {error}")))?;
        let found = admin::look(&connection, &client, START_WAIT)?;
        let problems = topic_problems(&connection)?;
        if !problems.is_empty() {
            let all = problems.join("; ");
            return Err(connection.unusable(format!("{all} (see `segstream topics check`)")));
        }
        let topic = &connection.topics.events;
        let partitions = found
            .get(topic)
            .copied()
            .ok_or_else(|| connection.unusable(format!("there is no topic {topic}")))?;
        let cluster = client.client().fetch_cluster_id(START_WAIT);
        let identity = Identity {
            lineage: format!(
                "{}/{}",
                cluster.unwrap_or_default(),
                connection.topics.state
            ),
            tombstones_kept: admin::tombstones_kept(&connection)?,
        };
        Ok(Self {
            connection: Arc::new(connection),
            partitions,
            identity,
        })
    }

    /// Number of partitions of the input and of the changelog.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// A worker's view.
    ///
    /// # Errors
    /// If a client cannot be made.
    pub fn worker(&self, index: usize) -> Result<KafkaWorker, Error> {
        KafkaWorker::new(Arc::clone(&self.connection), self.identity.clone(), index)
    }

    /// End of the input of each partition, open transactions included.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn input_ends(&self) -> Result<Vec<u64>, Error> {
        let failed = |error| self.connection.unusable(format!("no input ends: {error}"));
        let client: BaseConsumer = self.connection.metadata_client().create().map_err(failed)?;
        (0..self.partitions)
            .map(|partition| {
                let topic = &self.connection.topics.events;
                let partition = number(Partition(partition));
                let (_, end) = client
                    .fetch_watermarks(topic, partition, START_WAIT)
                    .map_err(failed)?;
                Ok(u64::try_from(end).unwrap_or(0))
            })
            .collect()
    }

    /// Hands every committed record of the state changelog to `take`, key and value, in offset order
    /// within each partition, up to the ends as of now.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn read_state(&self, mut take: impl FnMut(&[u8], Option<&[u8]>)) -> Result<(), Error> {
        let failed = |error| self.connection.unusable(format!("no changelog: {error}"));
        let metadata_client: BaseConsumer =
            self.connection.metadata_client().create().map_err(failed)?;
        let mut reader =
            TopicReader::new(&self.connection, &self.connection.topics.state).map_err(failed)?;
        for partition in (0..self.partitions).map(Partition) {
            let topic = &self.connection.topics.state;
            let (low, high) = metadata_client
                .fetch_watermarks(topic, number(partition), START_WAIT)
                .map_err(failed)?;
            let end = u64::try_from(high).unwrap_or(0);
            let mut from = u64::try_from(low).unwrap_or(0);
            loop {
                let place = (partition, from);
                let chunk = reader.read_changelog(&self.connection, place, CHUNK_RECORDS, end)?;
                for record in &chunk.records {
                    take(&record.key, record.value.as_deref());
                }
                from = chunk.offset_next;
                if chunk.remaining == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}
