//! Partitions and offsets as the client counts them, and the errors that it mends by itself.

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::ids::Partition;

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
    match positions.find_partition(topic, number(partition))?.offset() {
        Offset::Offset(offset) => u64::try_from(offset).ok(),
        Offset::Beginning
        | Offset::End
        | Offset::Stored
        | Offset::Invalid
        | Offset::OffsetTail(_) => None,
    }
}

/// An error that the client mends by itself: the cluster is away or changes its leaders.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    const PASSING: [RDKafkaErrorCode; 20] = [
        RDKafkaErrorCode::OffsetNotAvailable,
        RDKafkaErrorCode::ReplicaNotAvailable,
        RDKafkaErrorCode::KafkaStorageError,
        RDKafkaErrorCode::BrokerTransportFailure,
        RDKafkaErrorCode::AllBrokersDown,
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
    ];
    error
        .rdkafka_error_code()
        .is_some_and(|code| PASSING.contains(&code))
}
