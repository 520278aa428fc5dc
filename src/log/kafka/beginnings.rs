//! Sources whose first records are gone: retention, or a person, has removed them.

use std::collections::BTreeMap;

use rdkafka::Offset;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;

use crate::domain::ids::Partition;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client::START_WAIT;
use crate::log::kafka::finding::Finding;
use crate::log::kafka::finding::Level;
use crate::log::kafka::places::list;
use crate::log::kafka::places::offsets_of;

/// First offsets and the group's offsets of the partitions of a topic.
#[derive(Debug, Default)]
struct Beginnings {
    first: BTreeMap<Partition, u64>,
    /// Partitions of which the group has read nothing are missing.
    group: BTreeMap<Partition, u64>,
}

/// What is found of where the sources begin; `found` has the number of partitions of each topic.
pub(super) fn of_sources(
    connection: &Connection,
    client: &BaseConsumer,
    found: &BTreeMap<String, u32>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, topic) in connection.topics.sources() {
        let Some(count) = found.get(topic) else {
            continue;
        };
        let partitions: Vec<Partition> = (0..*count).map(Partition).collect();
        match ask(client, topic, &partitions) {
            Ok(beginnings) => findings.extend(of_beginnings(topic, &beginnings)),
            Err(error) => {
                tracing::warn!(%error, topic, "where the topic begins is not known");
            }
        }
    }
    findings
}

fn ask(client: &BaseConsumer, topic: &str, partitions: &[Partition]) -> KafkaResult<Beginnings> {
    let mut asked = list(topic, partitions);
    // In place of a timestamp it stands for the first offset.
    asked.set_all_offsets(Offset::Beginning)?;
    let first = client.offsets_for_times(asked, START_WAIT)?;
    let group = client.committed_offsets(list(topic, partitions), START_WAIT)?;
    Ok(Beginnings {
        first: offsets_of(&first),
        group: offsets_of(&group),
    })
}

/// At most one finding a level, of the first partition that it is about.
fn of_beginnings(topic: &str, beginnings: &Beginnings) -> Vec<Finding> {
    let Beginnings { first, group } = beginnings;
    let finding =
        |level, (partition, first): (&Partition, &u64), wanted: u64, remedy: &str| Finding {
            level,
            topic: topic.to_owned(),
            setting: None,
            value: Some(first.to_string()),
            wanted: Some(wanted.to_string()),
            problem: format!("partition {partition} of {topic} begins at offset {first}: {remedy}"),
        };
    let is_lost = |(partition, first): &(&Partition, &u64)| {
        group.get(partition).is_some_and(|offset| offset < *first)
    };
    let is_unread =
        |(partition, first): &(&Partition, &u64)| **first > 0 && !group.contains_key(partition);
    let mut findings = Vec::new();
    if let Some(place) = first.iter().find(is_lost) {
        let offset = group.get(place.0).copied().unwrap_or_default();
        let remedy = format!(
            "the state needs the events from offset {offset} on, and the broker has removed them; bring \
             them back, or begin anew beside it with a new store.directory, topics.state \
             and kafka.group_id"
        );
        findings.push(finding(Level::Error, place, offset, &remedy));
    }
    if let Some(place) = first.iter().find(is_unread) {
        let remedy = "the group has read nothing of it yet, and the broker has removed the events before that offset: \
                      the state will not count them";
        findings.push(finding(Level::Warning, place, 0, remedy));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First offsets and group offsets by partition, and the levels that are found with value and wanted value.
    type Case = (
        &'static [u64],
        &'static [Option<u64>],
        &'static [(Level, &'static str, &'static str)],
    );

    #[test]
    fn a_source_that_begins_above_what_the_state_needs_is_an_error_and_one_without_state_a_warning()
    {
        let cases: [Case; 7] = [
            (&[0, 0], &[None, None], &[]),
            (&[0, 0], &[Some(0), Some(9)], &[]),
            (&[5, 0], &[Some(5), Some(9)], &[]),
            (&[5, 0], &[Some(4), Some(9)], &[(Level::Error, "5", "4")]),
            (&[0, 7], &[Some(3), None], &[(Level::Warning, "7", "0")]),
            (&[5, 7], &[None, None], &[(Level::Warning, "5", "0")]),
            (
                &[5, 7],
                &[None, Some(2)],
                &[(Level::Error, "7", "2"), (Level::Warning, "5", "0")],
            ),
        ];
        for (first, group, expected) in cases {
            let partitions = || (0..).map(Partition);
            let beginnings = Beginnings {
                first: partitions().zip(first.iter().copied()).collect(),
                group: partitions()
                    .zip(group)
                    .filter_map(|(partition, offset)| Some((partition, (*offset)?)))
                    .collect(),
            };
            let found = of_beginnings("events", &beginnings);
            let found: Vec<_> = found
                .iter()
                .map(|found| {
                    let value = found.value.as_deref().unwrap();
                    (found.level, value, found.wanted.as_deref().unwrap())
                })
                .collect();
            assert_eq!(found, expected, "{first:?} {group:?}");
        }
    }
}
