//! The store of one partition: memory first, sled behind.
//!
//! A read looks at the dirty records, then at the bounded cache of clean ones, then at sled. One
//! worker writes; HTTP readers only read.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;
use std::time::Duration;
use std::time::Instant;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;
use crate::engine::record::CustomerRecord;
use crate::faults::FaultPoint;
use crate::faults::Faults;
use crate::store::Error;
use crate::store::codec;
use crate::store::codec::Checkpoint;
use crate::store::codec::StoreCheckpoint;
use crate::store::directory::StoreDirectory;
use crate::store::records::Records;
use crate::store::verification::CHECKPOINT_KEY;
use crate::store::verification::CUSTOMER_PREFIX;
use crate::store::verification::Expected;
use crate::store::verification::WipeReason;
use crate::store::verification::customer_key;
use crate::store::verification::digest;
use crate::store::verification::verify;

/// Memory a decoded record takes beyond its encoded bytes, estimated.
const RECORD_OVERHEAD_BYTES: usize = 384;
/// A database dropped by this process lets its lock go a moment later.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Sizes of one partition's store.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes of clean records kept decoded.
    pub cache_bytes: u64,
    /// Bytes of sled's own page cache.
    pub database_cache_bytes: u64,
}

/// Customers of a segment, more or fewer than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentDelta {
    /// Which.
    pub segment_id: SegmentId,
    /// By how many.
    pub customers: i64,
}

#[derive(Clone, Debug)]
struct Cached {
    record: Arc<CustomerRecord>,
    /// Digest of what sled holds for the customer; `None` if nothing.
    stored_digest: Option<u64>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<CustomerId, Cached> for ByBytes {
    fn weight(&self, _key: &CustomerId, value: &Cached) -> u64 {
        u64::try_from(value.bytes + RECORD_OVERHEAD_BYTES).unwrap_or(u64::MAX)
    }
}

type RecordMap = HashMap<CustomerId, Cached, foldhash::fast::RandomState>;

#[derive(Debug, Default)]
struct Memory {
    dirty: RecordMap,
    dirty_bytes: usize,
    /// What the records in memory amount to.
    position: StoreCheckpoint,
    /// What sled holds.
    stored: StoreCheckpoint,
}

/// The store of one partition.
#[derive(Debug)]
pub struct PartitionStore {
    path: PathBuf,
    database: sled::Db,
    memory: RwLock<Memory>,
    clean: Cache<CustomerId, Cached, ByBytes, foldhash::fast::RandomState>,
    faults: Faults,
}

impl PartitionStore {
    /// Opens a partition's store and verifies all of it; on any doubt it is wiped and comes back
    /// empty, with the reason. A lock that is held is waited for.
    ///
    /// # Errors
    /// If the directory cannot be written, stays locked, or was wiped too often.
    pub fn open(
        directory: &StoreDirectory,
        partition: Partition,
        expected: &Expected,
        sizes: Sizes,
        faults: Faults,
    ) -> Result<(Self, Option<WipeReason>), Error> {
        let path = directory.partition_path(partition);
        match Self::open_verified(&path, Some(expected), sizes, faults.clone())? {
            Ok(store) => Ok((store, None)),
            Err(reason) => {
                directory.wipe(partition)?;
                match Self::open_verified(&path, Some(expected), sizes, faults)? {
                    Ok(store) => Ok((store, Some(reason))),
                    Err(_) => Err(Error::WipedTooOften { path, wipes: 2 }),
                }
            }
        }
    }

    /// Opens a partition's store as an instance left it, without a log to compare it with.
    ///
    /// # Errors
    /// If it is held, or cannot be trusted: then it is left as it is.
    pub fn open_as_left(
        directory: &StoreDirectory,
        partition: Partition,
        sizes: Sizes,
    ) -> Result<Self, Error> {
        let path = directory.partition_path(partition);
        let opened = Self::open_verified(&path, None, sizes, Faults::none())?;
        opened.map_err(|reason| Error::Untrusted { path, reason })
    }

