//! The topics on the cluster: whether they are as the table says, and making them.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use rdkafka::admin::AdminClient;
use rdkafka::admin::AdminOptions;
use rdkafka::admin::ConfigResourceResult;
use rdkafka::admin::NewTopic;
use rdkafka::admin::ResourceSpecifier;
use rdkafka::admin::TopicReplication;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::topic::Cleanup;
use crate::domain::topic::Topic;
use crate::log::Error;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client::START_WAIT;
use crate::log::kafka::client_lines::Asker;
use crate::log::kafka::client_lines::Reasons;
use crate::log::kafka::client_lines::asker;
use crate::log::kafka::client_lines::explain;
use crate::log::kafka::client_lines::wrong_security;

/// A dead letter is the record as it came and headers of at most this size.
const DEAD_LETTER_HEADERS_BYTES: u64 = 64 * 1024;
/// Tombstones stay readable for a day, so that a store that old can catch up.
pub(super) const TOMBSTONES_MS: u64 = 24 * 3600 * 1000;
/// Changes and dead letters are kept for thirty days.
const OUTPUT_RETENTION_MS: &str = "2592000000";

/// Between two questions whether topics show.
pub(super) const SHOW_LOOK: Duration = Duration::from_millis(50);
/// A topic that no broker shows for so long is missing.
const SHOW_PATIENCE: Duration = Duration::from_secs(3);

/// Numbers for topics that are made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Partitions of each.
    pub partitions: u32,
    /// Replicas of each; -1: the broker's default.
    pub replication_factor: i32,
}

/// Asks again for a while until the answer is whole: brokers learn of a topic one after the other, and each question may
/// go to another one.
fn settled<T>(
    patience: Duration,
    is_whole: impl Fn(&T) -> bool,
    ask: impl Fn() -> Result<T, Error>,
) -> Result<T, Error> {
    let deadline = Instant::now() + patience;
    loop {
        let answer = ask()?;
        if is_whole(&answer) || Instant::now() >= deadline {
            return Ok(answer);
        }
        std::thread::park_timeout(SHOW_LOOK);
    }
}

/// Names and partition counts of the topics of the service that exist.
pub(super) fn existing_topics(
    connection: &Connection,
    client: &Asker,
) -> Result<BTreeMap<String, u32>, Error> {
    let topics = &connection.topics;
    let is_whole = |found: &BTreeMap<_, _>| topics.each().all(|(_, name)| found.contains_key(name));
    settled(SHOW_PATIENCE, is_whole, || shown_topics(connection, client))
}

/// Asks the cluster for a topic: a client that sends would wait long for one that does not answer.
pub(super) fn require_answer(connection: &Connection, topic: &str) -> Result<(), Error> {
    let client = asker(connection)?;
    let asked = client.fetch_metadata(Some(topic), START_WAIT);
    asked
        .map(drop)
        .map_err(|error| unanswered(connection, &client, &error))
}

fn unanswered(connection: &Connection, client: &Asker, error: &KafkaError) -> Error {
    connection.unusable(format!(
        "the cluster does not answer ({}): are kafka.brokers and kafka.security right, and is it up?",
        explain(client, error)
    ))
}

/// The topics that one broker shows.
fn shown_topics(connection: &Connection, client: &Asker) -> Result<BTreeMap<String, u32>, Error> {
    let metadata = client
        .fetch_metadata(None, START_WAIT)
        .map_err(|error| unanswered(connection, client, &error))?;
    let topics = &connection.topics;
    let is_ours = |name| topics.each().any(|(_, known)| known == name);
    Ok(metadata
        .topics()
        .iter()
        .filter(|topic| is_ours(topic.name()) && topic.error().is_none())
        .map(|topic| {
            let partitions = u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX);
            (topic.name().to_owned(), partitions)
        })
        .collect())
}

fn client(connection: &Connection) -> Result<AdminClient<Reasons>, Error> {
    let created = connection.client().create_with_context(Reasons::default());
    created.map_err(|error| connection.unusable(wrong_security(connection, &error)))
}

