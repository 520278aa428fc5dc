//! One worker's view of the cluster: a member of the group, a transactional producer, a reader of
//! changelogs, and a client that asks for the real ends of partitions.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use rdkafka::Message;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::log::ChangelogChunk;
use crate::log::Committed;
use crate::log::Delivery;
use crate::log::Error;
use crate::log::PartitionFacts;
use crate::log::PollLimit;
use crate::log::Polled;
use crate::log::Progress;
use crate::log::Transaction;
use crate::log::WorkerLog;
use crate::log::kafka::Identity;
use crate::log::kafka::client::Connection;
use crate::log::kafka::reader::TopicReader;
use crate::log::kafka::reader::is_passing;
use crate::log::kafka::reader::number;
use crate::log::kafka::reader::position_in;
use crate::log::kafka::rebalance::GroupContext;
use crate::log::kafka::rebalance::RebalanceEvent;
use crate::log::kafka::transactional_producer::Failure;
use crate::log::kafka::transactional_producer::TransactionalProducer;

/// A question to the cluster is asked again later rather than waited for.
const ASK_WAIT: Duration = Duration::from_millis(500);
/// A silent partition whose reading has not started yet cannot be placed for a moment.
const PLACE_WAIT: Duration = Duration::from_secs(1);
const PLACE_PATIENCE: Duration = Duration::from_secs(30);
/// A member that does not close within this time is left behind.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// One worker's view.
pub struct KafkaWorker {
    connection: Arc<Connection>,
    identity: Identity,
    index: usize,
    // Dropped in this order: what is open, then the member.
    producer: Option<TransactionalProducer>,
    consumer: Arc<BaseConsumer<GroupContext>>,
    closer: Closer,
    metadata_client: BaseConsumer,
    reader: TopicReader,
    assigned: BTreeSet<Partition>,
    /// Told to the worker, to be given up at the next poll.
    leaving: Vec<Partition>,
    is_restarted: bool,
    fenced_at: Option<Instant>,
    /// Ends of changelogs as of the last [`WorkerLog::facts`].
    changelog_ends: BTreeMap<Partition, u64>,
}

impl std::fmt::Debug for KafkaWorker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("KafkaWorker")
            .field("index", &self.index)
            .field("assigned", &self.assigned)
            .finish_non_exhaustive()
    }
}

impl KafkaWorker {
    pub(super) fn new(
        connection: Arc<Connection>,
        identity: Identity,
        index: usize,
    ) -> Result<Self, Error> {
        let failed = |error: KafkaError| connection.unusable(format!("no client: {error}"));
        let (consumer, closer) = join(&connection, index)?;
        Ok(Self {
            metadata_client: connection.metadata_client().create().map_err(failed)?,
            reader: TopicReader::new(&connection, &connection.topics.state).map_err(failed)?,
            producer: None,
            consumer,
            closer,
            connection,
            identity,
            index,
            assigned: BTreeSet::new(),
            leaving: Vec::new(),
            is_restarted: false,
            fenced_at: None,
            changelog_ends: BTreeMap::new(),
        })
    }

    fn on_rebalance(&mut self, event: RebalanceEvent) -> Result<Polled, Error> {
        match event {
            RebalanceEvent::Assigned(partitions) => {
                self.assigned.extend(&partitions);
                Ok(Polled::Assigned(partitions))
            }
            RebalanceEvent::Revoked(partitions) => {
                self.leaving.clone_from(&partitions);
                Ok(Polled::Revoked(partitions))
            }
            RebalanceEvent::Lost(partitions) => {
                self.leaving.clone_from(&partitions);
                Ok(Polled::Lost(partitions))
            }
            RebalanceEvent::Failed(error) => Err(self
                .connection
                .unusable(format!("the assignment failed: {error}"))),
        }
    }

    /// What the worker was told to hand over at the last poll is handed over now.
    fn hand_over(&mut self) -> Result<(), Error> {
        if self.leaving.is_empty() {
            return Ok(());
        }
        for partition in &self.leaving {
            self.assigned.remove(partition);
        }
        let leaving = std::mem::take(&mut self.leaving);
        let list = self.list(&leaving);
        self.consumer
            .incremental_unassign(&list)
            .map_err(|error| self.failed("cannot hand partitions over", &error))
    }

