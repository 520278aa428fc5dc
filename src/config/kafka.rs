//! How the Kafka cluster is reached, and the names of the topics.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::security::Security;
use crate::config::security::security;

/// How batches of records may be compressed, by the client's names.
const COMPRESSIONS: [&str; 3] = ["none", "lz4", "zstd"];

/// The cluster.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// Addresses; empty: none.
    pub brokers: String,
    /// The consumer group.
    pub group_id: String,
    /// A member that does not answer loses its partitions after this time.
    pub session_timeout: Duration,
    /// An open transaction is aborted after this time.
    pub transaction_timeout: Duration,
    /// How batches of records are compressed: `none`, `lz4` or `zstd`.
    pub compression: &'static str,
    /// TLS and SASL.
    pub security: Security,
}

pub(super) fn kafka(reader: &mut Reader) -> Option<Kafka> {
    let second = Duration::from_secs(1);
    let brokers = reader.text("kafka.brokers");
    let group_id = reader.name("kafka.group_id");
    let session_timeout = reader.duration("kafka.session_timeout", second, second * 1800);
    let transaction_timeout = reader.duration("kafka.transaction_timeout", second, second * 900);
    let allowed = "\"none\", \"lz4\" or \"zstd\"";
    let compression = reader.parsed("kafka.compression", allowed, |text| {
        COMPRESSIONS.into_iter().find(|known| *known == text)
    });
    let security = security(reader);
    Some(Kafka {
        brokers: brokers?,
        group_id: group_id?,
        session_timeout: session_timeout?,
        transaction_timeout: transaction_timeout?,
        compression: compression?,
        security: security?,
    })
}
