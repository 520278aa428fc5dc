//! Every record of the changelogs. Where they are compacted late, a restore reads what was replaced since.

use segstream::domain::ids::Partition;
use segstream::log::ChangelogChunk;
use segstream::log::ChangelogRecord;
use segstream::log::Committed;
use segstream::log::Transaction;

use super::group::State;

impl State {
    /// Takes note of what a transaction wrote.
    pub fn keep(&mut self, transaction: &Transaction, committed: &[Committed]) {
        for (part, committed) in transaction.partitions.iter().zip(committed) {
            let first = committed.changelog_next - part.state.len() as u64;
            let changelog = self.changelogs.entry(part.partition).or_default();
            for (offset, record) in (first..).zip(&part.state) {
                changelog.push(ChangelogRecord {
                    offset,
                    key: record.key.clone(),
                    value: record.value.clone(),
                });
            }
        }
    }

    /// A chunk up to `end`; `None` where changelogs are compacted at once.
    pub fn read_uncompacted(
        &self,
        partition: Partition,
        (from, end): (u64, u64),
        records: usize,
    ) -> Option<ChangelogChunk> {
        if !self.is_compacted_late {
            return None;
        }
        let changelog = self.changelogs.get(&partition)?.iter();
        let there = changelog.filter(|record| (from..end).contains(&record.offset));
        let records: Vec<ChangelogRecord> = there.take(records).cloned().collect();
        let offset_next = records.last().map_or(end, |record| record.offset + 1);
        Some(ChangelogChunk {
            records,
            offset_next,
            remaining: end - offset_next,
        })
    }
}
