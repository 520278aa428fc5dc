//! What is wrong with the topics, and which of their settings may lose events or change their times.

use std::collections::BTreeMap;

use crate::domain::topic::Cleanup;
use crate::domain::topic::Topic;
use crate::log::Error;
use crate::log::kafka::admin;
use crate::log::kafka::admin::Settings;
use crate::log::kafka::admin::TOMBSTONES_MS;
use crate::log::kafka::beginnings;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client_lines::asker;
use crate::log::kafka::finding::Finding;
use crate::log::kafka::finding::Level;

/// The headers of a dead letter always fit into this, whatever is cut.
const DEAD_LETTER_BYTES_MIN: u64 = 8192;
/// Kafka's default of `max.message.bytes`.
const RECORD_BYTES: u64 = 1_048_588;
/// Kafka's value of a retention without a limit.
const UNLIMITED: &str = "-1";

/// A setting of a topic, with its value.
struct Entry<'a> {
    topic: &'a str,
    setting: &'static str,
    value: &'a str,
}

impl Entry<'_> {
    fn finding(&self, level: Level, wanted: impl ToString, remedy: &str) -> Finding {
        let Self {
            topic,
            setting,
            value,
        } = self;
        Finding {
            level,
            topic: (*topic).to_owned(),
            setting: Some(setting),
            value: Some((*value).to_owned()),
            wanted: Some(wanted.to_string()),
            problem: format!("{topic} has {setting}={value}: {remedy}"),
        }
    }
}

/// What is wrong with the topics, each with what to do. The service can run if none is an error.
///
/// # Errors
/// If the cluster does not answer.
pub fn topic_findings(connection: &Connection) -> Result<Vec<Finding>, Error> {
    let metadata_client = asker(connection)?;
    let found = admin::existing_topics(connection, &metadata_client)?;
    let mut findings = missing(connection, &found);
    findings.extend(other_partitions(connection, &found));
    let existing: Vec<&str> = found.keys().map(String::as_str).collect();
    let settings = admin::settings(connection, &existing)?;
    findings.extend(of_settings(connection, &settings));
    findings.extend(beginnings::of_sources(connection, &metadata_client, &found));
    Ok(findings)
}

fn missing(connection: &Connection, found: &BTreeMap<String, u32>) -> Vec<Finding> {
    let topics = connection.topics.each();
    topics
        .filter(|(_, name)| !found.contains_key(*name))
        .map(|(_, name)| {
            let problem = format!("topic {name} is missing: run `segstream topics create`");
            Finding::of_topic(name, problem)
        })
        .collect()
}

/// Topics that are split otherwise than the input, and must not be.
fn other_partitions(connection: &Connection, found: &BTreeMap<String, u32>) -> Vec<Finding> {
    let topics = &connection.topics;
    let Some(input) = found.get(&topics.events) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (topic, name) in topics.each() {
        let Some(partitions) = found.get(name).filter(|partitions| *partitions != input) else {
            continue;
        };
        let row = topic.row();
        if row.has_input_partitions {
            let remedy = match topic {
                Topic::State => {
                    "the state belongs to another partition count; begin with a new topics.state, and replay the input"
                        .to_owned()
                }
                Topic::Input
                | Topic::Transfers
                | Topic::Changes
                | Topic::Current
                | Topic::DeadLetters => {
                    format!("create {name} again with {input} partitions, once it is read to its end")
                }
            };
            let problem = format!(
                "{} has {input} partitions and {name} ({}) has {partitions}: {remedy}",
                topics.events, row.setting
            );
            findings.push(Finding::of_topic(name, problem));
        }
    }
    findings
}

fn of_settings(connection: &Connection, settings: &Settings) -> Vec<Finding> {
    let mut findings = cleanups(connection, settings);
    findings.extend(retentions(connection, settings));
    findings.extend(record_times(connection, settings));
    findings.extend(small_limits(connection, settings));
    let state = connection.topics.state.as_str();
    if let Some(entry) = entry(settings, state, "delete.retention.ms")
        && is_below(entry.value, TOMBSTONES_MS)
    {
        let remedy = format!(
            "set it to {TOMBSTONES_MS} or more, so that a store that lags can still read deletions"
        );
        findings.push(entry.finding(Level::Error, TOMBSTONES_MS, &remedy));
    }
    findings.extend(of_dead_letters(connection, settings));
    findings
}

fn entry<'a>(settings: &'a Settings, topic: &'a str, setting: &'static str) -> Option<Entry<'a>> {
    let value = settings.get(topic)?.get(setting)?;
    Some(Entry {
        topic,
        setting,
        value,
    })
}

