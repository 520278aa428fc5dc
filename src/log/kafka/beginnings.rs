//! Sources whose first records are gone, because retention or a person has removed them, and sources that end before what
//! the group has read, because they were made anew.

use std::collections::BTreeMap;
use std::time::Instant;

use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;

use crate::domain::ids::Partition;
use crate::log::kafka::admin::SHOW_LOOK;
use crate::log::kafka::client::Connection;
use crate::log::kafka::client::START_WAIT;
use crate::log::kafka::client_lines::Asker;
use crate::log::kafka::finding::Finding;
use crate::log::kafka::finding::Level;
use crate::log::kafka::places::is_passing;
use crate::log::kafka::places::list;
use crate::log::kafka::places::offsets_of;

/// First offsets, ends and the group's offsets of the partitions of a topic.
#[derive(Debug, Default)]
struct Beginnings {
    first: BTreeMap<Partition, u64>,
    end: BTreeMap<Partition, u64>,
    /// Partitions of which the group has read nothing are missing.
    group: BTreeMap<Partition, u64>,
}

/// What is found of where the sources begin; `found` has the number of partitions of each topic.
pub(super) fn of_sources(
    connection: &Connection,
    client: &Asker,
    found: &BTreeMap<String, u32>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, topic) in connection.topics.sources() {
        let Some(count) = found.get(topic) else {
            continue;
        };
        let partitions: Vec<Partition> = (0..*count).map(Partition).collect();
        match ask_until_answered(client, topic, &partitions) {
            Ok(beginnings) => findings.extend(of_beginnings(topic, &beginnings)),
            Err(error) => {
                tracing::warn!(%error, topic, "where the topic begins is not known");
            }
        }
    }
    findings
}

/// Asks again where another broker leads a partition by now, or will lead it soon.
fn ask_until_answered(
    client: &Asker,
    topic: &str,
    partitions: &[Partition],
) -> KafkaResult<Beginnings> {
    let deadline = Instant::now() + START_WAIT;
    loop {
        match ask(client, topic, partitions) {
            Err(error) if is_passing(&error) && Instant::now() < deadline => {
                std::thread::park_timeout(SHOW_LOOK);
                // The client keeps the leaders that it knows.
                client.fetch_metadata(Some(topic), START_WAIT)?;
            }
            answered => return answered,
        }
    }
}

fn ask(client: &Asker, topic: &str, partitions: &[Partition]) -> KafkaResult<Beginnings> {
    let mut asked = list(topic, partitions);
    // In place of a timestamp it stands for the first offset.
    asked.set_all_offsets(Offset::Beginning)?;
    let first = client.offsets_for_times(asked.clone(), START_WAIT)?;
    // The group's offsets before the ends: what others commit meanwhile is below these.
    let group = client.committed_offsets(list(topic, partitions), START_WAIT)?;
    asked.set_all_offsets(Offset::End)?;
    let end = client.offsets_for_times(asked, START_WAIT)?;
    Ok(Beginnings {
        first: offsets_of(&first),
        end: offsets_of(&end),
        group: offsets_of(&group),
    })
}

/// What helps where the events are not those that the state was made from.
const BEGIN_ANEW: &str =
    "begin anew beside it with a new store.directory, topics.state and kafka.group_id";

/// At most one finding of each kind, of the first partition that it is about.
fn of_beginnings(topic: &str, beginnings: &Beginnings) -> Vec<Finding> {
    let Beginnings { first, end, group } = beginnings;
    let finding =
        |level, (partition, found): (&Partition, &u64), wanted: u64, is_at: &str| Finding {
            level,
            topic: topic.to_owned(),
            setting: None,
            value: Some(found.to_string()),
            wanted: Some(wanted.to_string()),
            problem: format!("partition {partition} of {topic} {is_at}"),
        };
    let group_offset = |partition: &Partition| group.get(partition).copied().unwrap_or_default();
    let is_lost = |(partition, first): &(&Partition, &u64)| {
        group.get(partition).is_some_and(|offset| offset < *first)
    };
    let is_unread =
        |(partition, first): &(&Partition, &u64)| **first > 0 && !group.contains_key(partition);
    let is_short = |(partition, end): &(&Partition, &u64)| group_offset(partition) > **end;
    let mut findings = Vec::new();
    if let Some(place) = first.iter().find(is_lost) {
        let offset = group_offset(place.0);
        let is_at = format!(
            "begins at offset {}: the state needs the events from offset {offset} on, and the broker has removed them; bring \
             them back, or {BEGIN_ANEW}",
            place.1
        );
        findings.push(finding(Level::Error, place, offset, &is_at));
    }
    if let Some(place) = end.iter().find(is_short) {
        let offset = group_offset(place.0);
        let is_at = format!(
            "ends at offset {}, and the state was made from the events up to offset {offset}: the topic was made anew, has lost its end, or \
             is not the one that the settings named before; {BEGIN_ANEW}",
            place.1
        );
        findings.push(finding(Level::Error, place, offset, &is_at));
    }
    if let Some(place) = first.iter().find(is_unread) {
        let is_at = format!(
            "begins at offset {}: the group has read nothing of it yet, and the broker has removed the events before that \
             offset: the state will not count them",
            place.1
        );
        findings.push(finding(Level::Warning, place, 0, &is_at));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First offsets, ends and group offsets by partition, and the levels that are found with value and wanted value.
    type Case = (
        &'static [u64],
        &'static [u64],
        &'static [Option<u64>],
        &'static [(Level, &'static str, &'static str)],
    );

    #[test]
    fn a_source_that_lacks_what_the_state_was_made_from_is_an_error_and_one_without_state_a_warning()
     {
        const ENDS: &[u64] = &[9, 9];
        let cases: [Case; 9] = [
            (&[0, 0], ENDS, &[None, None], &[]),
            (&[0, 0], ENDS, &[Some(0), Some(9)], &[]),
            (&[5, 0], ENDS, &[Some(5), Some(9)], &[]),
            (
                &[5, 0],
                ENDS,
                &[Some(4), Some(9)],
                &[(Level::Error, "5", "4")],
            ),
            (
                &[0, 7],
                ENDS,
                &[Some(3), None],
                &[(Level::Warning, "7", "0")],
            ),
            (&[5, 7], ENDS, &[None, None], &[(Level::Warning, "5", "0")]),
            (
                &[5, 7],
                ENDS,
                &[None, Some(2)],
                &[(Level::Error, "7", "2"), (Level::Warning, "5", "0")],
            ),
            (
                &[0, 0],
                ENDS,
                &[Some(9), Some(10)],
                &[(Level::Error, "9", "10")],
            ),
            (
                &[0, 0],
                &[0, 0],
                &[None, Some(30)],
                &[(Level::Error, "0", "30")],
            ),
        ];
        for (first, end, group, expected) in cases {
            let partitions = || (0..).map(Partition);
            let beginnings = Beginnings {
                first: partitions().zip(first.iter().copied()).collect(),
                end: partitions().zip(end.iter().copied()).collect(),
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