    fn open_verified(
        path: &PathBuf,
        expected: Option<&Expected>,
        sizes: Sizes,
        faults: Faults,
    ) -> Result<Result<Self, WipeReason>, Error> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        let database = loop {
            let config = sled::Config::new()
                .path(path)
                .mode(sled::Mode::HighThroughput)
                .cache_capacity(sizes.database_cache_bytes)
                .flush_every_ms(None);
            match catch_unwind(AssertUnwindSafe(|| config.open())) {
                Ok(Ok(database)) => break database,
                Ok(Err(error)) if error.to_string().contains("could not acquire lock") => {
                    if Instant::now() > deadline {
                        return Err(Error::Held { path: path.clone() });
                    }
                    std::thread::park_timeout(LOCK_RETRY);
                }
                Ok(Err(_)) | Err(_) => return Ok(Err(WipeReason::OpenFailed)),
            }
        };
        let verified = catch_unwind(AssertUnwindSafe(|| verify(&database, expected)));
        let stored = match verified {
            Ok(Ok(stored)) => stored,
            Ok(Err(reason)) => return Ok(Err(reason)),
            Err(_) => return Ok(Err(WipeReason::OpenFailed)),
        };
        let items = usize::try_from(sizes.cache_bytes / 1024)
            .unwrap_or(usize::MAX)
            .max(16);
        let hasher = foldhash::fast::RandomState::default();
        let lifecycle = quick_cache::sync::DefaultLifecycle::default();
        let clean = Cache::with(items, sizes.cache_bytes, ByBytes, hasher, lifecycle);
        let memory = Memory {
            position: stored.clone(),
            stored,
            ..Memory::default()
        };
        Ok(Ok(Self {
            path: path.clone(),
            database,
            memory: RwLock::new(memory),
            clean,
            faults,
        }))
    }

    /// The record of a customer as of the last transaction applied, for the worker that owns the
    /// partition: what it reads it will likely need again.
    ///
    /// # Errors
    /// If sled fails or the record is damaged.
    pub fn get(&self, customer_id: &str) -> Result<Option<Arc<CustomerRecord>>, Error> {
        Ok(self.load_and_keep(customer_id)?.map(|cached| cached.record))
    }

    /// The same for any other thread. It never fills the cache: between its read and its insert
    /// the worker may have replaced the record.
    ///
    /// # Errors
    /// If sled fails or the record is damaged.
    pub fn peek(&self, customer_id: &str) -> Result<Option<Arc<CustomerRecord>>, Error> {
        Ok(self.load(customer_id)?.map(|cached| cached.record))
    }

    fn load_and_keep(&self, customer_id: &str) -> Result<Option<Cached>, Error> {
        let loaded = self.load(customer_id)?;
        if let Some(cached) = &loaded
            && !self.read().dirty.contains_key(customer_id)
        {
            self.clean
                .insert(CustomerId::new(customer_id), cached.clone());
        }
        Ok(loaded)
    }

    fn load(&self, customer_id: &str) -> Result<Option<Cached>, Error> {
        if let Some(cached) = self.read().dirty.get(customer_id) {
            return Ok(Some(cached.clone()));
        }
        if let Some(cached) = self.clean.get(customer_id) {
            return Ok(Some(cached));
        }
        let key = customer_key(customer_id);
        let Some(bytes) = self
            .database
            .get(&key)
            .map_err(|source| self.database_error(source))?
        else {
            return Ok(None);
        };
        let record = codec::decode_record(&bytes).map_err(|source| Error::Record {
            path: self.path.clone(),
            source,
        })?;
        Ok(Some(Cached {
            record: Arc::new(record),
            stored_digest: Some(digest(&key, &bytes)),
            bytes: bytes.len(),
        }))
    }

    /// Takes over what a transaction committed; `encoded_bytes` is the record's size in the
    /// changelog. Visible to readers when it returns; on disk after [`Self::flush`]. `current_at` is
    /// the wall time if nothing of the changelog is missing now.
    ///
    /// # Errors
    /// If sled fails or a record it replaces is damaged.
    pub fn apply(
        &self,
        records: Vec<(CustomerId, Arc<CustomerRecord>, usize)>,
        checkpoint: Option<Checkpoint>,
        changelog_next: u64,
        current_at: Option<Timestamp>,
    ) -> Result<Vec<SegmentDelta>, Error> {
        let mut deltas: BTreeMap<SegmentId, i64> = BTreeMap::new();
        let mut loaded = Vec::with_capacity(records.len());
        for (customer_id, record, bytes) in records {
            let known = self.load(customer_id.as_str())?;
            let before = known
                .as_ref()
                .and_then(|cached| cached.record.segment_id().cloned());
            let after = record.segment_id().cloned();
            if before != after {
                for (segment_id, customers) in [(before, -1), (after, 1)] {
                    if let Some(segment_id) = segment_id {
                        *deltas.entry(segment_id).or_default() += customers;
                    }
                }
            }
            let stored_digest = known.and_then(|cached| cached.stored_digest);
            loaded.push((
                customer_id,
                Cached {
                    record,
                    stored_digest,
                    bytes,
                },
            ));
        }
        let mut memory = self.write();
        for (customer_id, cached) in loaded {
            memory.dirty_bytes += cached.bytes + RECORD_OVERHEAD_BYTES;
            self.clean.remove(&customer_id);
            if let Some(replaced) = memory.dirty.insert(customer_id, cached) {
                memory.dirty_bytes -= replaced.bytes + RECORD_OVERHEAD_BYTES;
            }
        }
        for (segment_id, customers) in &deltas {
            let counts = &mut memory.position.customers_by_segment;
            let count = counts.entry(segment_id.as_str().to_owned()).or_default();
            *count = count.saturating_add_signed(*customers);
        }
        if checkpoint.is_some() {
            memory.position.checkpoint = checkpoint;
        }
        memory.position.changelog_next = memory.position.changelog_next.max(changelog_next);
        memory.position.current_at = memory.position.current_at.max(current_at);
        drop(memory);
        let deltas = deltas.into_iter().filter(|(_, customers)| *customers != 0);
        Ok(deltas
            .map(|(segment_id, customers)| SegmentDelta {
                segment_id,
                customers,
            })
            .collect())
    }