fn is_below(value: &str, least: u64) -> bool {
    value.parse().is_ok_and(|value: u64| value < least)
}

fn cleanups(connection: &Connection, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (topic, name) in connection.topics.each() {
        let Some(entry) = entry(settings, name, "cleanup.policy") else {
            continue;
        };
        let is_compacted = entry.value.contains(Cleanup::Compact.as_str());
        match topic.row().cleanup {
            Some(wanted) if entry.value != wanted.as_str() => {
                let wanted = wanted.as_str();
                let remedy = format!("set it to {wanted}");
                findings.push(entry.finding(Level::Error, wanted, &remedy));
            }
            None if is_compacted => {
                let wanted = Cleanup::Delete.as_str();
                let remedy = format!(
                    "compaction removes all events of a customer but the last; set it to {wanted}"
                );
                findings.push(entry.finding(Level::Error, wanted, &remedy));
            }
            Some(_) | None => {}
        }
    }
    findings
}

/// Retention of the sources.
fn retentions(connection: &Connection, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, name) in connection.topics.sources() {
        // Without `delete` the broker removes nothing for its age or for the size of the topic.
        let policy = entry(settings, name, "cleanup.policy");
        if policy.is_some_and(|policy| !policy.value.contains(Cleanup::Delete.as_str())) {
            continue;
        }
        for (setting, removed) in [
            ("retention.ms", "events whose record times are older"),
            ("retention.bytes", "the oldest events of a larger partition"),
        ] {
            if let Some(entry) = entry(settings, name, setting)
                && entry.value != UNLIMITED
            {
                let remedy = format!(
                    "the broker removes {removed}, also those that were not read yet, and a state \
                     that is lost cannot be made again from them; set it to -1 to keep all"
                );
                findings.push(entry.finding(Level::Warning, UNLIMITED, &remedy));
            }
        }
    }
    findings
}

/// Whether the broker replaces record times.
fn record_times(connection: &Connection, settings: &Settings) -> Option<Finding> {
    let input = connection.topics.events.as_str();
    let entry = entry(settings, input, "message.timestamp.type")?;
    if entry.value != "LogAppendTime" {
        return None;
    }
    let (level, remedy) = if connection.is_event_clock {
        let remedy = "the broker replaces record times by its own, and time.clock=event takes \
             the time from them; records keep the times that they have, so make the topic anew with \
             CreateTime and send the events again";
        (Level::Error, remedy)
    } else {
        let remedy = "record times are when the broker took an event; set it to CreateTime, so \
             that they are when it was sent";
        (Level::Warning, remedy)
    };
    Some(entry.finding(level, "CreateTime", remedy))
}

/// Limits below Kafka's default of the topics whose records are not cut.
fn small_limits(connection: &Connection, settings: &Settings) -> Vec<Finding> {
    let topics = &connection.topics;
    let names = [&topics.state, &topics.changes, &topics.current];
    let entries = names
        .into_iter()
        .filter_map(|name| entry(settings, name, "max.message.bytes"));
    entries
        .filter(|entry| is_below(entry.value, RECORD_BYTES))
        .map(|entry| {
            let remedy = format!(
                "an event whose outputs need more is rejected (output_too_large); set it to \
                 {RECORD_BYTES} or more"
            );
            entry.finding(Level::Warning, RECORD_BYTES, &remedy)
        })
        .collect()
}

