//! What the client library says by itself. Its lines about connections are no news for the log: whatever needs the cluster
//! says what it misses, with the client's last reason.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

use crate::log::Error;
use crate::log::kafka::client::Connection;

/// How long a reason is waited for after a call has failed: the client gives it from a thread of its own.
const REASON_PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked for meanwhile.
const REASON_LOOK: Duration = Duration::from_millis(20);

/// What the client says where it can reach none of the brokers.
const ARE_DOWN: &str = "brokers are down";

/// A client that asks the cluster and reads nothing.
pub(super) type Asker = BaseConsumer<Reasons>;

/// Why the client could not do what it was asked, in its last words.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons(Arc<Mutex<Option<String>>>);

impl Reasons {
    /// Keeps a reason; that all brokers are down says less than why.
    fn keep(&self, reason: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none() || !reason.contains(ARE_DOWN) {
            *last = Some(without_thread(reason).to_owned());
        }
    }

    fn last(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

/// An error of a call, with the client's reason if it gives one within a moment.
pub(super) fn explain(client: &Asker, error: &KafkaError) -> String {
    let deadline = Instant::now() + REASON_PATIENCE;
    let mut is_last = false;
    loop {
        // The client's lines come with its records, of which there are none.
        drop(client.poll(REASON_LOOK));
        match client.context().last() {
            Some(reason) if is_last || !reason.contains(ARE_DOWN) => {
                return format!("{error}: {reason}");
            }
            None if is_last => return error.to_string(),
            Some(_) | None => is_last = Instant::now() >= deadline,
        }
    }
}

impl ClientContext for Reasons {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if is_failure(level) {
            self.keep(message);
        }
        line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.keep(reason);
        tracing::debug!(%error, reason, "Kafka client");
    }
}

impl ConsumerContext for Reasons {}

/// A client that asks the cluster.
pub(super) fn asker(connection: &Connection) -> Result<Asker, Error> {
    let created = connection
        .metadata_client()
        .create_with_context(Reasons::default());
    created.map_err(|error| connection.unusable(wrong_security(connection, &error)))
}

/// A client could not be made of the settings.
pub(super) fn wrong_security(connection: &Connection, error: &KafkaError) -> String {
    // The library's own text of a wrong setting has the value, which may be a secret.
    let said = if let KafkaError::ClientCreation(reason) = error {
        reason.clone()
    } else if let KafkaError::ClientConfig(_, reason, key, _) = error {
        format!("{key}: {reason}")
    } else {
        error.to_string()
    };
    let ours = [
        ("ssl.ca.location", "kafka.security.ca_file"),
        (
            "ssl.certificate.location",
            "kafka.security.certificate_file",
        ),
        ("ssl.key.location", "kafka.security.key_file"),
        ("ssl.key.password", "kafka.security.key_password"),
        ("sasl.mechanisms", "kafka.security.sasl_mechanism"),
        ("security.protocol", "kafka.security.protocol"),
    ];
    let said = ours.iter().fold(said, |said, (theirs, key)| {
        let path = connection.security.get(*theirs);
        let path = path.filter(|_| theirs.ends_with("location"));
        let shown = path.map_or_else(|| (*key).to_owned(), |path| format!("{key} {path}"));
        said.replace(theirs, &shown)
    });
    format!("kafka.security is wrong: {said}")
}

fn is_failure(level: RDKafkaLogLevel) -> bool {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => true,
        RDKafkaLogLevel::Warning
        | RDKafkaLogLevel::Notice
        | RDKafkaLogLevel::Info
        | RDKafkaLogLevel::Debug => false,
    }
}

/// One line of the client library. A client that cannot go on is an error; a connection that failed is tried again.
pub(super) fn line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning
        | RDKafkaLogLevel::Notice
        | RDKafkaLogLevel::Info => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => {
            tracing::trace!(target: "librdkafka", facility, "{message}");
        }
    }
}

/// The library names its thread first.
fn without_thread(message: &str) -> &str {
    let rest = message.strip_prefix("[thrd:");
    let after = rest.and_then(|rest| rest.split_once("]: "));
    after.map_or(message, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failure_is_the_clients_last_one() {
        let reasons = Reasons::default();
        let refused = "[thrd:a:1/bootstrap]: a:1/bootstrap: Connect to ipv4#1.1.1.1:1 failed: \
                       Connection refused";
        reasons.log(RDKafkaLogLevel::Notice, "X", "nothing");
        assert_eq!(reasons.last(), None);
        reasons.log(RDKafkaLogLevel::Error, "FAIL", refused);
        reasons.error(KafkaError::Canceled, "1/1 brokers are down");
        let kept = "a:1/bootstrap: Connect to ipv4#1.1.1.1:1 failed: Connection refused";
        assert_eq!(reasons.last().as_deref(), Some(kept));
    }
}