    fn read(&mut self, limit: PollLimit) -> Result<Vec<Delivery>, Error> {
        let started = Instant::now();
        let mut deliveries = Vec::new();
        let mut bytes = 0;
        while deliveries.len() < limit.records && bytes < limit.bytes {
            let wait = if deliveries.is_empty() {
                limit.timeout.saturating_sub(started.elapsed())
            } else {
                Duration::ZERO
            };
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let delivery = delivery(&message);
                    bytes += delivery.payload.len();
                    deliveries.push(delivery);
                }
                Some(Err(error)) if is_passing(&error) => {}
                // Told at the next poll.
                Some(Err(_)) if self.is_fenced() => break,
                Some(Err(error)) => return Err(self.consumption_failed(&error)),
                // Also after a callback, which is told at the next poll.
                None => break,
            }
        }
        Ok(deliveries)
    }

    fn consumption_failed(&self, error: &KafkaError) -> Error {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                let topic = &self.connection.topics.events;
                self.connection.unusable(format!(
                    "{topic} no longer holds the events the state goes on with: it was shortened \
                     or made anew"
                ))
            }
            Some(_) | None => self.failed("cannot read the input", error),
        }
    }

    fn failed(&self, what: &str, error: &KafkaError) -> Error {
        self.connection.unusable(format!("{what}: {error}"))
    }

    fn list(&self, partitions: &[Partition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.connection.topics.events, number(*partition));
        }
        list
    }

    /// Makes the sender anew if the last one was destroyed; `false` if that cannot be done now.
    fn has_producer(&mut self) -> Result<bool, Error> {
        if self.producer.is_none() {
            self.producer = TransactionalProducer::start(&self.connection, self.index)?;
        }
        Ok(self.producer.is_some())
    }

    /// A member that the broker takes for another of the same id: after a session that ended while
    /// nobody answered it may be this one itself, so it joins anew, once. All partitions are lost.
    fn join_anew(&mut self) -> Result<Polled, Error> {
        let quiet = self.connection.session_timeout * 2;
        if self.fenced_at.is_some_and(|at| at.elapsed() < quiet) {
            return Err(Error::Fenced);
        }
        tracing::warn!("fenced by a member of the same instance id, joining anew");
        self.fenced_at = Some(Instant::now());
        let (consumer, closer) = join(&self.connection, self.index)?;
        self.consumer = consumer;
        self.closer = closer;
        self.leaving.clear();
        let lost = std::mem::take(&mut self.assigned);
        Ok(Polled::Lost(lost.into_iter().collect()))
    }

    fn is_fenced(&self) -> bool {
        let cause = self.consumer.client().fatal_error();
        cause.is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId)
    }

    /// First offset and end of a partition, open transactions included; `None` if nobody answered.
    fn watermarks(&self, topic: &str, partition: Partition) -> Result<Option<(u64, u64)>, Error> {
        match self
            .metadata_client
            .fetch_watermarks(topic, number(partition), ASK_WAIT)
        {
            Ok((low, high)) => Ok(Some((
                u64::try_from(low).unwrap_or(0),
                u64::try_from(high).unwrap_or(0),
            ))),
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => Err(self.failed(&format!("cannot ask for the ends of {topic}"), &error)),
        }
    }

    /// The group's offset, once no transaction that may move it is open.
    fn group_offset(&self, partition: Partition) -> Result<Option<Option<u64>>, Error> {
        let list = self.list(&[partition]);
        match self.consumer.committed_offsets(list, ASK_WAIT) {
            Ok(offsets) => {
                let topic = &self.connection.topics.events;
                Ok(Some(position_in(&offsets, topic, partition)))
            }
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => Err(self.failed("cannot ask for the group's offsets", &error)),
        }
    }

    fn place(&self, partition: Partition, offset: u64) -> KafkaResult<()> {
        let topic = &self.connection.topics.events;
        let offset = Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX));
        let deadline = Instant::now() + PLACE_PATIENCE;
        loop {
            let placed = self
                .consumer
                .seek(topic, number(partition), offset, PLACE_WAIT);
            match placed {
                Ok(()) => return self.consumer.resume(&self.list(&[partition])),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
            }
        }
    }
}

fn delivery(message: &impl Message) -> Delivery {
    let record_time = message.timestamp().to_millis();
    Delivery {
        position: Position {
            source: Source::Events,
            partition: Partition(u32::try_from(message.partition()).unwrap_or(0)),
            offset: u64::try_from(message.offset()).unwrap_or(0),
        },
        record_time: record_time.and_then(Timestamp::from_milliseconds),
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().unwrap_or_default().to_vec(),
    }
}

