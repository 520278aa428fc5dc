//! Names of the topics.

use crate::config::reader::Reader;
use crate::domain::topic::Topic;
use crate::domain::topic::TopicNames;

/// Names of the topics, and what they are made with.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Their names.
    pub names: TopicNames,
    /// Partitions of topics that are made.
    pub partitions: u32,
    /// Replicas of topics that are made; -1: the broker's default.
    pub replication_factor: i32,
}

pub(super) fn topics(reader: &mut Reader) -> Option<Topics> {
    let names = Topic::ALL.map(|topic| (topic, name(reader, topic)));
    let are_distinct = are_distinct(reader, &names);
    let partitions = reader.integer("topics.partitions", 1, 10_000);
    let replication_factor = reader.parsed("topics.replication_factor", "-1 or 1 to 15", |text| {
        let factor: i32 = text.parse().ok()?;
        (factor == -1 || (1..=15).contains(&factor)).then_some(factor)
    });
    are_distinct.then_some(())?;
    let [events, transfers, state, changes, current, dead_letters] = names.map(|(_, name)| name);
    Some(Topics {
        names: TopicNames {
            events: events?,
            transfers: transfers.filter(|name| !name.is_empty()),
            state: state?,
            changes: changes?,
            current: current?,
            dead_letters: dead_letters?,
        },
        partitions: u32::try_from(partitions?).ok()?,
        replication_factor: replication_factor?,
    })
}

/// The name of a topic; that of an optional one may be empty.
fn name(reader: &mut Reader, topic: Topic) -> Option<String> {
    let row = topic.row();
    let allowed = "a name of a topic: 1 to 249 of the characters a-z, A-Z, 0-9 and ._-";
    reader.parsed(row.setting, allowed, |text| {
        let is_name = is_topic(text) || (text.is_empty() && row.is_optional);
        is_name.then(|| text.to_owned())
    })
}

/// Whether Kafka takes a text as the name of a topic.
fn is_topic(text: &str) -> bool {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let is_short = (1..=249).contains(&text.len());
    is_short && text.chars().all(is_allowed) && text != "." && text != ".."
}

/// Two topics of one name would read and overwrite each other's records.
fn are_distinct(reader: &mut Reader, names: &[(Topic, Option<String>)]) -> bool {
    let mut are_distinct = true;
    let given = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.is_empty());
    for (at, (topic, name)) in names.iter().enumerate() {
        let mut before = names.iter().take(at);
        let same = before.find(|(_, other)| given(name) && other == name);
        if let Some((other, _)) = same {
            let allowed = format!("a name of its own: {} has it too", other.row().setting);
            reader.problem(topic.row().setting, &allowed);
            are_distinct = false;
        }
    }
    are_distinct
}