fn finish<T>(
    connection: &Connection,
    asked: impl Future<Output = Result<T, KafkaError>>,
) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| connection.unusable(format!("no runtime: {error}")))?;
    runtime
        .block_on(asked)
        .map_err(|error| connection.unusable(format!("the cluster refused: {error}")))
}

/// Settings of topics, by topic and key.
pub(super) type Settings = BTreeMap<String, BTreeMap<String, String>>;

pub(super) fn settings(connection: &Connection, topics: &[&str]) -> Result<Settings, Error> {
    if topics.is_empty() {
        return Ok(Settings::new());
    }
    let specifiers: Vec<ResourceSpecifier<'_>> = topics
        .iter()
        .map(|name| ResourceSpecifier::Topic(name))
        .collect();
    let admin = client(connection)?;
    let options = AdminOptions::new().request_timeout(Some(START_WAIT));
    let is_unknown = |resource: &ConfigResourceResult| {
        resource.as_ref().err() == Some(&RDKafkaErrorCode::UnknownTopicOrPartition)
    };
    let are_known = |described: &Vec<_>| !described.iter().any(is_unknown);
    let described = settled(SHOW_PATIENCE, are_known, || {
        finish(connection, admin.describe_configs(&specifiers, &options))
    })?;
    let mut settings = Settings::new();
    for (name, resource) in topics.iter().zip(described) {
        let resource = resource.map_err(|code| {
            connection.unusable(format!(
                "the settings of {name} cannot be read ({code}): DescribeConfigs must be allowed"
            ))
        })?;
        let entries = resource.entries.into_iter();
        let known = entries.filter_map(|entry| Some((entry.name, entry.value?)));
        settings.insert((*name).to_owned(), known.collect());
    }
    Ok(settings)
}

/// How long tombstones stay in the state changelog.
pub(super) fn tombstones_kept(connection: &Connection) -> Result<Duration, Error> {
    let topic = connection.topics.state.as_str();
    let settings = settings(connection, &[topic])?;
    let kept_ms = number(&settings, topic, "delete.retention.ms");
    Ok(Duration::from_millis(kept_ms.unwrap_or(TOMBSTONES_MS)))
}

pub(super) fn number(settings: &Settings, topic: &str, key: &str) -> Option<u64> {
    settings.get(topic)?.get(key)?.parse().ok()
}

/// The source that takes the largest records: its limit in bytes, and its name.
pub(super) fn greatest_source<'a>(
    connection: &'a Connection,
    settings: &Settings,
) -> Option<(u64, &'a str)> {
    let sources = connection.topics.sources();
    let limits = sources.filter_map(|(_, name)| {
        let bytes = number(settings, name, "max.message.bytes")?;
        Some((bytes, name))
    });
    limits.max_by_key(|(bytes, _)| *bytes)
}

/// Makes the topics that are missing; their names.
///
/// # Errors
/// If the cluster does not answer or refuses.
pub fn create_topics(connection: &Connection, plan: Plan) -> Result<Vec<String>, Error> {
    let metadata_client = asker(connection)?;
    let creator = Creator {
        connection,
        metadata_client: &metadata_client,
        plan,
    };
    let topics = &connection.topics;
    let (letters, others): (Vec<_>, Vec<_>) = topics
        .each()
        .partition(|(topic, _)| *topic == Topic::DeadLetters);
    let mut created = creator.create(&others, 0)?;
    // The limit of a source that exists already is not the plan's.
    let sources: Vec<&str> = topics.sources().map(|(_, name)| name).collect();
    let settings = settings(connection, &sources)?;
    let source_bytes = greatest_source(connection, &settings).map_or(0, |(bytes, _)| bytes);
    created.extend(creator.create(&letters, source_bytes)?);
    Ok(created)
}

/// The limit with which a topic takes every dead letter of a source with this limit; Kafka takes no greater one than
/// `i32::MAX`.
pub(super) fn dead_letter_bytes(source_bytes: u64) -> u64 {
    let greatest = u64::from(i32::MAX.unsigned_abs());
    (source_bytes + DEAD_LETTER_HEADERS_BYTES).min(greatest)
}

