//! The member of the consumer group: what it is assigned, and the events it reads.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::log::Delivery;
use crate::log::Error;
use crate::log::PollLimit;
use crate::log::Polled;
use crate::log::kafka::client::Connection;
use crate::log::kafka::delivery::delivery;
use crate::log::kafka::metadata::ASK_WAIT;
use crate::log::kafka::places::PLACE_PATIENCE;
use crate::log::kafka::places::PLACE_RETRY;
use crate::log::kafka::places::is_passing;
use crate::log::kafka::places::list;
use crate::log::kafka::places::number;
use crate::log::kafka::places::offset;
use crate::log::kafka::places::offsets_of;
use crate::log::kafka::rebalance::GroupContext;
use crate::log::kafka::rebalance::RebalanceEvent;
use crate::log::kafka::takeover::Takeovers;

/// A silent partition whose reading has not started yet cannot be placed for a moment.
const PLACE_WAIT: Duration = Duration::from_secs(1);
/// A member that has left stays away for so long, so that the group notices.
const ABSENCE: Duration = Duration::from_secs(1);
/// A member that does not close within this time is left behind.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Member {
    connection: Arc<Connection>,
    index: usize,
    consumer: Arc<BaseConsumer<GroupContext>>,
    closer: Closer,
    assigned: BTreeSet<Partition>,
    /// A poll has reported that these are given up; the next poll hands them over.
    leaving: Vec<Partition>,
    takeovers: Takeovers,
    polled_at: Instant,
    /// When it was polled again after a pause of a session or longer.
    paused_at: Option<Instant>,
    /// It has left the group, and joins it again then, once it has handed over what it had.
    joins_at: Option<Instant>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Member")
            .field("assigned", &self.assigned)
            .finish_non_exhaustive()
    }
}

impl Member {
    /// Joins the group.
    pub(super) fn new(connection: &Arc<Connection>, index: usize) -> Result<Self, Error> {
        let (consumer, closer) = join(connection, index)?;
        Ok(Self {
            connection: Arc::clone(connection),
            index,
            consumer,
            closer,
            assigned: BTreeSet::new(),
            leaving: Vec::new(),
            takeovers: Takeovers::default(),
            polled_at: Instant::now(),
            paused_at: None,
            joins_at: None,
        })
    }

    /// The partitions that it has.
    pub(super) fn assigned(&self) -> &BTreeSet<Partition> {
        &self.assigned
    }

