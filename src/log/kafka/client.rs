//! Settings of librdkafka's clients. Each key that departs from its default says why.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::topic::TopicNames;
use crate::log::Error;

/// The client refuses larger records.
pub(super) const RECORD_BYTES_MAX: u64 = 64 << 20;
/// How long a cluster may take to answer when a command starts.
pub(super) const START_WAIT: Duration = Duration::from_secs(10);

/// What a store made from the changelog depends on.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) lineage: String,
    /// `delete.retention.ms` of the changelog.
    pub(super) tombstones_kept: Duration,
}

/// How to reach the cluster, and under which names to work there.
#[derive(Clone)]
pub struct Connection {
    /// Addresses, as `host:port,host:port`.
    pub brokers: String,
    /// The consumer group.
    pub group_id: String,
    /// Identity of this process; transactional ids and static membership are made from it.
    pub instance_id: String,
    /// A member that is silent for so long loses its partitions.
    pub session_timeout: Duration,
    /// The broker aborts a transaction that is open for so long.
    pub transaction_timeout: Duration,
    /// How batches of records are compressed: `none`, `lz4` or `zstd`.
    pub compression: &'static str,
    /// Names of the topics.
    pub topics: TopicNames,
    /// librdkafka's own keys for TLS and SASL; may hold secrets.
    pub security: BTreeMap<String, String>,
    /// Record times move the partition clocks (`time.clock=event`).
    pub is_event_clock: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("brokers", &self.brokers)
            .field("group_id", &self.group_id)
            .field("instance_id", &self.instance_id)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The id under which a worker's transactions are fenced.
    #[must_use]
    pub fn transactional_id(&self, worker: usize) -> String {
        format!("{}-{}-{worker}", self.group_id, self.instance_id)
    }

    /// The name under which the group and the broker show the clients of this process.
    pub(super) fn client_id(&self) -> String {
        format!("segstream-{}", self.instance_id)
    }

    /// What every client has in common.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", self.client_id());
        for (key, value) in &self.security {
            config.set(key, value);
        }
        config
    }

    /// The member of the group.
    #[must_use]
    pub fn member(&self, worker: usize) -> ClientConfig {
        let mut config = self.reader();
        let session_ms = self.session_timeout.as_millis();
        let transaction_ms = self.transaction_timeout.as_millis();
        let poll_interval_ms = (3 * transaction_ms).max(session_ms).max(300_000);
        config
            .set(
                "group.instance.id",
                format!("{}-{worker}", self.instance_id),
            )
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session_ms.to_string())
            .set(
                "heartbeat.interval.ms",
                (session_ms / 10).max(100).to_string(),
            )
            .set("enable.partition.eof", "false")
            // A commit may take as long as its transaction, and an abort after it again.
            .set("max.poll.interval.ms", poll_interval_ms.to_string())
            // Larger fetches cost less, and they wait for less than a commit interval.
            .set("fetch.min.bytes", "100000")
            .set("fetch.wait.max.ms", "40");
        config
    }

    /// Reads committed records of partitions that are assigned by hand.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", &self.group_id)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            // The default skips to the end without a message.
            .set("auto.offset.reset", "error")
            // The default of a second leaves a fast reader idle most of the time.
            .set("fetch.queue.backoff.ms", "5")
            .set("queued.max.messages.kbytes", "2048");
        config
    }

    /// The reader of transfers.
    pub(super) fn transfer_reader(&self) -> ClientConfig {
        let mut config = self.reader();
        config
            .set("enable.partition.eof", "false")
            // As the member of the group: larger fetches cost less.
            .set("fetch.min.bytes", "100000")
            .set("fetch.wait.max.ms", "40");
        config
    }

    /// Asks for the real ends of partitions, open transactions included.
    pub(super) fn metadata_client(&self) -> ClientConfig {
        let mut config = self.reader();
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// The transactional producer of a worker.
    #[must_use]
    pub fn transactional(&self, worker: usize) -> ClientConfig {
        let mut config = self.producer();
        config
            .set("transactional.id", self.transactional_id(worker))
            .set(
                "transaction.timeout.ms",
                self.transaction_timeout.as_millis().to_string(),
            );
        config
    }

    /// An idempotent producer.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            // Java's, so that every client agrees on a key's partition.
            .set("partitioner", "murmur2_random")
            // The changes of a batch are alike, so compression saves most of their bytes on the broker.
            .set("compression.type", self.compression)
            // A commit sends all its records at once and waits for them.
            .set("linger.ms", "1")
            // The topics decide what is too large.
            .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
            .set("queue.buffering.max.messages", "1000000");
        config
    }

    /// An error of reading a source.
    pub(super) fn cannot_read(&self, topic: &str, error: &KafkaError) -> Error {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => self
                .unusable(format!(
                    "{topic} no longer holds the records that the state continues with: it was shortened or made anew"
                )),
            Some(_) | None => self.unusable(format!("cannot read {topic}: {error}")),
        }
    }

    /// An error with what a person can do about it.
    pub(super) fn unusable(&self, problem: impl Into<String>) -> Error {
        Error::Unusable {
            path: format!("Kafka at {}", self.brokers),
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::log::kafka) fn connection() -> Connection {
        Connection {
            brokers: "b:1".to_owned(),
            group_id: "group".to_owned(),
            instance_id: "instance".to_owned(),
            session_timeout: Duration::from_secs(45),
            transaction_timeout: Duration::from_secs(15),
            compression: "lz4",
            topics: TopicNames {
                events: "events".to_owned(),
                transfers: Some("transfers".to_owned()),
                state: "state".to_owned(),
                changes: "changes".to_owned(),
                current: "current".to_owned(),
                dead_letters: "letters".to_owned(),
            },
            security: BTreeMap::new(),
            is_event_clock: false,
        }
    }
}
