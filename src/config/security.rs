//! How segstream and the Kafka cluster authenticate each other: librdkafka's keys for TLS and SASL.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::config::reader::Reader;
use crate::config::secret::Secret;

const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", ""];

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

    /// The settings that name a file, and the files.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let each = FILES.into_iter();
        each.filter_map(|(key, theirs)| Some((key, Path::new(self.0.get(theirs)?.reveal()))))
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

pub(super) fn security(reader: &mut Reader) -> Option<Security> {
    let protocol = reader.one_of(
        "kafka.security.protocol",
        &PROTOCOLS.map(|word| (word, word)),
    );
    let mechanism = reader.one_of(
        "kafka.security.sasl_mechanism",
        &MECHANISMS.map(|word| (word, word)),
    );
    let mut given = BTreeMap::new();
    for (key, theirs) in [
        ("kafka.security.username", "sasl.username"),
        ("kafka.security.password", "sasl.password"),
        ("kafka.security.key_password", "ssl.key.password"),
    ] {
        if let Some(text) = reader.text(key).filter(|text| !text.is_empty()) {
            given.insert(theirs.to_owned(), Secret::new(text));
        }
    }
    let mut are_readable = true;
    for (key, theirs) in FILES {
        match reader.optional_file(key) {
            Some(Some(path)) => {
                let path = path.to_string_lossy().into_owned();
                given.insert(theirs.to_owned(), Secret::new(path));
            }
            Some(None) => {}
            None => are_readable = false,
        }
    }
    let (protocol, mechanism) = (protocol?, mechanism?);
    if !are_readable || !fits(reader, protocol, mechanism, &given) {
        return None;
    }
    if protocol.starts_with("sasl") {
        given.insert(
            "sasl.mechanisms".to_owned(),
            Secret::new(mechanism.to_owned()),
        );
    }
    if protocol != "plaintext" {
        given.insert(
            "security.protocol".to_owned(),
            Secret::new(protocol.to_owned()),
        );
    }
    Some(Security(given))
}

const FILES: [(&str, &str); 3] = [
    ("kafka.security.ca_file", "ssl.ca.location"),
    (
        "kafka.security.certificate_file",
        "ssl.certificate.location",
    ),
    ("kafka.security.key_file", "ssl.key.location"),
];

/// Refuses a protocol without what it needs, and what the protocol would leave without effect: a password that is not sent
/// is a mistake.
fn fits(
    reader: &mut Reader,
    protocol: &str,
    mechanism: &str,
    given: &BTreeMap<String, Secret>,
) -> bool {
    let has = |theirs: &str| given.contains_key(theirs);
    // The client's own default is a mechanism that is not built in.
    let is_complete = !mechanism.is_empty() && has("sasl.username") && has("sasl.password");
    if protocol.starts_with("sasl") && !is_complete {
        reader.problem(
            "kafka.security.protocol",
            "allowed without kafka.security.sasl_mechanism, username and password",
        );
        return false;
    }
    let (certificate, key) = ("kafka.security.certificate_file", "kafka.security.key_file");
    let pair = [
        (certificate, has("ssl.certificate.location")),
        (key, has("ssl.key.location")),
    ];
    if let [(one, true), (other, false)] | [(other, false), (one, true)] = pair {
        reader.problem(one, &format!("allowed without {other}"));
        return false;
    }
    let of_tls = FILES.into_iter().filter(|(_, theirs)| has(theirs));
    let of_tls = of_tls.map(|(key, _)| (key, "ssl or sasl_ssl"));
    let of_sasl = [
        ("kafka.security.username", "sasl.username"),
        ("kafka.security.password", "sasl.password"),
    ];
    let of_sasl = of_sasl.into_iter().filter(|(_, theirs)| has(theirs));
    let of_sasl = of_sasl.map(|(key, _)| (key, "sasl_plaintext or sasl_ssl"));
    let without_tls = of_tls.filter(|_| !protocol.ends_with("ssl"));
    let without_sasl = of_sasl.filter(|_| !protocol.starts_with("sasl"));
    let vain: Vec<_> = without_tls.chain(without_sasl).collect();
    for (key, needed) in &vain {
        reader.problem(
            key,
            &format!("of any effect: kafka.security.protocol is {protocol}, not {needed}"),
        );
    }
    vain.is_empty()
}
