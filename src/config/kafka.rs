//! How the Kafka cluster is reached, and the names of the topics.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::security::Security;
use crate::config::security::security;

/// How batches of records may be compressed, by the client's names.
const COMPRESSIONS: [&str; 3] = ["none", "lz4", "zstd"];

const BROKERS: &str = "addresses host:port with ports from 1 to 65535, separated by commas, without kafka:// before them";

/// Whether a text is empty or has addresses. A host without a port has the client's own, 9092.
fn are_brokers(text: &str) -> bool {
    let is_host = |host: &str| {
        let is_of_a_host = |letter: char| letter.is_alphanumeric() || ".-_[]:%".contains(letter);
        !host.is_empty() && host.chars().all(is_of_a_host)
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_address = |address: &str| match address.rsplit_once(':') {
        // The colons of an address of IPv6 in brackets.
        Some((_, after)) if after.ends_with(']') => is_host(address),
        Some((host, port)) => is_host(host) && is_port(port),
        None => is_host(address),
    };
    text.is_empty() || text.split(',').map(str::trim).all(is_address)
}

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
    let brokers = reader.parsed("kafka.brokers", BROKERS, |text| {
        are_brokers(text).then(|| text.to_owned())
    });
    let group_id = reader.name("kafka.group_id");
    let session_timeout = reader.duration("kafka.session_timeout", second, second * 1800);
    let transaction_timeout = reader.duration("kafka.transaction_timeout", second, second * 900);
    let compressions = COMPRESSIONS.map(|word| (word, word));
    let compression = reader.one_of("kafka.compression", &compressions);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_hosts_with_ports() {
        for (text, expected) in [
            ("", true),
            ("localhost:9092", true),
            ("a:1,b:65535", true),
            ("a:1, b:2", true),
            ("kafka-1.internal", true),
            ("[::1]:9092", true),
            ("[::1]", true),
            ("kafka://a:9092", false),
            ("PLAINTEXT://a:9092", false),
            ("a:9092;b:9092", false),
            ("a:9092 b:9092", false),
            ("a:0", false),
            ("a:65536", false),
            ("a:", false),
            (":9092", false),
            ("a:9092,", false),
        ] {
            assert_eq!(are_brokers(text), expected, "{text:?}");
        }
    }
}
