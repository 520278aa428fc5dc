//! Partitions and offsets as the client counts them, and the errors from which it recovers by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::ids::Partition;

/// How long the client may take until a partition is read from another offset.
pub(super) const PLACE_PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether it is.
pub(super) const PLACE_RETRY: Duration = Duration::from_millis(5);

/// The partition as the client counts it.
pub(super) fn number(partition: Partition) -> i32 {
    i32::try_from(partition.0).unwrap_or(i32::MAX)
}

/// The offset as the client counts it.
pub(super) fn offset(offset: u64) -> Offset {
    Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX))
}

/// A list of partitions of one topic.
pub(super) fn list(topic: &str, partitions: &[Partition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(topic, number(*partition));
    }
    list
}

/// A known position of a partition.
pub(super) fn position_in(
    positions: &TopicPartitionList,
    topic: &str,
    partition: Partition,
) -> Option<u64> {
    known(positions.find_partition(topic, number(partition))?.offset())
}

/// The known offsets of a list of partitions of one topic.
pub(super) fn offsets_of(list: &TopicPartitionList) -> BTreeMap<Partition, u64> {
    let elements = list.elements();
    let known = elements.iter().filter_map(|element| {
        let partition = u32::try_from(element.partition()).ok()?;
        Some((Partition(partition), known(element.offset())?))
    });
    known.collect()
}

/// An offset that is one of a record.
pub(super) fn known(offset: Offset) -> Option<u64> {
    match offset {
        Offset::Offset(offset) => u64::try_from(offset).ok(),
        Offset::Beginning
        | Offset::End
        | Offset::Stored
        | Offset::Invalid
        | Offset::OffsetTail(_) => None,
    }
}

/// An error from which the client recovers by itself: the cluster is away, changes its leaders, or does not know a
/// topic, which may be so for a moment ([`super::absence`]).
pub(super) fn is_passing(error: &KafkaError) -> bool {
    const PASSING: [RDKafkaErrorCode; 26] = [
        RDKafkaErrorCode::OffsetNotAvailable,
        RDKafkaErrorCode::ReplicaNotAvailable,
        RDKafkaErrorCode::KafkaStorageError,
        RDKafkaErrorCode::BrokerTransportFailure,
        RDKafkaErrorCode::AllBrokersDown,
        // It was asked through a broker that has left the cluster.
        RDKafkaErrorCode::DestroyBroker,
        RDKafkaErrorCode::Resolve,
        RDKafkaErrorCode::OperationTimedOut,
        RDKafkaErrorCode::TimedOutQueue,
        RDKafkaErrorCode::RequestTimedOut,
        RDKafkaErrorCode::NetworkException,
        RDKafkaErrorCode::FencedLeaderEpoch,
        RDKafkaErrorCode::UnknownLeaderEpoch,
        RDKafkaErrorCode::WaitingForCoordinator,
        RDKafkaErrorCode::NotLeaderForPartition,
        RDKafkaErrorCode::LeaderNotAvailable,
        RDKafkaErrorCode::CoordinatorNotAvailable,
        RDKafkaErrorCode::CoordinatorLoadInProgress,
        RDKafkaErrorCode::NotCoordinator,
        RDKafkaErrorCode::PollExceeded,
        RDKafkaErrorCode::UnstableOffsetCommit,
        RDKafkaErrorCode::BrokerNotAvailable,
        RDKafkaErrorCode::UnknownTopic,
        RDKafkaErrorCode::UnknownPartition,
        RDKafkaErrorCode::UnknownTopicOrPartition,
        RDKafkaErrorCode::UnknownTopicId,
    ];
    error
        .rdkafka_error_code()
        .is_some_and(|code| PASSING.contains(&code))
}
