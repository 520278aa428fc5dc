//! A log in one process, without a broker: input, outputs, compacted state changelog and
//! checkpoints in one sled database of its own, one tree.
//!
//! This log is the truth: it is never wiped by itself, and doubt about it is a refusal to start.
//! Every batch is atomic and carries the ends of the partitions it moves; it is flushed before an
//! append is acknowledged and before a commit returns. When opened, all of it is checked: every
//! offset up to the ends is there, every value matches its checksum, and no acknowledged batch is
//! missing (a watermark outside the database counts them).

mod changes;
mod check;
mod layout;
mod watermark;
mod worker;

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::partitioner::partition_of;
use crate::domain::time::Timestamp;
use crate::faults::FaultPoint;
use crate::faults::Faults;
use crate::log::Committed;
use crate::log::Error;
use crate::log::OutputRecord;
use crate::log::PartitionCommit;
use crate::log::Transaction;
use crate::log::embedded::check::check;
use crate::log::embedded::check::damaged;
use crate::log::embedded::check::open_database;
use crate::log::embedded::layout::BATCHES_KEY;
use crate::log::embedded::layout::Ends;
use crate::log::embedded::layout::Kind;
use crate::log::embedded::layout::Meta;
use crate::log::embedded::layout::StoredInput;
use crate::log::embedded::layout::StoredOutput;
use crate::log::embedded::layout::StoredState;
use crate::log::embedded::layout::Tail;
use crate::log::embedded::watermark::Watermark;
pub use crate::log::embedded::worker::EmbeddedWorker;

/// A record to append to the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRecord {
    /// Its record time.
    pub timestamp: Option<Timestamp>,
    /// Its key; decides the partition.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub payload: Vec<u8>,
}

/// The log; cheap to clone.
#[derive(Clone, Debug)]
pub struct EmbeddedLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: String,
    database: sled::Db,
    meta: Meta,
    /// Guards every write: offsets are given out in order.
    written: Mutex<Written>,
    appended: Condvar,
    faults: Faults,
}

/// What has been written so far.
#[derive(Debug)]
struct Written {
    tail: Tail,
    watermark: Watermark,
}

impl EmbeddedLog {
    /// Opens a log and checks all of it, or makes a new one.
    ///
    /// # Errors
    /// [`Error::Unusable`] if it is held by another process, of another format or partition count,
    /// or damaged. Nothing is ever removed.
    pub fn open(path: &Path, partitions: u32, faults: Faults) -> Result<Self, Error> {
        let name = path.display().to_string();
        let (watermark, durable) = Watermark::open(path, &name)?;
        let database = open_database(path, &name)?;
        let checked = catch_unwind(AssertUnwindSafe(|| {
            check(&database, partitions, durable, &name)
        }));
        let (meta, tail) = checked.unwrap_or_else(|_| Err(damaged(&name, "reading it panics")))?;
        Ok(Self(Arc::new(Inner {
            path: name,
            database,
            meta,
            written: Mutex::new(Written { tail, watermark }),
            appended: Condvar::new(),
            faults,
        })))
    }

