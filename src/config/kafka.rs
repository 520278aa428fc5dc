//! How the Kafka cluster is reached, and the names of the topics.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::settings::Secret;

const PROTOCOLS: &str = "one of plaintext, ssl, sasl_plaintext, sasl_ssl";
const MECHANISMS: &str = "one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512";

/// Names of the topics, on Kafka and in causes and dead letters.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Input.
    pub events: String,
    /// Changes.
    pub changes: String,
    /// Latest change by customer.
    pub current: String,
    /// The state changelog.
    pub state: String,
    /// Dead letters.
    pub dead_letters: String,
    /// Partitions of topics that are made.
    pub partitions: u32,
    /// Replicas of topics that are made; -1: the broker's default.
    pub replication_factor: i32,
}

/// The cluster.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// Addresses; empty: none.
    pub brokers: String,
    /// The consumer group.
    pub group_id: String,
    /// A silent member loses its partitions after this time.
    pub session_timeout: Duration,
    /// An open transaction is aborted after this time.
    pub transaction_timeout: Duration,
    /// TLS and SASL.
    pub security: Security,
}

/// librdkafka's keys for TLS and SASL.
#[derive(Clone)]
pub struct Security(BTreeMap<String, Secret>);

impl Security {
    /// Keys and values for a client.
    pub fn reveal(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.reveal()))
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

pub(super) fn topics(reader: &mut Reader) -> Option<Topics> {
    let events = reader.name("topics.events");
    let changes = reader.name("topics.changes");
    let current = reader.name("topics.current");
    let state = reader.name("topics.state");
    let dead_letters = reader.name("topics.dead_letters");
    let names = [
        ("topics.events", &events),
        ("topics.changes", &changes),
        ("topics.current", &current),
        ("topics.state", &state),
        ("topics.dead_letters", &dead_letters),
    ];
    let are_distinct = are_distinct(reader, &names);
    let partitions = reader.integer("topics.partitions", 1, 10_000);
    let replication_factor = reader.parsed("topics.replication_factor", "-1 or 1 to 15", |text| {
        let factor: i32 = text.parse().ok()?;
        (factor == -1 || (1..=15).contains(&factor)).then_some(factor)
    });
    are_distinct.then_some(())?;
    Some(Topics {
        events: events?,
        changes: changes?,
        current: current?,
        state: state?,
        dead_letters: dead_letters?,
        partitions: u32::try_from(partitions?).ok()?,
        replication_factor: replication_factor?,
    })
}

/// Two topics of one name would read and overwrite each other's records.
fn are_distinct(reader: &mut Reader, names: &[(&str, &Option<String>)]) -> bool {
    let mut are_distinct = true;
    for (at, (key, name)) in names.iter().enumerate() {
        let mut before = names.iter().take(at);
        let same = before.find(|(_, other)| name.is_some() && other == name);
        if let Some((other, _)) = same {
            reader.problem(key, &format!("a name of its own: {other} has it too"));
            are_distinct = false;
        }
    }
    are_distinct
}

pub(super) fn kafka(reader: &mut Reader) -> Option<Kafka> {
    let second = Duration::from_secs(1);
    let brokers = reader.text("kafka.brokers");
    let group_id = reader.name("kafka.group_id");
    let session_timeout = reader.duration("kafka.session_timeout", second, second * 1800);
    let transaction_timeout = reader.duration("kafka.transaction_timeout", second, second * 900);
    let security = security(reader);
    Some(Kafka {
        brokers: brokers?,
        group_id: group_id?,
        session_timeout: session_timeout?,
        transaction_timeout: transaction_timeout?,
        security: security?,
    })
}

fn security(reader: &mut Reader) -> Option<Security> {
    let protocol = reader.parsed("kafka.security.protocol", PROTOCOLS, |text| {
        let is_known = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].contains(&text);
        is_known.then(|| text.to_owned())
    });
    let mechanism = reader.parsed("kafka.security.sasl_mechanism", MECHANISMS, |text| {
        let is_known = ["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].contains(&text);
        is_known.then(|| text.to_owned())
    });
    let mut given = BTreeMap::new();
    for (key, theirs) in [
        ("kafka.security.username", "sasl.username"),
        ("kafka.security.password", "sasl.password"),
        ("kafka.security.ca_file", "ssl.ca.location"),
        (
            "kafka.security.certificate_file",
            "ssl.certificate.location",
        ),
        ("kafka.security.key_file", "ssl.key.location"),
        ("kafka.security.key_password", "ssl.key.password"),
    ] {
        if let Some(text) = reader.text(key).filter(|text| !text.is_empty()) {
            given.insert(theirs.to_owned(), Secret::new(text));
        }
    }
    let (protocol, mechanism) = (protocol?, mechanism?);
    if protocol.starts_with("sasl") {
        // The client's own default is a mechanism that is not built in.
        let is_complete = !mechanism.is_empty()
            && given.contains_key("sasl.username")
            && given.contains_key("sasl.password");
        if !is_complete {
            reader.problem(
                "kafka.security.protocol",
                "allowed without kafka.security.sasl_mechanism, username and password",
            );
            return None;
        }
        given.insert("sasl.mechanisms".to_owned(), Secret::new(mechanism));
    }
    if protocol != "plaintext" {
        given.insert("security.protocol".to_owned(), Secret::new(protocol));
    }
    Some(Security(given))
}
