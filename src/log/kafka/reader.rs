//! Reads the committed records of one partition of a topic after the other, with a client of its own and without the
//! group.

use std::time::Duration;
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::log::ChangelogChunk;
use crate::log::ChangelogRecord;
use crate::log::Error;
use crate::log::ReadBack;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client_lines;
use crate::log::kafka::delivery::delivery;
use crate::log::kafka::places::is_passing;
use crate::log::kafka::places::number;
use crate::log::kafka::places::offset;
use crate::log::kafka::places::position_in;
use crate::log::outputs::ReadLimit;

/// A chunk ends when no record came for so long; running partitions wait meanwhile.
const CHUNK_WAIT: Duration = Duration::from_millis(20);
/// A single record comes within this time, as a rule: asking again costs more than waiting for it.
const RECORD_WAIT: Duration = Duration::from_millis(200);

/// The context of a reader: that it has come to the end of a partition is no error.
struct ReaderContext;

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_lines::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(%error, reason, "Kafka reader");
        }
    }
}

impl ConsumerContext for ReaderContext {}

/// Records of one partition.
pub(super) struct Chunk<T> {
    /// In offset order.
    pub(super) records: Vec<T>,
    /// Where the next chunk begins.
    pub(super) offset_next: u64,
    /// Offsets up to the end; 0 when this was the last chunk.
    pub(super) remaining: u64,
}

pub(super) struct TopicReader {
    consumer: BaseConsumer<ReaderContext>,
    topic: String,
    /// The topic and partition being read, and the offset that comes next.
    place: Option<(String, Partition, u64)>,
}

impl std::fmt::Debug for TopicReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TopicReader")
            .field("topic", &self.topic)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl TopicReader {
    pub(super) fn new(connection: &Connection, topic: &str) -> KafkaResult<Self> {
        Ok(Self {
            consumer: connection.reader().create_with_context(ReaderContext)?,
            topic: topic.to_owned(),
            place: None,
        })
    }

    /// Reads on in a partition of the state changelog; see [`Self::read`].
    pub(super) fn read_changelog(
        &mut self,
        connection: &Connection,
        place: (Partition, u64),
        records: usize,
        end: u64,
    ) -> Result<ChangelogChunk, Error> {
        let record = |offset, message: &BorrowedMessage<'_>| ChangelogRecord {
            offset,
            key: message.key().unwrap_or_default().to_vec(),
            value: message.payload().map(<[u8]>::to_vec),
        };
        let limit = ReadLimit::of_records(records);
        let chunk = self.read(connection, place, limit, end, record)?;
        Ok(ChangelogChunk {
            records: chunk.records,
            offset_next: chunk.offset_next,
            remaining: chunk.remaining,
        })
    }

    /// Reads on from an offset, within the limit, towards `end`: the high watermark with open
    /// transactions, which no record of the partition's last owner can follow. Until the broker has
    /// decided those transactions, the chunk may be empty with offsets remaining.
    pub(super) fn read<T>(
        &mut self,
        connection: &Connection,
        place: (Partition, u64),
        limit: ReadLimit,
        end: u64,
        record: impl Fn(u64, &BorrowedMessage<'_>) -> T,
    ) -> Result<Chunk<T>, Error> {
        let topic = self.topic.clone();
        let read = self.read_of((&topic, place), (limit, CHUNK_WAIT), end, record);
        read.map_err(|error| cannot_read(connection, &topic, place.0, &error))
    }

    /// The committed record at a place of a source, which is not read otherwise.
    pub(super) fn read_back(
        &mut self,
        connection: &Connection,
        topic: &str,
        position: Position,
    ) -> Result<ReadBack, Error> {
        let Position {
            source,
            partition,
            offset,
        } = position;
        let record = |_, message: &BorrowedMessage<'_>| delivery(source, message);
        let place = (topic, (partition, offset));
        // The running partitions wait too: longer only when the record was not asked for yet.
        let is_asked = self.place.as_ref() == Some(&(topic.to_owned(), partition, offset));
        let wait = if is_asked { CHUNK_WAIT } else { RECORD_WAIT };
        let one = ReadLimit::of_records(1);
        let chunk = match self.read_of(place, (one, wait), offset.saturating_add(1), record) {
            Ok(chunk) => chunk,
            // It was removed from the topic meanwhile; where the topic begins is asked for again.
            Err(error) if is_out_of_range(&error) => {
                self.place = None;
                return Ok(ReadBack::NotYet);
            }
            Err(error) => return Err(cannot_read(connection, topic, partition, &error)),
        };
        let mut found = chunk.records.into_iter();
        Ok(match found.next() {
            Some(found) if found.position == position => ReadBack::Found {
                record_time: found.record_time,
                key: found.key,
                value: found.payload,
            },
            Some(_) => ReadBack::Missing,
            None if chunk.remaining == 0 => ReadBack::Missing,
            None => ReadBack::NotYet,
        })
    }

    fn read_of<T>(
        &mut self,
        (topic, (partition, from)): (&str, (Partition, u64)),
        (limit, wait): (ReadLimit, Duration),
        end: u64,
        record: impl Fn(u64, &BorrowedMessage<'_>) -> T,
    ) -> KafkaResult<Chunk<T>> {
        let mut chunk = Chunk {
            records: Vec::new(),
            offset_next: from,
            remaining: end.saturating_sub(from),
        };
        if chunk.remaining == 0 {
            // What is being fetched of another place goes on.
            return Ok(chunk);
        }
        let place = (topic.to_owned(), partition, from);
        if self.place.as_ref() != Some(&place) {
            self.place_at(topic, partition, from)?;
        }
        let started = Instant::now();
        let mut bytes_read = 0;
        while chunk.remaining > 0 && chunk.records.len() < limit.records && bytes_read < limit.bytes
        {
            let left = wait.saturating_sub(started.elapsed());
            let polled = self.consumer.poll(left);
            let is_over = polled.is_none() && left.is_zero();
            match polled {
                Some(Ok(message)) => {
                    let offset = u64::try_from(message.offset()).unwrap_or(0);
                    bytes_read += message.key_len() + message.payload_len();
                    chunk.records.push(record(offset, &message));
                    chunk.offset_next = offset + 1;
                    chunk.remaining = end.saturating_sub(chunk.offset_next);
                    continue;
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(error),
            }
            // Control and aborted records move the position, never a delivery. Asking for it costs as much as a record.
            let position = self.position(topic, partition)?;
            chunk.offset_next = chunk.offset_next.max(position.unwrap_or(from));
            chunk.remaining = end.saturating_sub(chunk.offset_next);
            if is_over {
                break;
            }
        }
        self.place = Some((topic.to_owned(), partition, chunk.offset_next));
        if chunk.remaining == 0 {
            self.place = None;
            self.consumer.unassign()?;
        }
        Ok(chunk)
    }

    fn place_at(&mut self, topic: &str, partition: Partition, from: u64) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(topic, number(partition), offset(from))?;
        self.consumer.assign(&list)
    }

    fn position(&self, topic: &str, partition: Partition) -> KafkaResult<Option<u64>> {
        let positions = self.consumer.position()?;
        Ok(position_in(&positions, topic, partition))
    }
}

fn cannot_read(
    connection: &Connection,
    topic: &str,
    partition: Partition,
    error: &KafkaError,
) -> Error {
    connection.unusable(format!(
        "cannot read partition {partition} of {topic}: {error}"
    ))
}

/// The topic does not have the offset.
fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}
