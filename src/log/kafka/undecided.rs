//! What became of a transaction whose outcome the client does not know: the group's offsets say it.
//!
//! Each transaction gives its offsets a mark of its own, in the field that Kafka calls metadata. A new producer of the
//! same id ends what the former one left open. After that, the group has the transaction's mark if it was committed, and
//! the mark from before if it was not.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use rdkafka::TopicPartitionList;

use crate::domain::ids::Partition;
use crate::log::Outcome;

/// A transaction of which it is not known yet.
#[derive(Debug)]
struct Undecided {
    /// One of its partitions.
    partition: Partition,
    mark: String,
}

/// The marks of a worker's transactions.
#[derive(Debug)]
pub(super) struct Marks {
    /// No other worker has it.
    prefix: String,
    transactions: u64,
    /// The mark of the group's offset of each partition, as it was read or committed last.
    known: BTreeMap<Partition, String>,
    undecided: Option<Undecided>,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            prefix: format!("{:016x}", RandomState::new().hash_one(0_u8)),
            transactions: 0,
            known: BTreeMap::new(),
            undecided: None,
        }
    }
}

impl Marks {
    /// The mark of the next transaction.
    pub(super) fn next(&mut self) -> String {
        self.transactions += 1;
        format!("{}-{}", self.prefix, self.transactions)
    }

    /// The group's offset of a partition has this mark.
    pub(super) fn read(&mut self, partition: Partition, mark: &str) {
        if self.asks_for() == Some(partition) {
            // What it was before says whether the transaction was aborted.
            return;
        }
        match self.known.entry(partition) {
            Entry::Occupied(mut known) => mark.clone_into(known.get_mut()),
            Entry::Vacant(place) => {
                place.insert(mark.to_owned());
            }
        }
    }

    /// The outcome of a transaction with these partitions is not known.
    pub(super) fn lost(&mut self, mut partitions: impl Iterator<Item = Partition>, mark: String) {
        let partition = partitions.next();
        self.undecided = partition.map(|partition| Undecided { partition, mark });
    }

    /// The partition whose offset says what became of the last transaction whose outcome is not known.
    pub(super) fn asks_for(&self) -> Option<Partition> {
        self.undecided.as_ref().map(|undecided| undecided.partition)
    }

    /// What became of it, given the mark of the group's offset, once a new producer of the worker has begun.
    pub(super) fn decide(&mut self, mark: &str) -> Option<Outcome> {
        let undecided = self.undecided.take()?;
        let before = self.known.get(&undecided.partition);
        let outcome = if mark == undecided.mark {
            Outcome::Committed
        } else if before.is_some_and(|before| before == mark) {
            Outcome::Aborted
        } else {
            Outcome::Undetermined
        };
        self.read(undecided.partition, mark);
        Some(outcome)
    }
}

/// The mark of the transaction that committed a partition's offsets; empty where there are none. The client panics on one
/// that is not UTF-8, which no transaction of a worker has.
pub(super) fn mark_of(offsets: &TopicPartitionList) -> String {
    let elements = offsets.elements();
    let of_first = elements.first();
    let read = || of_first.map(|element| element.metadata().to_owned());
    let read = catch_unwind(AssertUnwindSafe(read));
    read.ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITION: Partition = Partition(3);

    #[test]
    fn the_mark_of_the_group_decides_what_became_of_a_transaction() {
        for (found, expected) in [
            ("before", Outcome::Aborted),
            ("of another owner", Outcome::Undetermined),
            ("", Outcome::Undetermined),
        ] {
            let mut marks = Marks::default();
            marks.read(PARTITION, "before");
            let mark = marks.next();
            marks.lost([PARTITION, Partition(5)].into_iter(), mark);
            marks.read(PARTITION, found);
            assert_eq!(marks.asks_for(), Some(PARTITION));
            assert_eq!(marks.decide(found), Some(expected), "{found}");
            assert_eq!(marks.asks_for(), None);
        }
        let mut marks = Marks::default();
        let mark = marks.next();
        marks.lost(std::iter::once(PARTITION), mark.clone());
        assert_eq!(marks.decide(&mark), Some(Outcome::Committed));
        assert_eq!(marks.decide(&mark), None, "it is decided once");
    }

    #[test]
    fn a_partition_without_any_offset_had_no_mark_and_has_none_after_an_abort() {
        let mut marks = Marks::default();
        marks.read(PARTITION, "");
        let mark = marks.next();
        marks.lost(std::iter::once(PARTITION), mark);
        assert_eq!(marks.decide(""), Some(Outcome::Aborted));
    }

    #[test]
    fn no_two_transactions_have_one_mark() {
        let (mut first, mut second) = (Marks::default(), Marks::default());
        let marks = [first.next(), first.next(), second.next(), second.next()];
        for (number, mark) in marks.iter().enumerate() {
            assert!(!marks[..number].contains(mark), "{marks:?}");
        }
    }
}
