//! One worker's view of the embedded log.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::PoisonError;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
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
use crate::log::ProgressAnswer;
use crate::log::SourceFacts;
use crate::log::SourceProgress;
use crate::log::Transaction;
use crate::log::WorkerLog;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::layout;
use crate::log::embedded::layout::Encoding;
use crate::log::embedded::layout::Ends;
use crate::log::embedded::layout::Kind;
use crate::log::embedded::layout::StoredState;
use crate::log::embedded::records;

/// A source of a partition.
type Place = (Partition, Source);

/// One worker's view: its partitions, and where it reads in them.
#[derive(Debug)]
pub struct EmbeddedWorker {
    log: EmbeddedLog,
    assigned: BTreeSet<Partition>,
    /// A poll has reported the assignment.
    is_announced: bool,
    positions: BTreeMap<Place, u64>,
    /// Where reading begins next time, so that no partition and no source starves.
    first: Place,
}

impl EmbeddedLog {
    /// A worker's view: the partitions whose number leaves the rest `index` by `workers`.
    #[must_use]
    pub fn worker(&self, index: usize, workers: usize) -> EmbeddedWorker {
        let mine = (0..self.partitions()).filter(|number| {
            usize::try_from(*number).is_ok_and(|number| number % workers.max(1) == index)
        });
        let assigned = mine.map(Partition).collect();
        EmbeddedWorker::new(self.clone(), assigned, false)
    }

    /// A view without partitions: they are assigned by its holder.
    #[must_use]
    pub fn member(&self) -> EmbeddedWorker {
        EmbeddedWorker::new(self.clone(), BTreeSet::new(), true)
    }
}

impl EmbeddedWorker {
    /// How far a partition was read.
    #[must_use]
    pub fn progress_of(&self, partition: Partition) -> Progress {
        let ends = self.ends(partition);
        let of_source = |source| SourceProgress {
            position: self.positions.get(&(partition, source)).copied(),
            end: ends.end(source),
        };
        Source::ALL.map(|source| (source, of_source(source))).into()
    }

    fn new(log: EmbeddedLog, assigned: BTreeSet<Partition>, is_announced: bool) -> Self {
        Self {
            log,
            assigned,
            is_announced,
            positions: BTreeMap::new(),
            first: (Partition(0), Source::Events),
        }
    }

    /// Assigns partitions, silent until they are resumed. The next poll does not announce them.
    pub fn assign(&mut self, partitions: &[Partition]) {
        self.assigned.extend(partitions);
    }

    /// Gives partitions up; they deliver nothing any more.
    pub fn unassign(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.silence(*partition);
            self.assigned.remove(partition);
        }
    }

    fn silence(&mut self, partition: Partition) {
        self.positions.retain(|(known, _), _| *known != partition);
    }

    fn read(&mut self, limit: PollLimit) -> Result<Vec<Delivery>, Error> {
        let order: Vec<Place> = self
            .positions
            .range(self.first..)
            .chain(self.positions.range(..self.first))
            .map(|(place, _)| *place)
            .collect();
        let mut deliveries = Vec::new();
        let mut bytes_left = limit.bytes;
        for place in order {
            let room = limit.records.saturating_sub(deliveries.len());
            if room == 0 || bytes_left == 0 {
                self.first = place;
                break;
            }
            self.read_source(place, room, &mut bytes_left, &mut deliveries)?;
        }
        Ok(deliveries)
    }

    fn read_source(
        &mut self,
        place: Place,
        room: usize,
        bytes_left: &mut usize,
        deliveries: &mut Vec<Delivery>,
    ) -> Result<(), Error> {
        let (partition, source) = place;
        let end = self.ends(partition).end(source);
        let Some(position) = self.positions.get_mut(&place) else {
            return Ok(());
        };
        if *position >= end {
            return Ok(());
        }
        let kind = layout::kind_of(source);
        let from = layout::offset_key(kind, partition, *position);
        let until = layout::offset_key(kind, partition, end);
        for entry in self.log.0.database.range(from..until).take(room) {
            let (_, bytes) = entry?;
            let record = records::decode_input(&bytes)
                .ok_or_else(|| self.log.damaged(&format!("record {position} of a source")))?;
            let delivery = Delivery {
                position: Position {
                    source,
                    partition,
                    offset: *position,
                },
                record_time: record.timestamp,
                key: record.key,
                payload: record.payload,
                headers: record.headers,
            };
            *position += 1;
            *bytes_left = bytes_left.saturating_sub(delivery.bytes());
            deliveries.push(delivery);
            if *bytes_left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn has_unread(&self, ends: &[Ends]) -> bool {
        let mut positions = self.positions.iter();
        positions.any(|((partition, source), position)| {
            ends.get(index_of(*partition))
                .is_some_and(|ends| *position < ends.end(*source))
        })
    }

    fn ends(&self, partition: Partition) -> Ends {
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
        if !self.is_announced {
            self.is_announced = true;
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

    fn resume_at(&mut self, partition: Partition, offsets: AppliedOffsets) -> Result<(), Error> {
        let ends = self.ends(partition).of_sources();
        if !self.assigned.contains(&partition) || !ends.covers(&offsets) {
            let what = format!("partition {partition} cannot be read on at {offsets:?}");
            return Err(self.log.unusable(&what));
        }
        for source in Source::ALL {
            self.positions
                .insert((partition, source), offsets.next(source));
        }
        Ok(())
    }

    fn pause(&mut self, partition: Partition) {
        self.silence(partition);
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        self.log.commit(transaction)
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        let ends = self.ends(partition);
        let of_source = |source| SourceFacts {
            start: 0,
            end: ends.end(source),
            group_offset: ends.group(source),
        };
        let sources = Source::ALL.map(|source| (source, of_source(source)));
        Ok(Some(PartitionFacts {
            lineage: self.log.0.meta.lineage.clone(),
            changelog_start: 0,
            changelog_end: ends.main.state,
            tombstones_kept: None,
            sources: sources.into(),
        }))
    }

    fn progress(
        &mut self,
        partitions: &[Partition],
        wall: Timestamp,
    ) -> Result<Option<ProgressAnswer>, Error> {
        Ok(Some(ProgressAnswer::at_once(
            partitions,
            wall,
            |partition| self.progress_of(partition),
        )))
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        let end = self.ends(partition).main.state;
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
            let stored: Option<StoredState<'_>> = layout::decode(Encoding::One, &bytes);
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
        self.is_announced = false;
        self.positions.clear();
    }
}