    /// Records that are not on disk yet.
    #[must_use]
    pub fn dirty_records(&self) -> usize {
        self.read().dirty.len()
    }

    /// Their memory, estimated.
    #[must_use]
    pub fn dirty_bytes(&self) -> usize {
        self.read().dirty_bytes
    }

    /// The partition's checkpoint as of the last transaction applied.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.read().position.checkpoint.clone()
    }

    /// Where the changelog is read on.
    #[must_use]
    pub fn changelog_next(&self) -> u64 {
        self.read().position.changelog_next
    }

    /// When nothing of the changelog was missing last.
    #[must_use]
    pub fn current_at(&self) -> Option<Timestamp> {
        self.read().position.current_at
    }

    /// Identity of the log the store was made from.
    #[must_use]
    pub fn lineage(&self) -> String {
        self.read().position.lineage.clone()
    }

    /// Assigned customers by segment, counted along.
    #[must_use]
    pub fn customers_by_segment(&self) -> BTreeMap<String, u64> {
        let counts = self.read().position.customers_by_segment.clone();
        counts
            .into_iter()
            .filter(|(_, customers)| *customers > 0)
            .collect()
    }

    /// Bytes on disk.
    ///
    /// # Errors
    /// If sled fails.
    pub fn disk_bytes(&self) -> Result<u64, Error> {
        self.database
            .size_on_disk()
            .map_err(|source| self.database_error(source))
    }

    /// Writes all dirty records in one sorted batch with the store's checkpoint, and syncs. When it
    /// returns, a restart reads the changelog from the last transaction applied.
    ///
    /// # Errors
    /// If sled fails; the records stay dirty.
    pub fn flush(&self) -> Result<(), Error> {
        let (mut changed, mut next, is_unchanged) = {
            let memory = self.read();
            let changed: Vec<(CustomerId, Cached)> = memory
                .dirty
                .iter()
                .map(|(customer_id, cached)| (customer_id.clone(), cached.clone()))
                .collect();
            (
                changed,
                memory.position.clone(),
                memory.position == memory.stored,
            )
        };
        if changed.is_empty() && is_unchanged {
            return Ok(());
        }
        changed.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut batch = sled::Batch::default();
        let mut written = Vec::with_capacity(changed.len());
        let record_error = |source| Error::Record {
            path: self.path.clone(),
            source,
        };
        for (customer_id, cached) in changed {
            let key = customer_key(customer_id.as_str());
            let bytes = codec::encode_record(&cached.record).map_err(record_error)?;
            let digest = digest(&key, &bytes);
            next.digest = next.digest.wrapping_sub(cached.stored_digest.unwrap_or(0));
            next.digest = next.digest.wrapping_add(digest);
            next.records += u64::from(cached.stored_digest.is_none());
            batch.insert(key, bytes);
            written.push((
                customer_id,
                Cached {
                    stored_digest: Some(digest),
                    ..cached
                },
            ));
        }
        let checkpoint = codec::encode_store_checkpoint(&next).map_err(record_error)?;
        batch.insert(CHECKPOINT_KEY, checkpoint);
        self.faults.cross(FaultPoint::StoreBefore)?;
        self.database
            .apply_batch(batch)
            .map_err(|source| self.database_error(source))?;
        self.faults.cross(FaultPoint::StoreBeforeFlush)?;
        self.database
            .flush()
            .map_err(|source| self.database_error(source))?;
        self.faults.cross(FaultPoint::StoreAfterFlush)?;
        let mut memory = self.write();
        memory.position = next.clone();
        memory.stored = next;
        memory.dirty.clear();
        memory.dirty_bytes = 0;
        for (customer_id, cached) in written {
            self.clean.insert(customer_id, cached);
        }
        Ok(())
    }

    /// Every record on disk, ascending by the bytes of the customer id; [`Self::flush`] first.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records::new(&self.path, self.database.scan_prefix([CUSTOMER_PREFIX]))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    fn database_error(&self, source: sled::Error) -> Error {
        Error::Database {
            path: self.path.clone(),
            source,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}