    /// Number of partitions of every topic.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.0.meta.partitions
    }

    /// A worker's view: the partitions whose number leaves the rest `index` by `workers`.
    #[must_use]
    pub fn worker(&self, index: usize, workers: usize) -> EmbeddedWorker {
        EmbeddedWorker::new(self.clone(), index, workers)
    }

    /// A view without partitions: they are assigned by its holder.
    #[must_use]
    pub fn member(&self) -> EmbeddedWorker {
        EmbeddedWorker::without_partitions(self.clone())
    }

    /// Appends to the input, all or nothing. When it returns, the records survive power loss. With
    /// a cursor, how far the source has come is written in the same batch, or removed.
    ///
    /// # Errors
    /// If the database fails; then nothing was acknowledged.
    pub fn append(
        &self,
        records: Vec<InputRecord>,
        cursor: Option<(&str, Option<u64>)>,
    ) -> Result<Vec<Position>, Error> {
        let inner = &*self.0;
        let mut written = self.lock();
        let mut next = written.tail.ends.clone();
        let mut batch = sled::Batch::default();
        let mut positions = Vec::with_capacity(records.len());
        for record in &records {
            let key = record.key.as_deref();
            let partition = partition_of(key.unwrap_or(&record.payload), self.partitions());
            let Some(end) = end_of(&mut next, partition) else {
                continue;
            };
            let offset = end.input;
            end.input += 1;
            let timestamp = record.timestamp.map(Timestamp::as_milliseconds);
            let stored = StoredInput {
                timestamp,
                key,
                payload: &record.payload,
            };
            let place = layout::offset_key(Kind::Input, partition, offset);
            batch.insert(place, self.encoded(&stored)?);
            positions.push(Position {
                source: Source::Events,
                partition,
                offset,
            });
        }
        if let Some((source, line)) = cursor {
            match line {
                Some(line) => batch.insert(layout::cursor_key(source), self.encoded(&line)?),
                None => batch.remove(layout::cursor_key(source)),
            }
        }
        inner.faults.cross(FaultPoint::AppendBefore)?;
        self.apply(&mut written, batch, next)?;
        inner.faults.cross(FaultPoint::AppendBeforeFlush)?;
        self.flush(&mut written)?;
        inner.faults.cross(FaultPoint::AppendAfterFlush)?;
        drop(written);
        inner.appended.notify_all();
        Ok(positions)
    }

    /// How far a source was appended, if it was interrupted.
    ///
    /// # Errors
    /// If the database fails or the cursor is damaged.
    pub fn cursor(&self, source: &str) -> Result<Option<u64>, Error> {
        let found = self.0.database.get(layout::cursor_key(source))?;
        found
            .map(|bytes| layout::decode(&bytes).ok_or_else(|| self.damaged("a cursor")))
            .transpose()
    }

    /// End of the input of each partition.
    #[must_use]
    pub fn input_ends(&self) -> Vec<u64> {
        let written = self.lock();
        written.tail.ends.iter().map(|ends| ends.input).collect()
    }

    /// The input, by partition and offset.
    pub fn inputs(&self) -> impl Iterator<Item = Result<(Position, InputRecord), Error>> {
        let log = self.clone();
        (0..self.partitions())
            .map(Partition)
            .flat_map(move |partition| {
                let log = log.clone();
                let entries = log
                    .0
                    .database
                    .scan_prefix(layout::partition_key(Kind::Input, partition));
                entries.map(move |entry| {
                    let (key, bytes) = entry?;
                    let stored: Option<StoredInput<'_>> = layout::decode(&bytes);
                    let (Some(offset), Some(stored)) = (layout::offset_of(&key), stored) else {
                        return Err(log.damaged("an input record"));
                    };
                    let record = InputRecord {
                        timestamp: stored.timestamp.and_then(Timestamp::from_milliseconds),
                        key: stored.key.map(<[u8]>::to_vec),
                        payload: stored.payload.to_vec(),
                    };
                    let source = Source::Events;
                    let position = Position {
                        source,
                        partition,
                        offset,
                    };
                    Ok((position, record))
                })
            })
    }

    /// The changes, by partition and offset.
    pub fn changes(&self) -> impl Iterator<Item = Result<(Partition, u64, OutputRecord), Error>> {
        self.outputs(Kind::Change)
    }

    /// The dead letters, by partition and offset.
    pub fn dead_letters(
        &self,
    ) -> impl Iterator<Item = Result<(Partition, u64, OutputRecord), Error>> {
        self.outputs(Kind::DeadLetter)
    }

    /// The latest change of each customer, by partition and key.
    pub fn current(&self) -> impl Iterator<Item = Result<OutputRecord, Error>> {
        let log = self.clone();
        let entries = self.0.database.scan_prefix([Kind::Current as u8]);
        entries.map(move |entry| {
            let (_, bytes) = entry?;
            let stored: Option<StoredOutput> = layout::decode(&bytes);
            let stored = stored.ok_or_else(|| log.damaged("a latest change"))?;
            Ok(stored.into())
        })
    }

    /// The end of a partition's changes, all of them on disk; `None` where there is no such partition.
    fn changes_end(&self, partition: Partition) -> Option<u64> {
        let written = self.lock();
        let number = usize::try_from(partition.0).ok()?;
        written.tail.ends.get(number).map(|ends| ends.changes)
    }

    fn database(&self) -> &sled::Db {
        &self.0.database
    }

    fn outputs(
        &self,
        kind: Kind,
    ) -> impl Iterator<Item = Result<(Partition, u64, OutputRecord), Error>> {
        let log = self.clone();
        (0..self.partitions())
            .map(Partition)
            .flat_map(move |partition| {
                let log = log.clone();
                let entries = log
                    .0
                    .database
                    .scan_prefix(layout::partition_key(kind, partition));
                entries.map(move |entry| {
                    let (key, bytes) = entry?;
                    let offset = layout::offset_of(&key);
                    let stored: Option<StoredOutput> = layout::decode(&bytes);
                    match (offset, stored) {
                        (Some(offset), Some(stored)) => Ok((partition, offset, stored.into())),
                        (None, _) | (_, None) => Err(log.damaged("an output record")),
                    }
                })
            })
    }

    fn commit(&self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        let inner = &*self.0;
        if transaction.partitions.is_empty() {
            return Err(self.unusable("a transaction without offsets would not be fenced"));
        }
        let mut written = self.lock();
        let mut next = written.tail.ends.clone();
        let mut batch = sled::Batch::default();
        let mut committed = Vec::with_capacity(transaction.partitions.len());
        for part in &transaction.partitions {
            committed.push(self.stage_state(&mut batch, &mut next, part)?);
        }
        for record in &transaction.changes {
            let partition = self.output_partition(record);
            let Some(end) = end_of(&mut next, partition) else {
                continue;
            };
            let place = layout::offset_key(Kind::Change, partition, end.changes);
            end.changes += 1;
            batch.insert(place, self.encoded(&StoredOutput::from(&**record))?);
        }
        for record in &transaction.current {
            let partition = self.output_partition(record);
            let name = record.key.as_deref().unwrap_or_default();
            let place = layout::named_key(Kind::Current, partition, name);
            batch.insert(place, self.encoded(&StoredOutput::from(&**record))?);
        }
        for record in &transaction.dead_letters {
            let partition = self.output_partition(record);
            let Some(end) = end_of(&mut next, partition) else {
                continue;
            };
            let place = layout::offset_key(Kind::DeadLetter, partition, end.dead_letters);
            end.dead_letters += 1;
            batch.insert(place, self.encoded(&StoredOutput::from(&**record))?);
        }
        self.apply(&mut written, batch, next)?;
        inner.faults.cross(FaultPoint::CommitBeforeFlush)?;
        self.flush(&mut written)?;
        inner.faults.cross(FaultPoint::CommitAfterFlush)?;
        Ok(committed)
    }

    fn stage_state(
        &self,
        batch: &mut sled::Batch,
        next: &mut [Ends],
        part: &PartitionCommit,
    ) -> Result<Committed, Error> {
        let partition = part.partition;
        let Some(end) = end_of(next, partition) else {
            return Err(self.unusable("a transaction names a partition the log does not have"));
        };
        if end.group.is_some_and(|group| part.offset_next < group) || part.offset_next > end.input {
            return Err(self.unusable("a transaction's offset is behind the group or past the end"));
        }
        end.group = Some(part.offset_next);
        for record in &part.state {
            let index = layout::named_key(Kind::StateIndex, partition, &record.key);
            match self.0.database.get(&index)? {
                Some(previous) => {
                    let offset: u64 = layout::decode(&previous)
                        .ok_or_else(|| self.damaged("the changelog's index"))?;
                    batch.remove(layout::offset_key(Kind::State, partition, offset));
                }
                None => end.state_records += 1,
            }
            let stored = StoredState {
                key: &record.key,
                value: record.value.as_deref(),
            };
            let place = layout::offset_key(Kind::State, partition, end.state);
            batch.insert(place, self.encoded(&stored)?);
            batch.insert(index, self.encoded(&end.state)?);
            end.state += 1;
        }
        Ok(Committed {
            partition,
            changelog_next: end.state,
        })
    }

    fn output_partition(&self, record: &OutputRecord) -> Partition {
        partition_of(
            record.key.as_deref().unwrap_or(&record.value),
            self.partitions(),
        )
    }

    /// Writes a batch together with the ends it moves and its number. From here on it may survive
    /// whatever is answered, so the tail moves with it: the next batch must not take its offsets.
    fn apply(
        &self,
        written: &mut Written,
        mut batch: sled::Batch,
        next: Vec<Ends>,
    ) -> Result<(), Error> {
        for (number, (before, after)) in (0..).zip(written.tail.ends.iter().zip(&next)) {
            if before != after {
                let key = layout::partition_key(Kind::Ends, Partition(number));
                batch.insert(key, self.encoded(after)?);
            }
        }
        let batches = written.tail.batches + 1;
        batch.insert(BATCHES_KEY, self.encoded(&batches)?);
        self.0.database.apply_batch(batch)?;
        written.tail = Tail {
            ends: next,
            batches,
        };
        Ok(())
    }

    fn flush(&self, written: &mut Written) -> Result<(), Error> {
        self.0.database.flush()?;
        written.watermark.advance(written.tail.batches)
    }

    fn encoded<T: serde::Serialize>(&self, value: &T) -> Result<Vec<u8>, Error> {
        layout::encode(value).ok_or_else(|| self.unusable("a record cannot be encoded"))
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn unusable(&self, problem: &str) -> Error {
        Error::Unusable {
            path: self.0.path.clone(),
            problem: problem.to_owned(),
        }
    }

    fn damaged(&self, what: &str) -> Error {
        damaged(&self.0.path, &format!("{what} does not match its checksum"))
    }
}

fn end_of(ends: &mut [Ends], partition: Partition) -> Option<&mut Ends> {
    ends.get_mut(usize::try_from(partition.0).ok()?)
}
