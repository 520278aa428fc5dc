//! The topic of the changes, as a reader without a group sees it.

use std::sync::Arc;

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::changes::ChangesChunk;
use crate::log::changes::ChangesReader;
use crate::log::changes::PublishedChange;
use crate::log::kafka::client::Connection;
use crate::log::kafka::delivery::headers;
use crate::log::kafka::metadata::MetadataClient;
use crate::log::kafka::reader::TopicReader;

/// Reads the committed records of the topic of the changes.
pub struct KafkaChanges {
    connection: Arc<Connection>,
    metadata_client: MetadataClient,
    reader: TopicReader,
    partitions: u32,
}

impl std::fmt::Debug for KafkaChanges {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("KafkaChanges")
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl KafkaChanges {
    /// Connects. Needs the topic of the changes alone.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the cluster does not answer or the topic is not there.
    pub fn open(connection: Connection) -> Result<Self, Error> {
        let connection = Arc::new(connection);
        let topic = connection.topics.changes.clone();
        let failed = |error| connection.unusable(format!("cannot read {topic}: {error}"));
        let metadata_client = MetadataClient::new(&connection).map_err(failed)?;
        let partitions = metadata_client.partitions(&topic).map_err(failed)?;
        if partitions == 0 {
            return Err(connection.unusable(format!("there is no topic {topic}")));
        }
        Ok(Self {
            reader: TopicReader::new(&connection, &topic).map_err(failed)?,
            metadata_client,
            partitions,
            connection,
        })
    }
}

impl ChangesReader for KafkaChanges {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn read_changes(
        &mut self,
        partition: Partition,
        from: u64,
        limit: usize,
    ) -> Result<ChangesChunk, Error> {
        let topic = &self.connection.topics.changes;
        let (start, end) = self.metadata_client.watermarks_at_last(topic, partition)?;
        let place = (partition, from.max(start));
        let chunk = self
            .reader
            .read(&self.connection, place, limit, end, change)?;
        Ok(ChangesChunk {
            changes: chunk.records,
            offset_next: chunk.offset_next,
            end,
        })
    }
}

fn change(offset: u64, message: &BorrowedMessage<'_>) -> PublishedChange {
    let timestamp = message.timestamp().to_millis();
    PublishedChange {
        offset,
        record: OutputRecord {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map(headers).unwrap_or_default(),
            timestamp: timestamp
                .and_then(Timestamp::from_milliseconds)
                .unwrap_or_default(),
        },
    }
}
