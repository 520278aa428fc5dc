//! Sends events to an input topic: for replays, where this program is the retailer's platform.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use rdkafka::producer::ProducerContext;
use rdkafka::producer::ThreadedProducer;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::util::Timeout;

use crate::domain::time::Timestamp;
use crate::log::Error;
use crate::log::kafka::admin;
use crate::log::kafka::admin::Settings;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client_lines;
use crate::log::kafka::size_limits::SizeLimits;

/// Between two tries while the client's queue is full.
const FULL_WAIT: Duration = Duration::from_millis(1);

#[derive(Clone, Default)]
struct Context(Arc<Mutex<Option<KafkaError>>>);

impl Context {
    fn first_error(&self) -> Option<KafkaError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_lines::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "Kafka producer");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.clone());
        }
    }
}

/// What a topic does with events and their record times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    /// The broker replaces record times.
    are_replaced: bool,
    /// Only the last event of each customer stays.
    is_compacted: bool,
    /// Older records are removed.
    retention_ms: Option<u64>,
    /// The broker refuses records that are older than this.
    before_ms: Option<u64>,
    /// The broker refuses records that are further ahead than this.
    after_ms: Option<u64>,
}

impl Times {
    fn of(settings: &Settings, topic: &str) -> Self {
        let of_topic = settings.get(topic);
        let text = |key: &str| of_topic.and_then(|settings| settings.get(key)?.as_str().into());
        let policy: Option<&str> = text("cleanup.policy");
        let is_deleted = policy.is_none_or(|policy| policy.contains("delete"));
        // -1, without a limit, is no number of this kind.
        let retention_ms = admin::number(settings, topic, "retention.ms");
        Self {
            are_replaced: text("message.timestamp.type") == Some("LogAppendTime"),
            is_compacted: policy.is_some_and(|policy| policy.contains("compact")),
            retention_ms: retention_ms.filter(|_| is_deleted),
            before_ms: admin::number(settings, topic, "message.timestamp.before.max.ms"),
            after_ms: admin::number(settings, topic, "message.timestamp.after.max.ms"),
        }
    }

    fn problem(
        self,
        record_times: impl Iterator<Item = Timestamp>,
        wall: Timestamp,
    ) -> Option<String> {
        if self.are_replaced {
            let problem = "message.timestamp.type=LogAppendTime: the broker would replace the times \
                 of the events by its own; set it to CreateTime";
            return Some(problem.to_owned());
        }
        if self.is_compacted {
            let problem = "a cleanup.policy with compact: the broker would remove all events of a \
                 customer but the last; set it to delete";
            return Some(problem.to_owned());
        }
        let (mut oldest, mut newest) = (None, None);
        for record_time in record_times {
            oldest = Some(oldest.map_or(record_time, |oldest: Timestamp| oldest.min(record_time)));
            newest = newest.max(Some(record_time));
        }
        let (oldest, newest) = (oldest?, newest?);
        let ahead_ms = i128::from(newest.as_milliseconds()) - i128::from(wall.as_milliseconds());
        let age_ms = i128::from(wall.as_milliseconds()) - i128::from(oldest.as_milliseconds());
        let is_beyond =
            |limit: Option<u64>, by_ms: i128| limit.filter(|limit| by_ms > i128::from(*limit));
        if let Some(retention_ms) = is_beyond(self.retention_ms, age_ms) {
            return Some(format!(
                "retention.ms={retention_ms}, and the oldest event is of {oldest}: the broker would \
                 remove it; set it to -1"
            ));
        }
        if let Some(before_ms) = is_beyond(self.before_ms, age_ms) {
            return Some(format!(
                "message.timestamp.before.max.ms={before_ms}, and the oldest event is of {oldest}: the broker would \
                 refuse it; set it to {}",
                i64::MAX
            ));
        }
        let after_ms = is_beyond(self.after_ms, ahead_ms)?;
        Some(format!(
            "message.timestamp.after.max.ms={after_ms}, and the newest event is of {newest}: the broker would refuse it"
        ))
    }
}

/// An idempotent producer of events.
pub struct EventProducer {
    connection: Connection,
    topic: String,
    times: Times,
    producer: ThreadedProducer<Context>,
    context: Context,
}

