//! How large records and batches may be: the limits of the topics to which a producer writes.

use std::borrow::Cow;

use rdkafka::ClientConfig;

use crate::domain::topic::Topic;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::fitting;
use crate::log::kafka::admin;
use crate::log::kafka::admin::Settings;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client::RECORD_BYTES_MAX;

/// librdkafka's default of `batch.size`.
const BATCH_BYTES: u64 = 1_000_000;

/// Limits of the topics, as they were when they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeLimits {
    /// Every topic takes a batch of this size, compressed or not. A record that is larger is a batch of its own.
    batch_bytes: u64,
    /// `max.message.bytes` of the dead letters, where it is known.
    dead_letter_bytes: Option<u64>,
}

impl SizeLimits {
    /// Those of the topics to which a transaction writes.
    ///
    /// # Errors
    /// If the cluster does not answer, or refuses.
    pub(super) fn of_outputs(connection: &Connection) -> Result<Self, Error> {
        let topics = connection.topics.each();
        let written = topics.filter(|(topic, _)| topic.row().is_output || *topic == Topic::State);
        let names: Vec<&str> = written.map(|(_, name)| name).collect();
        let settings = admin::settings(connection, &names)?;
        Ok(Self::of(&settings, &connection.topics.dead_letters))
    }

    /// Those of topics to which no dead letter goes; the client's default where they are not known.
    pub(super) fn without_dead_letters(settings: &Settings) -> Self {
        Self::of(settings, "")
    }

    fn of(settings: &Settings, dead_letters: &str) -> Self {
        let limit = |topic: &str| admin::number(settings, topic, "max.message.bytes");
        let smallest = settings.keys().filter_map(|topic| limit(topic)).min();
        Self {
            batch_bytes: smallest.unwrap_or(BATCH_BYTES).clamp(1, BATCH_BYTES),
            dead_letter_bytes: limit(dead_letters),
        }
    }

    /// Every topic takes a record of this size.
    pub(super) fn record_bytes(self) -> u64 {
        self.batch_bytes
    }

    /// Keeps the batches of a producer within the limits.
    pub(super) fn bound(self, config: &mut ClientConfig) {
        config.set("batch.size", self.batch_bytes.to_string());
    }

    /// A dead letter that the topic and the client take.
    pub(super) fn fitted(self, letter: &OutputRecord) -> Cow<'_, OutputRecord> {
        let topic_bytes = self.dead_letter_bytes.unwrap_or(RECORD_BYTES_MAX);
        let limit_bytes = topic_bytes.min(RECORD_BYTES_MAX);
        fitting::fitted(letter, usize::try_from(limit_bytes).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_batch_fits_the_smallest_limit_and_is_not_larger_than_the_default() {
        let of = |limits: &[(&str, &str)]| {
            let settings = limits.iter().map(|(topic, bytes)| {
                let entry = ("max.message.bytes".to_owned(), (*bytes).to_owned());
                ((*topic).to_owned(), BTreeMap::from([entry]))
            });
            SizeLimits::of(&settings.collect(), "letters")
        };
        let limits = |batch_bytes, dead_letter_bytes| SizeLimits {
            batch_bytes,
            dead_letter_bytes,
        };
        assert_eq!(of(&[]), limits(1_000_000, None));
        let large = [("state", "1048588"), ("letters", "2000000")];
        assert_eq!(of(&large), limits(1_000_000, Some(2_000_000)));
        let small = [
            ("state", "200000"),
            ("letters", "2000000"),
            ("x", "nonsense"),
        ];
        assert_eq!(of(&small), limits(200_000, Some(2_000_000)));
        assert_eq!(of(&[("letters", "300000")]), limits(300_000, Some(300_000)));
    }

    /// The client refuses a record of more than 64 MiB, whatever the topic takes.
    #[test]
    fn a_dead_letter_fits_the_client_too() {
        let letter = OutputRecord {
            key: None,
            value: Some(vec![b'a'; 70_000_000]),
            headers: Vec::new(),
            timestamp: Timestamp::default(),
        };
        for dead_letter_bytes in [None, Some(100_000_000)] {
            let limits = SizeLimits {
                batch_bytes: 1_000_000,
                dead_letter_bytes,
            };
            assert!(limits.fitted(&letter).bytes() < 1_000_000);
        }
    }
}
