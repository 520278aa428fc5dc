//! A fence of the worker's own, beside the group's generation: a transaction goes on in a changelog only where the last
//! one that this worker read or wrote ended.
//!
//! The generation alone does not keep an earlier owner out. When a member's session has ended while it joined again,
//! librdkafka 2.12.1 joins it as a new member, with a new generation, and does not say that it lost its partitions
//! (`rd_kafka_cgrp_handle_JoinGroup`, `UNKNOWN_MEMBER_ID`). The worker then goes on with state that lacks what the other
//! owner has committed meanwhile.

use std::collections::BTreeMap;

use crate::domain::ids::Partition;

/// Where the next transaction begins in each changelog, if nothing else has written to it since.
#[derive(Debug, Default)]
pub(super) struct ChangelogFence(BTreeMap<Partition, u64>);

/// Offsets that the end of a transaction takes in each of its partitions.
const END_MARKER: u64 = 1;

impl ChangelogFence {
    /// A changelog was read to its end, that of open transactions included.
    pub(super) fn read_to(&mut self, partition: Partition, end: u64) {
        self.0.insert(partition, end);
    }

    /// A transaction is committed whose last record stands before this offset.
    pub(super) fn committed(&mut self, partition: Partition, changelog_next: u64) {
        self.0.insert(partition, changelog_next + END_MARKER);
    }

    /// Whether a transaction whose first record stands there may be committed. The broker does not always say where a
    /// record stands; then it may not.
    pub(super) fn admits(&self, partition: Partition, first: Option<u64>) -> bool {
        let expected = self.0.get(&partition);
        expected.is_none_or(|expected| first == Some(*expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITION: Partition = Partition(3);

    /// By hand: read up to 10, so a transaction begins at 10; with two records and its marker the next one begins at 13.
    #[test]
    fn a_transaction_begins_where_the_last_one_ended() {
        let mut fence = ChangelogFence::default();
        fence.read_to(PARTITION, 10);
        assert!(fence.admits(PARTITION, Some(10)));
        fence.committed(PARTITION, 12);
        assert!(fence.admits(PARTITION, Some(13)));
    }

    #[test]
    fn what_another_writer_has_written_since_keeps_a_transaction_out() {
        let mut fence = ChangelogFence::default();
        fence.read_to(PARTITION, 10);
        for first in [Some(9), Some(11), None] {
            assert!(!fence.admits(PARTITION, first), "{first:?}");
        }
    }
}
