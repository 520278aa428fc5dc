//! Every record of the changelogs. Where they are compacted late, a restore reads what was replaced since; where
//! tombstones are kept for a time only, it does not read older ones.

use std::collections::BTreeMap;
use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::log::ChangelogChunk;
use segstream::log::ChangelogRecord;
use segstream::log::Committed;
use segstream::log::Transaction;

use super::Kind;
use super::group::State;

/// A record, and when it was written by the clock that is behind none.
#[derive(Clone, Debug)]
pub struct Kept {
    pub record: ChangelogRecord,
    written_ms: i64,
}

impl State {
    /// Takes note of what a transaction wrote.
    pub fn keep(&mut self, transaction: &Transaction, committed: &[Committed]) {
        let written_ms = self.clocks.now_ms();
        for (part, committed) in transaction.partitions.iter().zip(committed) {
            self.elsewhere.remove(&part.partition);
            let first = committed.changelog_next - part.state.len() as u64;
            let changelog = self.changelogs.entry(part.partition).or_default();
            for (offset, record) in (first..).zip(&part.state) {
                let record = ChangelogRecord {
                    offset,
                    key: record.key.clone(),
                    value: record.value.clone(),
                };
                changelog.push(Kept { record, written_ms });
            }
        }
    }

    /// A chunk up to `end`; `None` where changelogs are compacted at once.
    pub fn read_uncompacted(
        &mut self,
        partition: Partition,
        (from, end): (u64, u64),
        records: usize,
        asked_ms: i64,
    ) -> Option<ChangelogChunk> {
        if !self.is_compacted_late {
            return None;
        }
        let changelog = self.changelogs.get(&partition)?.iter();
        let there = changelog.map(|kept| &kept.record);
        let there = there.filter(|record| (from..end).contains(&record.offset));
        let mut records: Vec<ChangelogRecord> = there.take(records).cloned().collect();
        let offset_next = records.last().map_or(end, |record| record.offset + 1);
        self.remove_tombstones(partition, asked_ms, &mut records);
        Some(ChangelogChunk {
            records,
            offset_next,
            remaining: end - offset_next,
        })
    }

    /// Removes the records of which there is a later one of the same key: here a changelog is compacted at once.
    pub fn remove_replaced(&self, partition: Partition, records: &mut Vec<ChangelogRecord>) {
        let changelog = self.changelogs.get(&partition).into_iter().flatten();
        let latest: BTreeMap<&[u8], u64> = changelog
            .map(|kept| (kept.record.key.as_slice(), kept.record.offset))
            .collect();
        records.retain(|record| {
            let latest = latest.get(record.key.as_slice());
            latest.is_none_or(|latest| record.offset >= *latest)
        });
    }

    /// Removes the tombstones that are older than was promised, and what they deleted. A restore that began at
    /// `asked_ms` has half of the time to end in: it is not held up for longer than that here.
    pub fn remove_tombstones(
        &mut self,
        partition: Partition,
        asked_ms: i64,
        records: &mut Vec<ChangelogRecord>,
    ) {
        let (Some(kept_for), Some(changelog)) =
            (self.tombstones_kept, self.changelogs.get(&partition))
        else {
            return;
        };
        let milliseconds = |duration: Duration| duration.as_millis() as i64;
        let read_ms = self
            .clocks
            .now_ms()
            .min(asked_ms + milliseconds(kept_for / 4));
        let oldest_ms = read_ms - milliseconds(kept_for);
        let old = changelog.iter().filter(|kept| kept.written_ms < oldest_ms);
        let old = old.filter(|kept| kept.record.value.is_none());
        let removed: BTreeMap<&[u8], u64> = old
            .map(|kept| (kept.record.key.as_slice(), kept.record.offset))
            .collect();
        let before = records.len();
        records.retain(|record| {
            let until = removed.get(record.key.as_slice());
            until.is_none_or(|until| record.offset > *until)
        });
        if records.len() < before {
            self.hit(Kind::TombstonesRemoved);
        }
    }
}
