//! Reads the transfers of a worker's partitions, with a client of its own that is no member of the group: an
//! assignment by hand on the member could end a step of a rebalance by accident.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;

use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::log::Delivery;
use crate::log::Error;
use crate::log::PollLimit;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client_lines::Asker;
use crate::log::kafka::client_lines::Reasons;
use crate::log::kafka::delivery::delivery;
use crate::log::kafka::places::PLACE_PATIENCE;
use crate::log::kafka::places::PLACE_RETRY;
use crate::log::kafka::places::is_passing;
use crate::log::kafka::places::list;
use crate::log::kafka::places::number;
use crate::log::kafka::places::offset;
use crate::log::kafka::places::offsets_of;

pub(super) struct TransferReader {
    connection: Arc<Connection>,
    topic: String,
    consumer: Asker,
    /// The partitions that are read. One that was silenced is not assigned.
    read: BTreeSet<Partition>,
    /// Of an odd number of records this time, the one in the middle is a transfer.
    has_larger_half: bool,
}

impl std::fmt::Debug for TransferReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TransferReader")
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl TransferReader {
    /// `None` where the deployment has no transfers.
    pub(super) fn new(connection: &Arc<Connection>) -> KafkaResult<Option<Self>> {
        let Some(topic) = connection.topics.transfers.clone() else {
            return Ok(None);
        };
        Ok(Some(Self {
            connection: Arc::clone(connection),
            topic,
            consumer: connection
                .transfer_reader()
                .create_with_context(Reasons::default())?,
            read: BTreeSet::new(),
            has_larger_half: false,
        }))
    }

    /// Reads a partition from an offset on.
    pub(super) fn resume_at(&mut self, partition: Partition, from: u64) -> Result<(), Error> {
        self.silence(&[partition])?;
        let mut place = TopicPartitionList::with_capacity(1);
        place
            .add_partition_offset(&self.topic, number(partition), offset(from))
            .and_then(|()| self.consumer.incremental_assign(&place))
            .map_err(|error| self.failed(&error))?;
        self.read.insert(partition);
        self.wait_for_place(partition)
    }

    /// Reads these partitions no more.
    pub(super) fn silence(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        let mut known = partitions.to_vec();
        known.retain(|partition| self.read.contains(partition));
        if known.is_empty() {
            return Ok(());
        }
        self.consumer
            .incremental_unassign(&list(&self.topic, &known))
            .map_err(|error| self.failed(&error))?;
        self.read.retain(|partition| !known.contains(partition));
        Ok(())
    }

    /// Waits until the client has forgotten where it read before. It stops reading in a thread of its own, and until
    /// then it gives the old position, below which records may have to be read again.
    fn wait_for_place(&self, partition: Partition) -> Result<(), Error> {
        let deadline = Instant::now() + PLACE_PATIENCE;
        while self.positions()?.contains_key(&partition) {
            if Instant::now() >= deadline {
                let problem = format!("partition {partition} of {} does not stop", self.topic);
                return Err(self.connection.unusable(problem));
            }
            std::thread::park_timeout(PLACE_RETRY);
        }
        Ok(())
    }

    /// Takes what has come already, at most half of what a poll may take, so that events have room too.
    pub(super) fn read(&mut self, limit: PollLimit) -> Result<Vec<Delivery>, Error> {
        let mut deliveries = Vec::new();
        if self.read.is_empty() {
            return Ok(deliveries);
        }
        self.has_larger_half = !self.has_larger_half;
        let more = usize::from(self.has_larger_half);
        let records = limit.records.saturating_add(more) / 2;
        let bytes_max = limit.bytes.saturating_add(more) / 2;
        let mut bytes = 0;
        while deliveries.len() < records && bytes < bytes_max {
            match self.consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    let delivery = delivery(Source::Transfers, &message);
                    bytes += delivery.bytes();
                    deliveries.push(delivery);
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(self.failed(&error)),
                None => break,
            }
        }
        Ok(deliveries)
    }

    /// The next offset to be delivered of each partition; none before the first.
    pub(super) fn positions(&self) -> Result<BTreeMap<Partition, u64>, Error> {
        let positions = self.consumer.position();
        let positions = positions.map_err(|error| self.failed(&error))?;
        Ok(offsets_of(&positions))
    }

    fn failed(&self, error: &KafkaError) -> Error {
        self.connection.cannot_read(&self.topic, error)
    }
}