impl std::fmt::Debug for EventProducer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EventProducer")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl EventProducer {
    /// A producer to `topic`.
    ///
    /// # Errors
    /// If the settings do not make a client.
    pub fn open(connection: Connection, topic: &str) -> Result<Self, Error> {
        let context = Context::default();
        admin::require_answer(&connection, topic)?;
        let settings = admin::settings(&connection, &[topic]).unwrap_or_else(|error| {
            tracing::warn!(%error, topic, "the settings of the topic are not known");
            Settings::new()
        });
        let mut config = connection.producer();
        SizeLimits::without_dead_letters(&settings).bound(&mut config);
        let producer = ThreadedProducer::from_config_and_context(&config, context.clone())
            .map_err(|error| {
                connection.unusable(client_lines::wrong_security(&connection, &error))
            })?;
        Ok(Self {
            times: Times::of(&settings, topic),
            connection,
            topic: topic.to_owned(),
            producer,
            context,
        })
    }

    /// Checks that the topic keeps events of these record times, and their record times; `wall` is the wall time. What is
    /// not known of the topic is not checked.
    ///
    /// # Errors
    /// What is wrong with the topic's settings.
    pub fn check_times(
        &self,
        record_times: impl Iterator<Item = Timestamp>,
        wall: Timestamp,
    ) -> Result<(), Error> {
        match self.times.problem(record_times, wall) {
            Some(problem) => Err(self
                .connection
                .unusable(format!("{} has {problem}", self.topic))),
            None => Ok(()),
        }
    }

    /// Hands one event to the client, waiting while its queue is full.
    ///
    /// # Errors
    /// If an earlier event could not be delivered.
    pub fn send(
        &self,
        key: Option<&[u8]>,
        payload: &[u8],
        record_time: Timestamp,
    ) -> Result<(), Error> {
        let mut record = BaseRecord {
            topic: &self.topic,
            partition: None,
            payload: Some(payload),
            key,
            timestamp: Some(record_time.as_milliseconds()),
            headers: None,
            delivery_opaque: (),
        };
        loop {
            self.check()?;
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    std::thread::park_timeout(FULL_WAIT);
                }
                Err((error, _)) => return Err(self.failed(&error)),
            }
        }
    }

    /// Waits until everything that was sent is acknowledged.
    ///
    /// # Errors
    /// If an event could not be delivered.
    pub fn finish(&self) -> Result<(), Error> {
        self.producer
            .flush(Timeout::Never)
            .map_err(|error| self.failed(&error))?;
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
        match self.context.first_error() {
            Some(error) => Err(self.failed(&error)),
            None => Ok(()),
        }
    }

    fn failed(&self, error: &KafkaError) -> Error {
        let topic = &self.topic;
        self.connection
            .unusable(format!("an event could not be sent to {topic}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn times(entries: &[(&str, &str)]) -> Times {
        let entries = entries.iter();
        let of_topic = entries.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let settings = BTreeMap::from([("topic".to_owned(), of_topic.collect())]);
        Times::of(&settings, "topic")
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds).unwrap()
    }

    #[test]
    fn events_that_the_topic_would_remove_are_refused_with_the_time_of_the_oldest() {
        let wall = at(1_000_000);
        let second = times(&[("retention.ms", "1000")]);
        // The broker removes what is older than 999,000.
        let problem = |times: Times, of: &[i64]| times.problem(of.iter().map(|ms| at(*ms)), wall);
        assert_eq!(problem(second, &[999_000, 1_000_000, 2_000_000]), None);
        assert_eq!(problem(second, &[]), None);
        assert!(problem(second, &[998_999, 999_000]).is_some());
        let said = problem(second, &[999_000, 0, 5000]).unwrap();
        let expected = "the oldest event is of 1970-01-01T00:00:00.000Z";
        assert!(said.contains(expected), "{said}");
        for unlimited in [times(&[("retention.ms", "-1")]), times(&[])] {
            assert_eq!(problem(unlimited, &[0, 1_000_000]), None);
        }
        let longest = times(&[("retention.ms", "9223372036854775807")]);
        assert_eq!(problem(longest, &[0]), None);
    }

    #[test]
    fn events_that_the_broker_would_refuse_for_their_times_are_refused_with_the_setting() {
        let problem = |setting: &str, milliseconds: i64| {
            let times = times(&[(setting, "1000")]);
            times.problem([at(milliseconds), at(1_000_000)].into_iter(), at(1_000_000))
        };
        // By hand: a second before and after the wall time.
        for (setting, allowed, refused) in [
            ("message.timestamp.before.max.ms", 999_000, 998_999),
            ("message.timestamp.after.max.ms", 1_001_000, 1_001_001),
        ] {
            assert_eq!(problem(setting, allowed), None);
            assert!(problem(setting, refused).unwrap().starts_with(setting));
        }
    }

    #[test]
    fn a_topic_that_is_compacted_takes_no_event_whatever_its_retention() {
        let problem = |policy: &str, retention: &str| {
            let settings = [("cleanup.policy", policy), ("retention.ms", retention)];
            times(&settings).problem(std::iter::once(at(0)), at(1_000_000))
        };
        for policy in ["compact", "compact,delete"] {
            for retention in ["-1", "1000"] {
                let said = problem(policy, retention).unwrap();
                assert!(said.contains("set it to delete"), "{said}");
            }
        }
        assert_eq!(problem("delete", "-1"), None);
        assert!(problem("delete", "1000").is_some());
    }

    #[test]
    fn a_topic_that_replaces_record_times_takes_no_event() {
        let replacing = times(&[("message.timestamp.type", "LogAppendTime")]);
        let said = replacing.problem(std::iter::once(at(0)), at(0));
        assert!(said.unwrap().contains("set it to CreateTime"));
        let keeping = times(&[("message.timestamp.type", "CreateTime")]);
        assert_eq!(keeping.problem(std::iter::once(at(0)), at(0)), None);
    }
}