impl WorkerLog for KafkaWorker {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        if self.is_fenced() {
            return self.join_anew();
        }
        self.hand_over()?;
        // What was lost meanwhile must not be told as assigned.
        if let Some(event) = self.consumer.context().next() {
            return self.on_rebalance(event);
        }
        // Before anything is read: it ends what an earlier holder of the id left open.
        if !self.has_producer()? {
            return Ok(Polled::Idle);
        }
        if std::mem::take(&mut self.is_restarted) && !self.assigned.is_empty() {
            return Ok(Polled::Assigned(self.assigned.iter().copied().collect()));
        }
        let deliveries = self.read(limit)?;
        Ok(if deliveries.is_empty() {
            Polled::Idle
        } else {
            Polled::Deliveries(deliveries)
        })
    }

    fn resume_at(&mut self, partition: Partition, offset: u64) -> Result<(), Error> {
        if !self.assigned.contains(&partition) {
            return Err(self
                .connection
                .unusable(format!("partition {partition} is not assigned")));
        }
        self.place(partition, offset).map_err(|error| {
            self.failed(
                &format!("partition {partition} cannot be read on at offset {offset}"),
                &error,
            )
        })
    }

    fn pause(&mut self, partition: Partition) {
        if self.assigned.contains(&partition)
            && let Err(error) = self.consumer.pause(&self.list(&[partition]))
        {
            // What still comes is below or beyond what the worker expects, and is dropped there.
            tracing::warn!(%error, partition = partition.0, "cannot pause");
        }
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        if transaction.partitions.is_empty() {
            let problem = "a transaction without offsets would not be fenced";
            return Err(self.connection.unusable(problem));
        }
        let Some(group) = self.consumer.group_metadata() else {
            return Err(self.connection.unusable("the consumer has no group"));
        };
        let Some(producer) = &self.producer else {
            return Err(Error::Aborted);
        };
        match producer.commit(transaction, &group) {
            Ok(committed) => Ok(committed),
            Err(Failure::Aborted) => Err(Error::Aborted),
            Err(Failure::Unknown) => {
                self.producer = None;
                Err(Error::UnknownOutcome)
            }
            Err(Failure::Broken(error)) => {
                self.producer = None;
                Err(error)
            }
        }
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        // The group's offset first: what it covers is below the end that is asked for after it.
        let Some(group_offset) = self.group_offset(partition)? else {
            return Ok(None);
        };
        let topics = &self.connection.topics;
        let Some((changelog_start, changelog_end)) = self.watermarks(&topics.state, partition)?
        else {
            return Ok(None);
        };
        let Some((input_start, input_end)) = self.watermarks(&topics.events, partition)? else {
            return Ok(None);
        };
        self.changelog_ends.insert(partition, changelog_end);
        Ok(Some(PartitionFacts {
            lineage: self.identity.lineage.clone(),
            changelog_start,
            changelog_end,
            tombstones_kept: Some(self.identity.tombstones_kept),
            group_offset,
            input_start,
            input_end,
        }))
    }

    fn progress(&mut self, partition: Partition) -> Result<Option<Progress>, Error> {
        let Some((_, input_end)) = self.watermarks(&self.connection.topics.events, partition)?
        else {
            return Ok(None);
        };
        let positions = self.consumer.position();
        let positions = positions.map_err(|error| self.failed("no positions", &error))?;
        let position = position_in(&positions, &self.connection.topics.events, partition);
        Ok(Some(Progress {
            position,
            input_end,
        }))
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        let end = self.changelog_ends.get(&partition).copied().unwrap_or(0);
        let place = (partition, from);
        self.reader
            .read_changelog(&self.connection, place, records, end)
    }

    fn restart(&mut self) {
        self.is_restarted = true;
    }
}

/// A member of the group that asks for the input's partitions.
fn join(
    connection: &Connection,
    index: usize,
) -> Result<(Arc<BaseConsumer<GroupContext>>, Closer), Error> {
    let failed = |error: KafkaError| connection.unusable(format!("no client: {error}"));
    let member = connection.member(index);
    let consumer =
        BaseConsumer::from_config_and_context(&member, GroupContext::default()).map_err(failed)?;
    consumer
        .subscribe(&[&connection.topics.events])
        .map_err(failed)?;
    let consumer = Arc::new(consumer);
    let closer = Closer(Some(Arc::clone(&consumer)));
    Ok((consumer, closer))
}

/// What the group waits for is given, so that the member can be closed.
impl Drop for KafkaWorker {
    fn drop(&mut self) {
        let context = Arc::clone(self.consumer.context());
        context.close();
        let mut leaving = vec![std::mem::take(&mut self.leaving)];
        while let Some(event) = context.next() {
            match event {
                RebalanceEvent::Revoked(partitions) | RebalanceEvent::Lost(partitions) => {
                    leaving.push(partitions);
                }
                RebalanceEvent::Failed(_) | RebalanceEvent::Assigned(_) => {}
            }
        }
        for partitions in leaving {
            let list = self.list(&partitions);
            if !partitions.is_empty()
                && let Err(error) = self.consumer.incremental_unassign(&list)
            {
                tracing::warn!(%error, "cannot hand partitions over");
            }
        }
    }
}

/// Holds the member last. Closing it waits for its partitions to be given up, which the client has been
/// seen not to end; so it is waited for within a limit, and the group notices by the session.
struct Closer(Option<Arc<BaseConsumer<GroupContext>>>);

impl Drop for Closer {
    fn drop(&mut self) {
        let Some(member) = self.0.take() else { return };
        member.context().close();
        let (sender, closed) = mpsc::sync_channel(1);
        let closing = std::thread::Builder::new()
            .name("closing".to_owned())
            .spawn(move || {
                drop(member);
                // Nobody waits any more where it took too long.
                sender.try_send(()).ok();
            });
        if closing.is_err() || closed.recv_timeout(CLOSE_PATIENCE).is_err() {
            tracing::warn!("the group's member did not close in time");
        }
    }
}
