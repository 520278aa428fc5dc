//! What the broker says of a deployment's consumer group.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::Consumer;

use crate::PARTITIONS;
use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::running::Running;

const ANSWER_WAIT: Duration = Duration::from_secs(10);

fn client(deployment: &Deployment) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", &deployment.brokers)
        .set("group.id", &deployment.name)
        .create()
        .unwrap()
}

/// Whether the group has committed all of the input.
pub fn is_caught_up(deployment: &Deployment) -> bool {
    let client = client(deployment);
    let topic = deployment.topic("events");
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(&topic, 0, i32::try_from(PARTITIONS).unwrap() - 1);
    let Ok(committed) = client.committed_offsets(asked, ANSWER_WAIT) else {
        return false;
    };
    committed.elements().iter().all(|element| {
        let ends = client.fetch_watermarks(&topic, element.partition(), ANSWER_WAIT);
        ends.is_ok_and(|(_, end)| match element.offset() {
            Offset::Offset(offset) => offset == end,
            // A partition without any event.
            _ => end == 0,
        })
    })
}

/// Waits until the group has committed all of the input; else shows the log of the instance that is to do it.
pub fn wait_caught_up(deployment: &Deployment, running: &Running) {
    let deadline = Instant::now() + PATIENCE;
    while !is_caught_up(deployment) {
        assert!(
            Instant::now() < deadline,
            "not committed: {:#?}",
            running.said()
        );
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Whether the group has no member: also none that was killed, or stopped, less than its session ago.
pub fn is_empty(deployment: &Deployment) -> bool {
    let client = client(deployment);
    let list = client.fetch_group_list(Some(&deployment.name), ANSWER_WAIT);
    list.is_ok_and(|list| {
        let mut groups = list.groups().iter();
        groups.any(|group| group.name() == deployment.name && group.state() == "Empty")
    })
}

/// Partitions by member of the stable group; nothing while it rebalances. A static member's id begins with its
/// instance's.
pub fn members(deployment: &Deployment) -> BTreeMap<String, usize> {
    let client = client(deployment);
    let Ok(list) = client.fetch_group_list(Some(&deployment.name), ANSWER_WAIT) else {
        return BTreeMap::new();
    };
    let group = list
        .groups()
        .iter()
        .find(|group| group.name() == deployment.name);
    let group = group.filter(|group| group.state() == "Stable");
    let members = group.map(|group| group.members()).unwrap_or_default();
    members
        .iter()
        .map(|member| {
            let assigned = member.assignment().map_or(0, partitions_of_assignment);
            (member.id().to_owned(), assigned)
        })
        .collect()
}

/// Partitions in a member's assignment, as the consumer protocol writes it: version, topics, each with its name and
/// partitions.
fn partitions_of_assignment(bytes: &[u8]) -> usize {
    let number = |at: usize| {
        let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        usize::try_from(i32::from_be_bytes(bytes)).unwrap_or(0)
    };
    // A member may have no partition and then no topic.
    if bytes.len() < 6 || number(2) == 0 {
        return 0;
    }
    let name_length = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
    number(8 + name_length)
}
