//! A cluster that holds what the service needs.

use std::sync::Arc;

use rdkafka::consumer::Consumer;

use crate::domain::ids::Partition;
use crate::domain::offsets::AppliedOffsets;
use crate::log::Error;
use crate::log::kafka::admin;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client::Identity;
use crate::log::kafka::client::START_WAIT;
use crate::log::kafka::client_lines::asker;
use crate::log::kafka::finding::Level;
use crate::log::kafka::findings::topic_findings;
use crate::log::kafka::metadata::MetadataClient;
use crate::log::kafka::outputs::KafkaOutputs;
use crate::log::kafka::size_limits::SizeLimits;
use crate::log::kafka::state_reader::StateReader;
use crate::log::kafka::worker::KafkaWorker;
use crate::log::outputs::OutputKind;

/// A cluster whose topics are as the service needs them.
#[derive(Clone, Debug)]
pub struct KafkaLog {
    connection: Arc<Connection>,
    partitions: u32,
    identity: Identity,
    size_limits: SizeLimits,
}

impl KafkaLog {
    /// Checks the cluster and its topics.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the cluster does not answer or the topics are not as the service needs them;
    /// the error lists every problem.
    pub fn open(connection: Connection) -> Result<Self, Error> {
        let client = asker(&connection)?;
        let found = admin::existing_topics(&connection, &client)?;
        let (errors, warnings): (Vec<_>, Vec<_>) = topic_findings(&connection)?
            .into_iter()
            .partition(|finding| finding.level == Level::Error);
        if !errors.is_empty() {
            let problems: Vec<String> = errors.into_iter().map(|error| error.problem).collect();
            let all = problems.join("; ");
            return Err(connection.unusable(format!("{all} (see `segstream topics check`)")));
        }
        for warning in warnings {
            tracing::warn!("{}", warning.problem);
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
        let size_limits = SizeLimits::of_outputs(&connection)?;
        Ok(Self {
            size_limits,
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

    /// A reader beside the workers, without the group.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the cluster does not answer or the topic is not there.
    pub fn reader(&self, kind: OutputKind) -> Result<KafkaOutputs, Error> {
        KafkaOutputs::open(Connection::clone(&self.connection), kind)
    }

    /// Every topic takes a record of this size.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        self.size_limits.record_bytes()
    }

    /// A worker's view.
    ///
    /// # Errors
    /// If a client cannot be made.
    pub fn worker(&self, index: usize) -> Result<KafkaWorker, Error> {
        let connection = Arc::clone(&self.connection);
        let facts = (self.identity.clone(), self.size_limits);
        KafkaWorker::new(connection, facts, (index, self.partitions))
    }

    /// The ends of the sources of each partition, open transactions included.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub fn ends(&self) -> Result<Vec<AppliedOffsets>, Error> {
        let failed = |error| self.connection.unusable(format!("no ends: {error}"));
        let metadata_client = MetadataClient::new(&self.connection).map_err(failed)?;
        (0..self.partitions)
            .map(|partition| {
                let mut sources = self.connection.topics.sources();
                sources.try_fold(AppliedOffsets::default(), |ends, (source, topic)| {
                    let (_, end) =
                        metadata_client.watermarks_at_last(topic, Partition(partition))?;
                    Ok(ends.with(source, end))
                })
            })
            .collect()
    }

    /// A reader of the state changelog beside the workers.
    ///
    /// # Errors
    /// If a client cannot be made.
    pub fn state_reader(&self) -> Result<StateReader, Error> {
        StateReader::new(&self.connection)
    }
}
