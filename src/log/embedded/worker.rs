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
use crate::log::embedded::cursor::Cursor;
use crate::log::embedded::ends::Ends;
use crate::log::embedded::ends::stream_of;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::handle::EmbeddedLog;
use crate::log::embedded::handle::index_of;
use crate::log::embedded::records::InputRecord;
use crate::log::embedded::records::Stored;

/// A source of a partition.
type Place = (Partition, Source);

/// One worker's view: its partitions, and where it reads in them.
#[derive(Debug)]
pub struct EmbeddedWorker {
    log: EmbeddedLog,
    assigned: BTreeSet<Partition>,
    /// A poll has reported the assignment.
    is_announced: bool,
    positions: BTreeMap<Place, Cursor>,
    /// Where reading begins next time, so that no partition and no source starves.
    first: Place,
    /// Where the reading of a changelog goes on.
    changelog: Option<Cursor>,
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
        let ends = self.log.ends_of(partition).sources;
        let of_source = |source| SourceProgress {
            position: self
                .positions
                .get(&(partition, source))
                .map(Cursor::position),
            end: ends.next(source),
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
            changelog: None,
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
        let end = self.log.ends_of(partition).sources.next(source);
        let log = &self.log.0.input;
        let Some(cursor) = self.positions.get_mut(&place) else {
            return Ok(());
        };
        let room = deliveries.len() + room;
        while deliveries.len() < room
            && let Some((offset, bytes)) = cursor.next(log, end)?
        {
            // What was in an empty slot was delivered once, or is not to be any more.
            if bytes.is_empty() {
                continue;
            }
            let stored = Stored::read(bytes).ok_or_else(|| {
                let what = format!("the record at offset {offset} is damaged");
                damaged(&log.directory, &what)
            })?;
            let record = InputRecord::from(stored);
            let delivery = Delivery {
                position: Position {
                    source,
                    partition,
                    offset,
                },
                record_time: record.timestamp,
                key: record.key,
                payload: record.payload,
                headers: record.headers,
            };
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
        positions.any(|((partition, source), cursor)| {
            ends.get(index_of(partition.0))
                .is_some_and(|ends| cursor.position() < ends.sources.next(*source))
        })
    }

    fn wait(&self, limit: PollLimit) {
        let ends = self.log.lock_ends();
        if limit.timeout.is_zero() || self.has_unread(&ends) {
            return;
        }
        let waited = self.log.0.appended.wait_timeout(ends, limit.timeout);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl WorkerLog for EmbeddedWorker {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        // So that the service ends, also where it has nothing to write.
        self.log.0.doubt.check(&self.log.0.path)?;
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
        let ends = self.log.ends_of(partition).sources;
        let log = &self.log.0.input;
        let is_gone = |source| offsets.next(source) < log.start(stream_of(source, partition));
        if !self.assigned.contains(&partition)
            || !ends.covers(&offsets)
            || Source::ALL.into_iter().any(is_gone)
        {
            let what = format!("partition {partition} cannot be read on at {offsets:?}");
            return Err(self.log.unusable(&what));
        }
        for source in Source::ALL {
            let cursor = Cursor::new(stream_of(source, partition), offsets.next(source));
            self.positions.insert((partition, source), cursor);
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
        let ends = self.log.ends_of(partition);
        let log = &self.log.0;
        let of_source = |source| SourceFacts {
            start: log.input.start(stream_of(source, partition)),
            end: ends.sources.next(source),
            group_offset: ends.group.of(source),
        };
        let sources = Source::ALL.map(|source| (source, of_source(source)));
        Ok(Some(PartitionFacts {
            lineage: log.identity.lineage.clone(),
            changelog_start: 0,
            changelog_end: ends.state,
            tombstones_kept: None,
            tombstones_from: self.log.tombstones_from(partition),
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
        let end = self.log.ends_of(partition).state;
        let stream = Stream {
            kind: Kind::State,
            partition,
        };
        if self.changelog.as_ref().map(Cursor::stream) != Some(stream)
            || self.changelog.as_ref().map(Cursor::position) != Some(from)
        {
            self.changelog = Some(Cursor::new(stream, from));
        }
        let log = &self.log.0.state;
        let mut chunk = ChangelogChunk {
            records: Vec::with_capacity(records),
            offset_next: end.max(from),
            remaining: 0,
        };
        let Some(cursor) = &mut self.changelog else {
            return Ok(chunk);
        };
        while chunk.records.len() < records
            && let Some((offset, bytes)) = cursor.next(log, end)?
        {
            let stored = Stored::read(bytes).ok_or_else(|| {
                let what = format!("the state record at offset {offset} is damaged");
                damaged(&log.directory, &what)
            })?;
            chunk.records.push(ChangelogRecord {
                offset,
                key: stored.key().unwrap_or_default().to_vec(),
                value: stored.value().map(<[u8]>::to_vec),
            });
        }
        if cursor.position() < end {
            chunk.offset_next = cursor.position();
            chunk.remaining = end - chunk.offset_next;
        }
        Ok(chunk)
    }

    fn restart(&mut self) {
        self.is_announced = false;
        self.positions.clear();
        self.changelog = None;
    }
}
