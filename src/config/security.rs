//! How segstream and the Kafka cluster authenticate each other: librdkafka's keys for TLS and SASL.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::reader::Reader;
use crate::config::secret::Secret;

const PROTOCOLS: &str = "one of plaintext, ssl, sasl_plaintext, sasl_ssl";
const MECHANISMS: &str = "one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512";

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

pub(super) fn security(reader: &mut Reader) -> Option<Security> {
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