    /// The membership as of now, which fences offsets.
    pub(super) fn group_metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer.group_metadata()
    }

    /// The broker takes it for another member of the same instance id.
    pub(super) fn is_fenced(&self) -> bool {
        let cause = self.consumer.client().fatal_error();
        cause.is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId)
    }

    /// A member may be fenced by its own membership: its session may have ended while the process did not run.
    /// So it joins anew, after such a pause, and once without one. The partitions that it had are lost.
    pub(super) fn join_anew(&mut self) -> Result<Vec<Partition>, Error> {
        self.note_poll();
        let quiet = self.connection.session_timeout * 2;
        let was_paused = self.paused_at.is_some_and(|at| at.elapsed() < quiet);
        let now = Instant::now();
        if !self.takeovers.may_return(was_paused, now, quiet) {
            return Err(Error::Fenced);
        }
        tracing::warn!("fenced by a member of the same instance id, joining anew");
        let (consumer, closer) = join(&self.connection, self.index)?;
        self.consumer = consumer;
        self.closer = closer;
        self.leaving.clear();
        self.joins_at = None;
        let lost = std::mem::take(&mut self.assigned);
        Ok(lost.into_iter().collect())
    }

    fn note_poll(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.polled_at) >= self.connection.session_timeout {
            self.paused_at = Some(now);
        }
        self.polled_at = now;
    }

    /// Leaves the group, which asks for the partitions back, to join it again a moment later.
    pub(super) fn leave(&mut self) {
        self.consumer.unsubscribe();
        self.joins_at = Some(Instant::now() + ABSENCE);
    }

    /// Joins the group again if it has left it and has nothing to hand over any more.
    pub(super) fn join_again(&mut self) -> Result<(), Error> {
        let is_due = self.joins_at.is_some_and(|at| Instant::now() >= at);
        if !is_due || !self.assigned.is_empty() || !self.leaving.is_empty() {
            return Ok(());
        }
        self.joins_at = None;
        self.consumer
            .subscribe(&[&self.connection.topics.events])
            .map_err(|error| self.failed("cannot join the group again", &error))
    }

    /// Hands over what the last poll said is to be given up; the partitions.
    pub(super) fn hand_over(&mut self) -> Result<Vec<Partition>, Error> {
        let leaving = std::mem::take(&mut self.leaving);
        if leaving.is_empty() {
            return Ok(leaving);
        }
        for partition in &leaving {
            self.assigned.remove(partition);
        }
        self.consumer
            .incremental_unassign(&self.list(&leaving))
            .map_err(|error| self.failed("cannot hand partitions over", &error))?;
        Ok(leaving)
    }

    /// The oldest event of a rebalance that no poll has reported yet.
    pub(super) fn next_event(&mut self) -> Result<Option<Polled>, Error> {
        Ok(match self.consumer.context().next() {
            None => None,
            Some(RebalanceEvent::Assigned(partitions)) => {
                self.assigned.extend(&partitions);
                Some(Polled::Assigned(partitions))
            }
            Some(RebalanceEvent::Revoked(partitions)) => {
                self.leaving.clone_from(&partitions);
                Some(Polled::Revoked(partitions))
            }
            Some(RebalanceEvent::Lost(partitions)) => {
                self.leaving.clone_from(&partitions);
                Some(Polled::Lost(partitions))
            }
            Some(RebalanceEvent::OtherTopic(topic)) => {
                tracing::warn!(
                    topic,
                    "the group still has this instance as a reader of another topic: leaving it and joining again"
                );
                self.leave();
                None
            }
            Some(RebalanceEvent::Failed(error)) => {
                return Err(self.failed("the assignment failed", &error));
            }
        })
    }

    /// Reads events until the limit is reached. It waits only where there are no deliveries yet. It polls the member
    /// at least once, as rebalances and the limit of `max.poll.interval.ms` depend on it.
    pub(super) fn read(
        &mut self,
        limit: PollLimit,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<(), Error> {
        self.note_poll();
        let started = Instant::now();
        let mut bytes: usize = deliveries.iter().map(Delivery::bytes).sum();
        loop {
            let wait = if deliveries.is_empty() {
                limit.timeout.saturating_sub(started.elapsed())
            } else {
                Duration::ZERO
            };
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let delivery = delivery(Source::Events, &message);
                    bytes += delivery.bytes();
                    deliveries.push(delivery);
                }
                Some(Err(error)) if is_passing(&error) => {}
                // The next poll joins anew.
                Some(Err(_)) if self.is_fenced() => break,
                Some(Err(error)) => {
                    let topic = &self.connection.topics.events;
                    return Err(self.connection.cannot_read(topic, &error));
                }
                // Also after a callback, whose event the next poll answers.
                None => break,
            }
            if deliveries.len() >= limit.records || bytes >= limit.bytes {
                break;
            }
        }
        self.note_poll();
        Ok(())
    }

    /// Reads a partition from an offset on.
    pub(super) fn resume_at(&self, partition: Partition, from: u64) -> Result<(), Error> {
        self.place(partition, from).map_err(|error| {
            let what = format!("partition {partition} cannot be read on at offset {from}");
            self.failed(&what, &error)
        })
    }

    fn place(&self, partition: Partition, from: u64) -> KafkaResult<()> {
        let topic = &self.connection.topics.events;
        let deadline = Instant::now() + PLACE_PATIENCE;
        loop {
            let placed = self
                .consumer
                .seek(topic, number(partition), offset(from), PLACE_WAIT);
            match placed.and_then(|()| self.consumer.resume(&self.list(&[partition]))) {
                Ok(()) => return Ok(()),
                // The next poll joins anew, and nothing is read before.
                Err(_) if self.is_fenced() => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::park_timeout(PLACE_RETRY),
            }
        }
    }

    /// Reads a partition no more, though it is still this member's.
    pub(super) fn pause(&self, partition: Partition) {
        if self.assigned.contains(&partition)
            && let Err(error) = self.consumer.pause(&self.list(&[partition]))
        {
            // What still comes does no harm: the worker takes deliveries of running partitions only, and this one
            // runs again only after a seek.
            tracing::warn!(%error, partition = partition.0, "cannot pause");
        }
    }

    /// The next offset to be delivered of each partition; none before the first.
    pub(super) fn positions(&self) -> Result<BTreeMap<Partition, u64>, Error> {
        let positions = self.consumer.position();
        let positions = positions.map_err(|error| self.failed("no positions", &error))?;
        Ok(offsets_of(&positions))
    }

    /// The group's offsets in all sources of a partition, once no transaction that may move them is open; `None`
    /// if the cluster does not say now.
    pub(super) fn group_offsets(
        &self,
        partition: Partition,
    ) -> Result<Option<TopicPartitionList>, Error> {
        let mut places = TopicPartitionList::new();
        for (_, topic) in self.connection.topics.sources() {
            places.add_partition(topic, number(partition));
        }
        match self.consumer.committed_offsets(places, ASK_WAIT) {
            Ok(offsets) => match first_error(&offsets) {
                // An offset that could not be read is not one that is not there.
                Some(error) if is_passing(&error) => Ok(None),
                Some(error) => Err(self.failed("cannot read the group's offsets", &error)),
                None => Ok(Some(offsets)),
            },
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => Err(self.failed("cannot ask for the group's offsets", &error)),
        }
    }

    fn list(&self, partitions: &[Partition]) -> TopicPartitionList {
        list(&self.connection.topics.events, partitions)
    }

    fn failed(&self, what: &str, error: &KafkaError) -> Error {
        self.connection.unusable(format!("{what}: {error}"))
    }
}

