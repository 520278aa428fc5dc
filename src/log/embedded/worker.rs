//! One worker's view of the embedded log.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::PoisonError;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::log::ChangelogChunk;
use crate::log::ChangelogRecord;
use crate::log::Committed;
use crate::log::Delivery;
use crate::log::Error;
use crate::log::PartitionFacts;
use crate::log::PollLimit;
use crate::log::Polled;
use crate::log::Progress;
use crate::log::Transaction;
use crate::log::WorkerLog;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::layout;
use crate::log::embedded::layout::Kind;
use crate::log::embedded::layout::StoredInput;
use crate::log::embedded::layout::StoredState;

/// One worker's view: its partitions, and where it reads in them.
#[derive(Debug)]
pub struct EmbeddedWorker {
    log: EmbeddedLog,
    assigned: BTreeSet<Partition>,
    is_told: bool,
    positions: BTreeMap<Partition, u64>,
    /// The partition that is read first next time, so that none starves.
    first: Partition,
}

impl EmbeddedWorker {
    pub(super) fn new(log: EmbeddedLog, index: usize, workers: usize) -> Self {
        let mine = (0..log.partitions()).filter(|number| {
            usize::try_from(*number).is_ok_and(|number| number % workers.max(1) == index)
        });
        let assigned = mine.map(Partition).collect();
        let positions = BTreeMap::new();
        Self {
            log,
            assigned,
            is_told: false,
            positions,
            first: Partition(0),
        }
    }

    pub(super) fn without_partitions(log: EmbeddedLog) -> Self {
        Self {
            log,
            assigned: BTreeSet::new(),
            is_told: true,
            positions: BTreeMap::new(),
            first: Partition(0),
        }
    }

    /// Takes partitions in, silent until they are resumed. The next poll says nothing of them.
    pub fn assign(&mut self, partitions: &[Partition]) {
        self.assigned.extend(partitions);
    }

    /// Gives partitions up; they deliver nothing any more.
    pub fn unassign(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.positions.remove(partition);
            self.assigned.remove(partition);
        }
    }

    fn read(&mut self, limit: PollLimit) -> Result<Vec<Delivery>, Error> {
        let order: Vec<Partition> = self
            .positions
            .range(self.first..)
            .chain(self.positions.range(..self.first))
            .map(|(partition, _)| *partition)
            .collect();
        let mut deliveries = Vec::new();
        let mut bytes_left = limit.bytes;
        for partition in order {
            let room = limit.records.saturating_sub(deliveries.len());
            if room == 0 || bytes_left == 0 {
                self.first = partition;
                break;
            }
            self.read_partition(partition, room, &mut bytes_left, &mut deliveries)?;
        }
        Ok(deliveries)
    }

    fn read_partition(
        &mut self,
        partition: Partition,
        room: usize,
        bytes_left: &mut usize,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<(), Error> {
        let Some(position) = self.positions.get_mut(&partition) else {
            return Ok(());
        };
        let end = self
            .log
            .input_ends()
            .get(index_of(partition))
            .copied()
            .unwrap_or(0);
        let from = layout::offset_key(Kind::Input, partition, *position);
        let until = layout::offset_key(Kind::Input, partition, end);
        if *position >= end {
            return Ok(());
        }
        for entry in self.log.0.database.range(from..until).take(room) {
            let (_, bytes) = entry?;
            let stored: StoredInput<'_> = layout::decode(&bytes)
                .ok_or_else(|| self.log.damaged(&format!("input record {position}")))?;
            deliveries.push(Delivery {
                position: Position {
                    source: Source::Events,
                    partition,
                    offset: *position,
                },
                record_time: stored.timestamp.and_then(Timestamp::from_milliseconds),
                key: stored.key.map(<[u8]>::to_vec),
                payload: stored.payload.to_vec(),
            });
            *position += 1;
            *bytes_left = bytes_left.saturating_sub(stored.payload.len());
            if *bytes_left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn has_unread(&self, ends: &[layout::Ends]) -> bool {
        self.positions.iter().any(|(partition, position)| {
            ends.get(index_of(*partition))
                .is_some_and(|end| *position < end.input)
        })
    }

    fn ends(&self, partition: Partition) -> layout::Ends {
        let written = self.log.lock();
        let ends = written.tail.ends.get(index_of(partition));
        ends.copied().unwrap_or_default()
    }

    fn wait(&self, limit: PollLimit) {
        let written = self.log.lock();
        if limit.timeout.is_zero() || self.has_unread(&written.tail.ends) {
            return;
        }
        let waited = self.log.0.appended.wait_timeout(written, limit.timeout);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

fn index_of(partition: Partition) -> usize {
    usize::try_from(partition.0).unwrap_or(usize::MAX)
}

impl WorkerLog for EmbeddedWorker {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        if !self.is_told {
            self.is_told = true;
            return Ok(Polled::Assigned(self.assigned.iter().copied().collect()));
        }
        let mut deliveries = self.read(limit)?;
        if deliveries.is_empty() {
            self.wait(limit);
            deliveries = self.read(limit)?;
        }
        Ok(if deliveries.is_empty() {
            Polled::Idle
        } else {
            Polled::Deliveries(deliveries)
        })
    }

    fn resume_at(&mut self, partition: Partition, offset: u64) -> Result<(), Error> {
        let end = self
            .log
            .input_ends()
            .get(index_of(partition))
            .copied()
            .unwrap_or(0);
        if !self.assigned.contains(&partition) || offset > end {
            let what = format!("partition {partition} cannot be read on at offset {offset}");
            return Err(self.log.unusable(&what));
        }
        self.positions.insert(partition, offset);
        Ok(())
    }

    fn pause(&mut self, partition: Partition) {
        self.positions.remove(&partition);
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        self.log.commit(transaction)
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        let ends = self.ends(partition);
        Ok(Some(PartitionFacts {
            lineage: self.log.0.meta.lineage.clone(),
            changelog_start: 0,
            changelog_end: ends.state,
            tombstones_kept: None,
            group_offset: ends.group,
            input_start: 0,
            input_end: ends.input,
        }))
    }

    fn progress(&mut self, partition: Partition) -> Result<Option<Progress>, Error> {
        Ok(Some(Progress {
            position: self.positions.get(&partition).copied(),
            input_end: self.ends(partition).input,
        }))
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        let end = self.ends(partition).state;
        let first = layout::offset_key(Kind::State, partition, from);
        let last = layout::offset_key(Kind::State, partition, end);
        let mut chunk = ChangelogChunk {
            records: Vec::new(),
            offset_next: end,
            remaining: 0,
        };
        if from >= end {
            return Ok(chunk);
        }
        for entry in self.log.0.database.range(first..last).take(records) {
            let (key, bytes) = entry?;
            let stored: Option<StoredState<'_>> = layout::decode(&bytes);
            let (Some(offset), Some(stored)) = (layout::offset_of(&key), stored) else {
                return Err(self.log.damaged("a state record"));
            };
            chunk.records.push(ChangelogRecord {
                offset,
                key: stored.key.to_vec(),
                value: stored.value.map(<[u8]>::to_vec),
            });
        }
        if let Some(latest) = chunk.records.last()
            && chunk.records.len() == records
        {
            chunk.offset_next = latest.offset + 1;
            chunk.remaining = end - chunk.offset_next;
        }
        Ok(chunk)
    }

    fn restart(&mut self) {
        self.is_told = false;
        self.positions.clear();
    }
}
