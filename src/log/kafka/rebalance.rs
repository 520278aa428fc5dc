//! The events of a rebalance. The callback only takes note (a new partition is assigned at once,
//! but silent): the worker acts on it between two polls, and hands over at the next one.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use rdkafka::ClientContext;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaRespErr;

use crate::domain::ids::Partition;
use crate::log::kafka::client_lines;

/// What happened to the assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RebalanceEvent {
    /// The member has these now, silent until they are resumed.
    Assigned(Vec<Partition>),
    /// The group asks for these back, and waits for them.
    Revoked(Vec<Partition>),
    /// These may already be another member's.
    Lost(Vec<Partition>),
    /// The group has assigned partitions of this topic, which the member does not ask for.
    OtherTopic(String),
    /// The assignment could not be carried out.
    Failed(KafkaError),
}

/// The context of the group's member.
#[derive(Debug)]
pub(super) struct GroupContext {
    topic: String,
    events: Mutex<VecDeque<RebalanceEvent>>,
    is_closing: AtomicBool,
}

impl GroupContext {
    /// The context of a member that asks for the partitions of a topic.
    pub(super) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            events: Mutex::default(),
            is_closing: AtomicBool::default(),
        }
    }

    /// The oldest event that the worker has not acted on.
    pub(super) fn next(&self) -> Option<RebalanceEvent> {
        self.lock().pop_front()
    }

    /// From here on partitions are handed over at once: the worker does not act any more.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RebalanceEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_lines::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "Kafka consumer");
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let is_assignment = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let partitions = partitions(list);
        let other_topic = other_topic(list, &self.topic);
        if self.is_closing.load(Ordering::Relaxed) || other_topic.is_some() {
            let done = match (is_assignment, other_topic) {
                // The client takes back only what was assigned.
                (true, Some(topic)) => {
                    self.lock().push_back(RebalanceEvent::OtherTopic(topic));
                    assign_silently(consumer, list)
                }
                (true, None) => consumer.incremental_assign(&TopicPartitionList::new()),
                (false, _) => consumer.incremental_unassign(list),
            };
            if let Err(error) = done {
                tracing::warn!(%error, "cannot hand partitions over");
            }
            return;
        }
        let event = if is_assignment {
            match assign_silently(consumer, list) {
                Ok(()) => RebalanceEvent::Assigned(partitions),
                Err(error) => RebalanceEvent::Failed(error),
            }
        } else if consumer.assignment_lost() {
            RebalanceEvent::Lost(partitions)
        } else {
            RebalanceEvent::Revoked(partitions)
        };
        self.lock().push_back(event);
    }
}

/// An explicit offset, so that the client does not ask for the group's: the state says where to read on.
fn assign_silently(
    consumer: &BaseConsumer<GroupContext>,
    list: &mut TopicPartitionList,
) -> KafkaResult<()> {
    list.set_all_offsets(Offset::Beginning)?;
    consumer.incremental_assign(list)?;
    consumer.pause(list)
}

/// A topic of a list that is not `topic`. A member that comes back under its own instance id is given the partitions that it
/// had, whatever it asks for.
fn other_topic(list: &TopicPartitionList, topic: &str) -> Option<String> {
    let elements = list.elements();
    let mut topics = elements.iter().map(|element| element.topic());
    topics.find(|found| *found != topic).map(str::to_owned)
}

/// The partition numbers of a list.
pub(super) fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    let numbers = list
        .elements()
        .into_iter()
        .map(|element| element.partition());
    numbers
        .filter_map(|number| u32::try_from(number).ok())
        .map(Partition)
        .collect()
}
