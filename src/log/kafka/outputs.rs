//! The topics of the changes and of the dead letters, as a reader without a group sees them.

use std::sync::Arc;

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::kafka::client::Connection;
use crate::log::kafka::delivery::headers;
use crate::log::kafka::metadata::MetadataClient;
use crate::log::kafka::reader::TopicReader;
use crate::log::outputs::OutputChunk;
use crate::log::outputs::OutputKind;
use crate::log::outputs::OutputReader;
use crate::log::outputs::PlacedRecord;
use crate::log::outputs::ReadLimit;

/// Reads the committed records of one topic.
pub struct KafkaOutputs {
    connection: Arc<Connection>,
    topic: String,
    metadata_client: MetadataClient,
    reader: TopicReader,
    partitions: u32,
}

impl std::fmt::Debug for KafkaOutputs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("KafkaOutputs")
            .field("topic", &self.topic)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl KafkaOutputs {
    /// Connects. Needs that topic alone.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the cluster does not answer or the topic is not there.
    pub fn open(connection: Connection, kind: OutputKind) -> Result<Self, Error> {
        let connection = Arc::new(connection);
        let topic = connection.topics.name(kind.topic()).unwrap_or_default();
        let topic = topic.to_owned();
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
            topic,
            connection,
        })
    }
}

impl OutputReader for KafkaOutputs {
    fn partitions(&self) -> u32 {
        self.partitions
    }

    fn read(
        &mut self,
        partition: Partition,
        from: u64,
        limit: ReadLimit,
    ) -> Result<OutputChunk, Error> {
        let (start, end) = self
            .metadata_client
            .watermarks_at_last(&self.topic, partition)?;
        let place = (partition, from.max(start));
        let chunk = self
            .reader
            .read(&self.connection, place, limit, end, placed)?;
        Ok(OutputChunk {
            records: chunk.records,
            offset_next: chunk.offset_next,
            start,
            end,
        })
    }
}

fn placed(offset: u64, message: &BorrowedMessage<'_>) -> PlacedRecord {
    let timestamp = message.timestamp().to_millis();
    PlacedRecord {
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