fn first_error(list: &TopicPartitionList) -> Option<KafkaError> {
    let elements = list.elements();
    let mut errors = elements.iter().map(|element| element.error());
    errors.find_map(Result::err)
}

/// A member of the group that asks for the input's partitions.
fn join(
    connection: &Connection,
    index: usize,
) -> Result<(Arc<BaseConsumer<GroupContext>>, Closer), Error> {
    let failed = |error: KafkaError| connection.unusable(format!("no client: {error}"));
    let member = connection.member(index);
    let consumer = BaseConsumer::from_config_and_context(
        &member,
        GroupContext::new(&connection.topics.events),
    )
    .map_err(failed)?;
    consumer
        .subscribe(&[&connection.topics.events])
        .map_err(failed)?;
    let consumer = Arc::new(consumer);
    let closer = Closer(Some(Arc::clone(&consumer)));
    Ok((consumer, closer))
}

/// Gives up what the group waits for, so that the member can be closed.
impl Drop for Member {
    fn drop(&mut self) {
        let context = Arc::clone(self.consumer.context());
        context.close();
        let mut leaving = vec![std::mem::take(&mut self.leaving)];
        while let Some(event) = context.next() {
            match event {
                RebalanceEvent::Revoked(partitions) | RebalanceEvent::Lost(partitions) => {
                    leaving.push(partitions);
                }
                RebalanceEvent::Failed(_)
                | RebalanceEvent::OtherTopic(_)
                | RebalanceEvent::Assigned(_) => {}
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

/// Holds the member last. Closing waits until the member's partitions are given up, and in the client this
/// sometimes does not end. So the wait has a limit, and the group notices by the session.
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
                // After the limit there is no receiver any more.
                sender.try_send(()).ok();
            });
        if closing.is_err() || closed.recv_timeout(CLOSE_PATIENCE).is_err() {
            tracing::warn!("the group's member did not close in time");
        }
    }
}
