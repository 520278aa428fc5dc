//! The log as its holders share it: opening it, and writing a batch.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::domain::ids::Partition;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::partitioner::partition_of;
use crate::faults::Faults;
use crate::log::Error;
use crate::log::embedded::check::check;
use crate::log::embedded::check::damaged;
use crate::log::embedded::check::open_database;
use crate::log::embedded::layout;
use crate::log::embedded::layout::BATCHES_KEY;
use crate::log::embedded::layout::Encoding;
use crate::log::embedded::layout::Ends;
use crate::log::embedded::layout::Kind;
use crate::log::embedded::layout::META_KEY;
use crate::log::embedded::layout::Meta;
use crate::log::embedded::layout::Tail;
use crate::log::embedded::watermark::Watermark;

/// The log; cheap to clone.
#[derive(Clone, Debug)]
pub struct EmbeddedLog(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) path: String,
    pub(super) database: sled::Db,
    pub(super) meta: Meta,
    /// Guards every write: offsets are given out in order.
    pub(super) written: Mutex<Written>,
    pub(super) appended: Condvar,
    pub(super) faults: Faults,
}

/// What has been written so far.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) tail: Tail,
    watermark: Watermark,
}

impl EmbeddedLog {
    /// Opens a log and checks all of it, or makes a new one.
    ///
    /// # Errors
    /// [`Error::Unusable`] if another process holds it, if it is of another format or partition count,
    /// or if it is damaged. Opening never removes anything.
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

    /// The ends of the sources of each partition.
    #[must_use]
    pub fn ends(&self) -> Vec<AppliedOffsets> {
        let written = self.lock();
        let each = written.tail.ends.iter();
        each.map(Ends::of_sources).collect()
    }

    /// The partition of a record with this key, or, without one, of this value.
    pub(super) fn partition_of(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Partition {
        partition_of(key.or(value).unwrap_or_default(), self.partitions())
    }

    /// Writes a batch together with the ends it moves and its number. From here on it may survive even where
    /// an error follows, so the tail moves with it: the next batch must not take its offsets.
    pub(super) fn apply(
        &self,
        written: &mut Written,
        mut batch: sled::Batch,
        next: Vec<Ends>,
    ) -> Result<(), Error> {
        for (number, (before, after)) in (0..).zip(written.tail.ends.iter().zip(&next)) {
            let partition = Partition(number);
            if before.main != after.main {
                let key = layout::partition_key(Kind::Ends, partition);
                batch.insert(key, self.encoded(&after.main)?);
            }
            if before.transfers != after.transfers {
                let key = layout::partition_key(Kind::TransferEnds, partition);
                batch.insert(key, self.encoded(&after.transfers)?);
            }
        }
        if written.tail.format != layout::FORMAT {
            // A version that does not know this format refuses the log from now on.
            batch.insert(META_KEY, self.encoded_meta()?);
        }
        let batches = written.tail.batches + 1;
        batch.insert(BATCHES_KEY, self.encoded(&batches)?);
        self.0.database.apply_batch(batch)?;
        written.tail = Tail {
            ends: next,
            batches,
            format: layout::FORMAT,
        };
        Ok(())
    }

    /// Makes what was applied durable, and counts it.
    pub(super) fn flush(&self, written: &mut Written) -> Result<(), Error> {
        self.0.database.flush()?;
        written.watermark.advance(written.tail.batches)
    }

    /// A value whose shape has not changed since format 1.
    pub(super) fn encoded<T: serde::Serialize>(&self, value: &T) -> Result<Vec<u8>, Error> {
        self.encoded_as(Encoding::One, value)
    }

    /// A record of a source or an output.
    pub(super) fn encoded_record<T: serde::Serialize>(&self, record: &T) -> Result<Vec<u8>, Error> {
        self.encoded_as(Encoding::Two, record)
    }

    fn encoded_as<T: serde::Serialize>(
        &self,
        encoding: Encoding,
        value: &T,
    ) -> Result<Vec<u8>, Error> {
        layout::encode(encoding, value).ok_or_else(|| self.unusable("a record cannot be encoded"))
    }

    fn encoded_meta(&self) -> Result<Vec<u8>, Error> {
        layout::encode_meta(&self.0.meta)
            .ok_or_else(|| self.unusable("its identity cannot be encoded"))
    }

    /// The ends of a partition, to be moved.
    pub(super) fn ends_of<'a>(
        &self,
        ends: &'a mut [Ends],
        partition: Partition,
    ) -> Result<&'a mut Ends, Error> {
        let place = usize::try_from(partition.0).ok();
        place
            .and_then(|place| ends.get_mut(place))
            .ok_or_else(|| self.unusable("a record is for a partition that the log does not have"))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Written> {
        self.0
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn unusable(&self, problem: &str) -> Error {
        Error::Unusable {
            path: self.0.path.clone(),
            problem: problem.to_owned(),
        }
    }

    pub(super) fn damaged(&self, what: &str) -> Error {
        damaged(&self.0.path, &format!("{what} does not match its checksum"))
    }
}
