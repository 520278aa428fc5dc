//! Reads the state changelog of one partition after the other, with a client of its own.

use std::time::Duration;
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::ids::Partition;
use crate::log::ChangelogChunk;
use crate::log::ChangelogRecord;
use crate::log::Error;
use crate::log::kafka::client::Connection;

/// A chunk ends when nothing came for so long; running partitions wait meanwhile.
const CHUNK_WAIT: Duration = Duration::from_millis(20);

/// The context of a reader: that it has come to the end of a partition is no error.
struct ReaderContext;

impl ClientContext for ReaderContext {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(%error, reason, "Kafka reader");
        }
    }
}

impl ConsumerContext for ReaderContext {}

pub(super) struct ChangelogReader {
    consumer: BaseConsumer<ReaderContext>,
    topic: String,
    /// The partition being read, and the offset that comes next.
    place: Option<(Partition, u64)>,
}

impl std::fmt::Debug for ChangelogReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ChangelogReader")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl ChangelogReader {
    pub(super) fn new(connection: &Connection) -> KafkaResult<Self> {
        Ok(Self {
            consumer: connection.reader().create_with_context(ReaderContext)?,
            topic: connection.topics.state.clone(),
            place: None,
        })
    }

    /// Reads on from an offset, at most `records`, towards `end`: the high watermark with open
    /// transactions, behind which nothing of the partition's last owner can be. Until the broker has
    /// decided them the chunk may be empty with something remaining.
    pub(super) fn read(
        &mut self,
        connection: &Connection,
        (partition, from): (Partition, u64),
        records: usize,
        end: u64,
    ) -> Result<ChangelogChunk, Error> {
        let failed = |error: KafkaError| {
            connection.unusable(format!(
                "cannot read partition {partition} of {}: {error}",
                connection.topics.state
            ))
        };
        if from < end && self.place != Some((partition, from)) {
            self.place_at(partition, from).map_err(failed)?;
        }
        let mut chunk = ChangelogChunk {
            records: Vec::new(),
            offset_next: from,
            remaining: end.saturating_sub(from),
        };
        let started = Instant::now();
        while chunk.remaining > 0 && chunk.records.len() < records {
            let left = CHUNK_WAIT.saturating_sub(started.elapsed());
            match self.consumer.poll(left) {
                Some(Ok(message)) => {
                    let offset = u64::try_from(message.offset()).unwrap_or(0);
                    chunk.records.push(ChangelogRecord {
                        offset,
                        key: message.key().unwrap_or_default().to_vec(),
                        value: message.payload().map(<[u8]>::to_vec),
                    });
                    chunk.offset_next = offset + 1;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(failed(error)),
                None if left.is_zero() => break,
                None => {}
            }
            // Control and aborted records move the position, never a delivery.
            let position = self.position(partition).map_err(failed)?;
            chunk.offset_next = chunk.offset_next.max(position.unwrap_or(from));
            chunk.remaining = end.saturating_sub(chunk.offset_next);
        }
        self.place = Some((partition, chunk.offset_next));
        if chunk.remaining == 0 {
            self.place = None;
            self.consumer.unassign().map_err(failed)?;
        }
        Ok(chunk)
    }

    fn place_at(&mut self, partition: Partition, from: u64) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(1);
        let offset = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        list.add_partition_offset(&self.topic, number(partition), offset)?;
        self.consumer.assign(&list)
    }

    fn position(&self, partition: Partition) -> KafkaResult<Option<u64>> {
        let positions = self.consumer.position()?;
        Ok(position_in(&positions, &self.topic, partition))
    }
}

/// The partition as the client counts it.
pub(super) fn number(partition: Partition) -> i32 {
    i32::try_from(partition.0).unwrap_or(i32::MAX)
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