fn of_dead_letters(connection: &Connection, settings: &Settings) -> Option<Finding> {
    let letters = connection.topics.dead_letters.as_str();
    let entry = entry(settings, letters, "max.message.bytes")?;
    if is_below(entry.value, DEAD_LETTER_BYTES_MIN) {
        let remedy = format!(
            "the headers of a dead letter may need {DEAD_LETTER_BYTES_MIN}: set it to that or more"
        );
        return Some(entry.finding(Level::Error, DEAD_LETTER_BYTES_MIN, &remedy));
    }
    let (source_bytes, source) = admin::greatest_source(connection, settings)?;
    let needed_bytes = admin::dead_letter_bytes(source_bytes);
    let is_below = is_below(entry.value, needed_bytes);
    is_below.then(|| {
        let remedy = format!(
            "a dead letter of {source} may be larger and is then compressed or cut; set it to \
             {needed_bytes} or more"
        );
        entry.finding(Level::Warning, needed_bytes, &remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::kafka::client::tests::connection;

    fn found(
        given: &[(&'static str, &'static str, &'static str)],
        is_event_clock: bool,
    ) -> Vec<Finding> {
        let mut settings = Settings::new();
        for (topic, setting, value) in given {
            let of_topic = settings.entry((*topic).to_owned()).or_default();
            of_topic.insert((*setting).to_owned(), (*value).to_owned());
        }
        let connection = Connection {
            is_event_clock,
            ..connection()
        };
        of_settings(&connection, &settings)
    }

    /// Topic, setting, value, `time.clock`; then level and wanted value, where something is found.
    const CASES: &str = "
        events cleanup.policy compact wall error delete
        events cleanup.policy compact,delete wall error delete
        events cleanup.policy delete wall
        transfers cleanup.policy compact wall error delete
        state cleanup.policy delete wall error compact
        state cleanup.policy compact,delete wall error compact
        changes cleanup.policy compact wall error delete
        current cleanup.policy delete wall error compact
        letters cleanup.policy compact wall error delete
        events retention.ms 604800000 wall warning -1
        events retention.ms -1 wall
        events retention.bytes 1000000000 wall warning -1
        transfers retention.ms 604800000 wall warning -1
        transfers retention.bytes 1000000000 wall warning -1
        changes retention.ms 604800000 wall
        state max.message.bytes 1048587 wall warning 1048588
        state max.message.bytes 1048588 wall
        changes max.message.bytes 20000 wall warning 1048588
        current max.message.bytes 20000 wall warning 1048588
        letters retention.ms 1 wall
        events message.timestamp.type LogAppendTime event error CreateTime
        events message.timestamp.type LogAppendTime wall warning CreateTime
        events message.timestamp.type CreateTime event
        changes message.timestamp.type LogAppendTime event
        transfers message.timestamp.type LogAppendTime event
        state delete.retention.ms 86399999 wall error 86400000
        state delete.retention.ms 86400000 wall
        letters max.message.bytes 8191 wall error 8192
        letters max.message.bytes 8192 wall
        events max.message.bytes 20000 wall
    ";

    #[test]
    fn each_setting_that_loses_events_or_changes_times_is_found_with_what_it_should_be() {
        let lines = CASES.lines().map(str::trim).filter(|line| !line.is_empty());
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let [topic, setting, value, clock, expected @ ..] = words.as_slice() else {
                panic!("{line}");
            };
            let found = found(&[(*topic, *setting, *value)], *clock == "event");
            let [level, wanted] = expected else {
                assert_eq!(found, [], "{line}");
                continue;
            };
            let [finding] = found.as_slice() else {
                panic!("{line}: {found:?}");
            };
            let is_error = finding.level == Level::Error;
            assert_eq!(is_error, *level == "error", "{line}");
            assert_eq!(finding.topic, *topic);
            assert_eq!(finding.setting, Some(*setting));
            assert_eq!(finding.value.as_deref(), Some(*value));
            assert_eq!(finding.wanted.as_deref(), Some(*wanted), "{line}");
            let begins = format!("{topic} has {setting}={value}: ");
            assert!(finding.problem.starts_with(&begins), "{}", finding.problem);
        }
    }

    #[test]
    fn a_topic_that_is_only_compacted_removes_nothing_for_its_age() {
        let given = [
            ("events", "cleanup.policy", "compact"),
            ("events", "retention.ms", "604800000"),
        ];
        let found = found(&given, false);
        let settings: Vec<_> = found.iter().map(|finding| finding.setting).collect();
        assert_eq!(settings, [Some("cleanup.policy")]);
    }

    #[test]
    fn dead_letters_that_will_be_cut_are_said_for_the_largest_source() {
        let limited = |events, transfers, letters| {
            let given = [
                ("events", "max.message.bytes", events),
                ("transfers", "max.message.bytes", transfers),
                ("letters", "max.message.bytes", letters),
            ];
            let found = found(&given, false).into_iter();
            let said = found.map(|finding| (finding.level, finding.problem));
            said.collect::<Vec<_>>()
        };
        let sentence = |letters, source, needed| {
            let has = format!("letters has max.message.bytes={letters}");
            let problem = format!(
                "{has}: a dead letter of {source} may be larger and is then compressed or cut; \
                 set it to {needed} or more"
            );
            (Level::Warning, problem)
        };
        assert_eq!(limited("1000", "2000", "67536"), []);
        let said = sentence(67_535, "transfers", 67_536);
        assert_eq!(limited("1000", "2000", "67535"), [said]);
        let said = sentence(67_536, "events", 68_536);
        assert_eq!(limited("3000", "2000", "67536"), [said]);
        // Kafka takes no greater number.
        assert_eq!(limited("2147483647", "2000", "2147483647"), []);
    }
}
