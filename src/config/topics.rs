//! Names of the topics.

use crate::config::reader::Reader;

/// Names of the topics, on Kafka and in causes and dead letters.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Input.
    pub events: String,
    /// Changes.
    pub changes: String,
    /// Latest change by customer.
    pub current: String,
    /// The state changelog.
    pub state: String,
    /// Dead letters.
    pub dead_letters: String,
    /// Partitions of topics that are made.
    pub partitions: u32,
    /// Replicas of topics that are made; -1: the broker's default.
    pub replication_factor: i32,
}

pub(super) fn topics(reader: &mut Reader) -> Option<Topics> {
    let events = reader.name("topics.events");
    let changes = reader.name("topics.changes");
    let current = reader.name("topics.current");
    let state = reader.name("topics.state");
    let dead_letters = reader.name("topics.dead_letters");
    let names = [
        ("topics.events", &events),
        ("topics.changes", &changes),
        ("topics.current", &current),
        ("topics.state", &state),
        ("topics.dead_letters", &dead_letters),
    ];
    let are_distinct = are_distinct(reader, &names);
    let partitions = reader.integer("topics.partitions", 1, 10_000);
    let replication_factor = reader.parsed("topics.replication_factor", "-1 or 1 to 15", |text| {
        let factor: i32 = text.parse().ok()?;
        (factor == -1 || (1..=15).contains(&factor)).then_some(factor)
    });
    are_distinct.then_some(())?;
    Some(Topics {
        events: events?,
        changes: changes?,
        current: current?,
        state: state?,
        dead_letters: dead_letters?,
        partitions: u32::try_from(partitions?).ok()?,
        replication_factor: replication_factor?,
    })
}

/// Two topics of one name would read and overwrite each other's records.
fn are_distinct(reader: &mut Reader, names: &[(&str, &Option<String>)]) -> bool {
    let mut are_distinct = true;
    for (at, (key, name)) in names.iter().enumerate() {
        let mut before = names.iter().take(at);
        let same = before.find(|(_, other)| name.is_some() && other == name);
        if let Some((other, _)) = same {
            reader.problem(key, &format!("a name of its own: {other} has it too"));
            are_distinct = false;
        }
    }
    are_distinct
}