/// Settings that a new topic gets.
fn settings_of(topic: Topic, source_bytes: u64) -> Vec<(&'static str, String)> {
    let retention_ms = |text: &str| ("retention.ms", text.to_owned());
    let compact = ("cleanup.policy", Cleanup::Compact.as_str().to_owned());
    match topic {
        Topic::Input | Topic::Transfers => vec![retention_ms("-1")],
        Topic::Changes => vec![retention_ms(OUTPUT_RETENTION_MS)],
        Topic::Current => vec![compact],
        Topic::State => vec![compact, ("delete.retention.ms", TOMBSTONES_MS.to_string())],
        Topic::DeadLetters => {
            let letter_bytes = dead_letter_bytes(source_bytes);
            vec![
                retention_ms(OUTPUT_RETENTION_MS),
                ("max.message.bytes", letter_bytes.to_string()),
            ]
        }
    }
}

struct Creator<'a> {
    connection: &'a Connection,
    metadata_client: &'a Asker,
    plan: Plan,
}

impl Creator<'_> {
    /// Makes those of the topics that are missing, each with its settings, and waits until they show.
    fn create(&self, wanted: &[(Topic, &str)], source_bytes: u64) -> Result<Vec<String>, Error> {
        let connection = self.connection;
        let found = shown_topics(connection, self.metadata_client)?;
        let input_partitions = found.get(&connection.topics.events).copied();
        let missing = wanted.iter().filter(|(_, name)| !found.contains_key(*name));
        let missing: Vec<_> = missing
            .map(|(topic, name)| (*topic, *name, settings_of(*topic, source_bytes)))
            .collect();
        let missing: Vec<NewTopic<'_>> = missing
            .iter()
            .map(|(topic, name, settings)| {
                let of_input = input_partitions.filter(|_| topic.row().has_input_partitions);
                let partitions = of_input.unwrap_or(self.plan.partitions);
                let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
                let replication = TopicReplication::Fixed(self.plan.replication_factor);
                let topic = NewTopic::new(name, partitions, replication);
                settings
                    .iter()
                    .fold(topic, |topic, (key, value)| topic.set(key, value))
            })
            .collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let admin = client(connection)?;
        let options = AdminOptions::new()
            .request_timeout(Some(START_WAIT))
            .operation_timeout(Some(START_WAIT));
        let mut created = Vec::new();
        for result in finish(connection, admin.create_topics(&missing, &options))? {
            match result {
                Ok(name) => created.push(name),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(connection.unusable(format!("cannot create {name}: {code}")));
                }
            }
        }
        // A broker shows a topic a moment after it was created.
        let are_shown =
            |found: &BTreeMap<_, _>| wanted.iter().all(|(_, name)| found.contains_key(*name));
        let found = settled(START_WAIT, are_shown, || {
            shown_topics(connection, self.metadata_client)
        })?;
        if are_shown(&found) {
            Ok(created)
        } else {
            Err(connection.unusable("the new topics do not show"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A question to brokers that learn of three topics one after the other.
    fn asked(patience: Duration) -> (u32, u32) {
        let questions = Cell::new(0);
        let ask = || {
            questions.set(questions.get() + 1);
            Ok(questions.get())
        };
        let answer = settled(patience, |shown| *shown == 3, ask).unwrap();
        (answer, questions.get())
    }

    #[test]
    fn an_answer_is_asked_for_again_until_it_is_whole_or_there_is_no_patience_left() {
        assert_eq!(asked(Duration::from_secs(60)), (3, 3));
        assert_eq!(asked(Duration::ZERO), (1, 1), "as it is");
    }

    #[test]
    fn an_error_is_not_asked_for_again() {
        let ask = || -> Result<u32, Error> { Err(Error::Aborted) };
        let answer = settled(Duration::from_secs(60), |_| false, ask);
        assert!(matches!(answer, Err(Error::Aborted)), "{answer:?}");
    }
}
