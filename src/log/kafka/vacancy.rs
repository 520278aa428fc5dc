//! Partitions that no member of the group has.
//!
//! A partition moves between two members in two generations: in the first one it has no owner, and the member that gave
//! it up asks for the second one, which assigns it to the other member. If the first member restarts in between, the
//! broker returns its assignment of the first generation and does not rebalance, as a static member has come back. The
//! partition then stays without an owner. So after each assignment a worker asks the broker for the assignments of all
//! members. If partitions have no owner in two answers, the worker leaves the group and joins it again, and the group
//! rebalances.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Partition;

/// The worker asks for the group's assignments this long after the last event of a rebalance.
const ASK_AFTER: Duration = Duration::from_secs(5);
/// Partitions that still have no owner after so long are not on their way to one.
const CONFIRM_AFTER: Duration = Duration::from_secs(10);

/// What the broker says of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GroupAssignment {
    /// Members join or leave, or nothing can be said.
    Changing,
    /// Every member has its assignment; these are all partitions that they have.
    Stable(BTreeSet<Partition>),
}

/// When the worker asks the broker next, and whether the last answer had partitions without an owner.
#[derive(Debug, Default)]
pub(super) struct VacancyWatch {
    ask_at: Option<Instant>,
    is_confirming: bool,
}

impl VacancyWatch {
    /// The worker has heard of its assignment.
    pub(super) fn heard(&mut self, now: Instant) {
        self.ask_at = Some(now + ASK_AFTER);
        self.is_confirming = false;
    }

    /// Whether the worker asks the broker now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.ask_at.is_some_and(|at| now >= at)
    }

    /// Whether the worker is to leave the group and join it again, given what it has itself. A worker with few
    /// partitions does so earlier than one with many: it has less to give up.
    pub(super) fn must_rejoin(
        &mut self,
        group: &GroupAssignment,
        (own, all): (usize, u32),
        now: Instant,
    ) -> bool {
        let all = usize::try_from(all).unwrap_or(usize::MAX);
        let assigned = match group {
            GroupAssignment::Changing => {
                self.heard(now);
                return false;
            }
            GroupAssignment::Stable(assigned) => assigned.len(),
        };
        if assigned >= all {
            self.ask_at = None;
            return false;
        }
        if self.is_confirming {
            self.heard(now);
            return true;
        }
        self.is_confirming = true;
        let share = u32::try_from(own.saturating_mul(100) / all.max(1)).unwrap_or(u32::MAX);
        self.ask_at = Some(now + CONFIRM_AFTER + CONFIRM_AFTER * share / 100);
        false
    }
}

/// The partitions of a topic in a member's assignment, as the group's protocol writes it: version, topics, each with its
/// name and partitions; numbers are big-endian. `None` for other bytes.
pub(super) fn partitions_of(assignment: &[u8], topic: &str) -> Option<BTreeSet<Partition>> {
    let mut partitions = BTreeSet::new();
    // A member without any partition may have no bytes.
    if assignment.is_empty() {
        return Some(partitions);
    }
    let mut bytes = assignment.get(size_of::<i16>()..)?;
    for _ in 0..take_number(&mut bytes)? {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (name, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        for _ in 0..take_number(&mut bytes)? {
            let partition = take_number(&mut bytes)?;
            if name == topic.as_bytes() {
                partitions.insert(Partition(partition));
            }
        }
    }
    Some(partitions)
}

fn take_number(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    u32::try_from(i32::from_be_bytes(*number)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stable(partitions: std::ops::Range<u32>) -> GroupAssignment {
        GroupAssignment::Stable(partitions.map(Partition).collect())
    }

    /// By hand: six of twelve are without an owner. The worker without any asks again after 10 s, the one with six after
    /// 15 s.
    #[test]
    fn partitions_without_an_owner_are_confirmed_before_a_worker_joins_again() {
        for (own, seconds) in [(0, 10), (6, 15)] {
            let start = Instant::now();
            let mut watch = VacancyWatch::default();
            assert!(!watch.is_due(start), "nothing was heard yet");
            watch.heard(start);
            assert!(!watch.is_due(start + ASK_AFTER - Duration::from_millis(1)));
            let first = start + ASK_AFTER;
            assert!(watch.is_due(first));
            assert!(!watch.must_rejoin(&stable(6..12), (own, 12), first));
            let second = first + Duration::from_secs(seconds);
            assert!(!watch.is_due(second - Duration::from_millis(1)));
            assert!(watch.is_due(second));
            assert!(watch.must_rejoin(&stable(6..12), (own, 12), second));
            assert!(!watch.is_due(second), "the group changes");
        }
    }

    #[test]
    fn a_worker_asks_again_about_a_changing_group_and_not_about_a_complete_one() {
        let start = Instant::now();
        let mut watch = VacancyWatch::default();
        watch.heard(start);
        let first = start + ASK_AFTER;
        assert!(!watch.must_rejoin(&stable(0..3), (3, 12), first));
        let second = first + CONFIRM_AFTER * 2;
        assert!(!watch.must_rejoin(&GroupAssignment::Changing, (3, 12), second));
        let third = second + ASK_AFTER;
        assert!(watch.is_due(third));
        assert!(!watch.must_rejoin(&stable(0..12), (3, 12), third));
        assert!(!watch.is_due(third + CONFIRM_AFTER * 10));
    }

    /// By hand, from the consumer protocol: version 3, two topics, "a" with partition 7 and "events" with 1 and 258, and
    /// no user data.
    #[test]
    fn an_assignment_is_read_as_the_protocol_writes_it() {
        let bytes = [
            &[0, 3, 0, 0, 0, 2][..],
            &[0, 1, b'a', 0, 0, 0, 1, 0, 0, 0, 7],
            &[0, 6],
            b"events",
            &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 1, 2],
            &[0xFF, 0xFF, 0xFF, 0xFF],
        ]
        .concat();
        let expected = BTreeSet::from([Partition(1), Partition(258)]);
        assert_eq!(partitions_of(&bytes, "events"), Some(expected));
        assert_eq!(partitions_of(&[], "events"), Some(BTreeSet::new()));
        for length in 1..bytes.len() - 4 {
            assert_eq!(partitions_of(&bytes[..length], "events"), None, "{length}");
        }
    }
}
