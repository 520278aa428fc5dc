//! Asks the cluster for the real ends of partitions, open transactions included.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rdkafka::ClientConfig;
use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaRespErr;

use crate::domain::ids::Partition;
use crate::log::Error;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client::START_WAIT;
use crate::log::kafka::client_lines::Asker;
use crate::log::kafka::client_lines::Reasons;
use crate::log::kafka::places::is_passing;
use crate::log::kafka::places::list;
use crate::log::kafka::places::number;
use crate::log::kafka::places::offsets_of;
use crate::log::kafka::vacancy::GroupAssignment;
use crate::log::kafka::vacancy::partitions_of;

/// A question that is not answered in time is asked again later.
pub(super) const ASK_WAIT: Duration = Duration::from_millis(500);

/// The state of a group whose members have their assignments.
const STABLE: &str = "Stable";

/// Before such a question is asked again at once.
const ASK_RETRY: Duration = Duration::from_millis(50);

pub(super) struct MetadataClient {
    connection: Arc<Connection>,
    client: Asker,
}

impl std::fmt::Debug for MetadataClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("MetadataClient")
            .finish_non_exhaustive()
    }
}

impl MetadataClient {
    pub(super) fn new(connection: &Arc<Connection>) -> KafkaResult<Self> {
        Self::with(connection, &connection.metadata_client())
    }

    /// The same, where the end of a partition is the place of its first open transaction.
    pub(super) fn of_stable_ends(connection: &Arc<Connection>) -> KafkaResult<Self> {
        Self::with(connection, &connection.reader())
    }

    fn with(connection: &Arc<Connection>, config: &ClientConfig) -> KafkaResult<Self> {
        Ok(Self {
            connection: Arc::clone(connection),
            client: config.create_with_context(Reasons::default())?,
        })
    }

    /// How many partitions a topic has; 0 if there is no such topic.
    pub(super) fn partitions(&self, topic: &str) -> KafkaResult<u32> {
        let metadata = self.client.fetch_metadata(Some(topic), START_WAIT)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let count = found.map_or(0, |found| found.partitions().len());
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The topics of the service that the cluster does not show; `None` if it does not answer now.
    pub(super) fn missing_topics(&self) -> Option<Vec<String>> {
        let metadata = self.client.fetch_metadata(None, ASK_WAIT).ok()?;
        let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        let found = metadata.topics().iter();
        let found = found.filter(|topic| topic.error() != Some(unknown));
        let found: BTreeSet<&str> = found.map(|topic| topic.name()).collect();
        let topics = self.connection.topics.each();
        let missing = topics.filter(|(_, name)| !found.contains(name));
        Some(missing.map(|(_, name)| name.to_owned()).collect())
    }

    /// What the broker says of the group that a worker is a member of.
    pub(super) fn group_assignment(&self) -> GroupAssignment {
        match self.assignments() {
            Some(members) => {
                let all = members.into_iter().flat_map(|(_, partitions)| partitions);
                GroupAssignment::Stable(all.collect())
            }
            None => GroupAssignment::Changing,
        }
    }

    /// The partitions that members of other instances have; `None` while the group changes or has no member of this
    /// instance, or if nothing can be said. Before this instance has joined, others may have partitions that it gets.
    pub(super) fn partitions_of_others(&self) -> Option<BTreeSet<Partition>> {
        let own = self.connection.client_id();
        let members = self.assignments()?;
        members.iter().find(|(client_id, _)| *client_id == own)?;
        let others = members.into_iter().filter(|(id, _)| *id != own);
        Some(others.flat_map(|(_, partitions)| partitions).collect())
    }

    /// The client id and the partitions of each member of the stable group; `None` while it changes, or if nothing can be
    /// said.
    fn assignments(&self) -> Option<Vec<(String, BTreeSet<Partition>)>> {
        let (group, topic) = (&self.connection.group_id, &self.connection.topics.events);
        let asked = self.client.client().fetch_group_list(Some(group), ASK_WAIT);
        let list = match asked {
            Ok(list) => list,
            Err(error) => {
                if !is_passing(&error) {
                    tracing::warn!(%error, "cannot ask for the assignments of the group");
                }
                return None;
            }
        };
        let found = list.groups().iter().find(|found| found.name() == group);
        let members = found.filter(|found| found.state() == STABLE)?.members();
        let members = members.iter().map(|member| {
            let bytes = member.assignment().unwrap_or_default();
            let partitions = partitions_of(bytes, topic)?;
            Some((member.client_id().to_owned(), partitions))
        });
        members.collect()
    }

    /// First offset and end of a partition, for a caller that does not ask again: the cluster has as long to answer as
    /// when a command starts.
    pub(super) fn watermarks_at_last(
        &self,
        topic: &str,
        partition: Partition,
    ) -> Result<(u64, u64), Error> {
        let deadline = Instant::now() + START_WAIT;
        loop {
            if let Some(watermarks) = self.watermarks(topic, partition)? {
                return Ok(watermarks);
            }
            if Instant::now() >= deadline {
                let what = format!("the ends of partition {partition} of {topic}");
                let problem = format!("the cluster does not answer when asked for {what}");
                return Err(self.connection.unusable(problem));
            }
            std::thread::park_timeout(ASK_RETRY);
        }
    }

    /// The ends of partitions of a topic, open transactions included, in one question to each broker; `None` if one of
    /// them does not answer now. Partitions without a known leader are missing.
    pub(super) fn ends(
        &self,
        topic: &str,
        partitions: &[Partition],
    ) -> Result<Option<BTreeMap<Partition, u64>>, Error> {
        let mut list = list(topic, partitions);
        // In place of a timestamp it stands for the end.
        let asked = list
            .set_all_offsets(Offset::End)
            .and_then(|()| self.client.offsets_for_times(list, ASK_WAIT));
        match asked {
            Ok(list) => Ok(Some(offsets_of(&list))),
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => Err(self.no_ends(topic, &error)),
        }
    }

    /// Asks the cluster for the leaders of a topic. The client keeps them for long, also where there is none.
    pub(super) fn refresh(&self, topic: &str) {
        if let Err(error) = self.client.fetch_metadata(Some(topic), ASK_WAIT) {
            tracing::debug!(%error, "cannot ask for the leaders of partitions");
        }
    }

    fn no_ends(&self, topic: &str, error: &KafkaError) -> Error {
        let problem = format!("cannot ask for the ends of {topic}: {error}");
        self.connection.unusable(problem)
    }

    /// First offset and end of a partition, open transactions included; `None` if the cluster does not answer now. Then the
    /// partition may have another leader, which the next question goes to.
    pub(super) fn watermarks(
        &self,
        topic: &str,
        partition: Partition,
    ) -> Result<Option<(u64, u64)>, Error> {
        let asked = self
            .client
            .fetch_watermarks(topic, number(partition), ASK_WAIT);
        match asked {
            Ok((low, high)) => Ok(Some((
                u64::try_from(low).unwrap_or(0),
                u64::try_from(high).unwrap_or(0),
            ))),
            Err(error) if is_passing(&error) => {
                self.refresh(topic);
                Ok(None)
            }
            Err(error) => Err(self.no_ends(topic, &error)),
        }
    }
}
