//! The store of one partition: memory first, sled behind.
//!
//! A read looks at the records that are not on disk yet, then at those a flush has taken over, then at
//! sled. One worker writes; HTTP readers only read.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;
use std::time::Duration;
use std::time::Instant;

use crate::codec;
use crate::codec::CodecError;
use crate::codec::changelog::Put;
use crate::codec::stored::Group;
use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::table::DefinitionTable;
use crate::faults::FaultPoint;
use crate::faults::Faults;
use crate::store::Error;
use crate::store::directory::StoreDirectory;
use crate::store::flush::ChunkError;
use crate::store::flush::DirtyRecord;
use crate::store::flush::Flush;
use crate::store::memory::Advance;
use crate::store::memory::Before;
use crate::store::memory::Deltas;
use crate::store::memory::Memory;
use crate::store::memory::Replacement;
use crate::store::memory::Update;
use crate::store::owner::OwnerEpoch;
use crate::store::pages;
use crate::store::pages::CUSTOMER_PREFIX;
use crate::store::pages::Page;
use crate::store::records::Records;
use crate::store::verification::Expected;
use crate::store::verification::WipeReason;
use crate::store::verification::verify;

/// Pages in a batch where nobody waits for the next delivery: a batch is built in memory.
const BATCH_PAGES: usize = 512;
/// A database dropped by this process lets its lock go a moment later.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Sizes of one partition's store.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes of sled's page cache.
    pub cache_bytes: u64,
    /// Records of neighbouring customers share entries of about this size on disk.
    pub page_bytes: usize,
}

/// The store of one partition.
#[derive(Debug)]
pub struct PartitionStore {
    path: PathBuf,
    database: sled::Db,
    page_bytes: usize,
    memory: RwLock<Memory>,
    flushing: Mutex<()>,
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
        let trusted = opened.and_then(|store| {
            let is_whole = store.changelog_reach() <= store.changelog_next();
            is_whole.then_some(store).ok_or(WipeReason::Unfinished)
        });
        trusted.map_err(|reason| Error::Untrusted { path, reason })
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
                .cache_capacity(sizes.cache_bytes)
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
        let verified = match verified {
            Ok(Ok(verified)) => verified,
            Ok(Err(reason)) => return Ok(Err(reason)),
            Err(_) => return Ok(Err(WipeReason::OpenFailed)),
        };
        let memory = Memory {
            table: Arc::new(verified.stored.table.clone()),
            position: verified.stored.clone(),
            stored: verified.stored,
            pages: verified.keys,
            deadlines: verified.deadlines,
            ..Memory::default()
        };
        Ok(Ok(Self {
            path: path.clone(),
            database,
            page_bytes: sizes.page_bytes,
            memory: RwLock::new(memory),
            flushing: Mutex::new(()),
            faults,
        }))
    }

    /// A customer's entry as of the last transaction applied; `None` for an unknown customer.
    ///
    /// # Errors
    /// If sled fails or the entry is damaged.
    pub fn get(&self, customer_id: &str) -> Result<Option<Found>, Error> {
        self.read_entry(customer_id, Found::decode)
    }

    /// Reads a customer's entry where it stands; `None` for an unknown customer.
    fn read_entry<T>(
        &self,
        customer_id: &str,
        read: impl Fn(&[u8], &DefinitionTable) -> Result<T, CodecError>,
    ) -> Result<Option<T>, Error> {
        let (page, table) = {
            let memory = self.read();
            if let Some(dirty) = memory.find(customer_id) {
                let found = dirty.entry().map(|bytes| read(bytes, &memory.table));
                return found
                    .transpose()
                    .map_err(|source| self.record_error(source));
            }
            let Some(key) = memory.pages.covering(customer_id) else {
                return Ok(None);
            };
            // Under the lock: no flush can move a part of the page meanwhile.
            (self.database.get(key), Arc::clone(&memory.table))
        };
        let page = match page {
            // A flush knows the page, but has not written it yet.
            Ok(None) => pages::covering(&self.database, customer_id),
            page => page,
        };
        let Some(page) = page.map_err(|source| self.database_error(source))? else {
            return Ok(None);
        };
        let found = Page::new(&page).and_then(|page| page.find(customer_id));
        let found = found.and_then(|found| found.map(|bytes| read(bytes, &table)).transpose());
        found.map_err(|source| self.record_error(source))
    }

    fn summary_of(&self, customer_id: &str) -> Result<Option<RecordSummary>, Error> {
        if let Some(dirty) = self.read().find(customer_id) {
            return Ok(dirty.summary());
        }
        self.read_entry(customer_id, |bytes, _| codec::entry::summary_of(bytes))
    }

    /// Takes over what a transaction committed. Visible to readers when it returns; on disk after a
    /// flush. `None` where another owner has come since: nothing was taken over.
    ///
    /// # Errors
    /// If sled fails or an entry that it replaces is damaged.
    pub fn apply(
        &self,
        owner: OwnerEpoch,
        updates: Vec<Update>,
        advance: Advance,
    ) -> Result<Option<Deltas>, Error> {
        let mut deltas = Deltas::default();
        let mut entries = Vec::with_capacity(updates.len());
        // A chunk of the changelog may hold several entries of a customer: the last before is known.
        let mut unknown: HashMap<CustomerId, Option<RecordSummary>> = HashMap::new();
        for update in updates {
            let before = match update.before {
                Before::Known(before) => before,
                Before::Unknown => match unknown.get(&update.customer_id) {
                    Some(before) => *before,
                    None => self.summary_of(update.customer_id.as_str())?,
                },
            };
            let entry = match update.put {
                Put::Entry(entry) => Some(entry),
                Put::NothingOld if before.is_some_and(|before| !before.has_old_key) => continue,
                Put::Nothing | Put::NothingOld => None,
            };
            let after = entry.as_ref().map(|entry| entry.summary);
            deltas.count(before.as_ref(), after.as_ref());
            if matches!(update.before, Before::Unknown) {
                unknown.insert(update.customer_id.clone(), after);
            }
            entries.push((update.customer_id, entry));
        }
        deltas.customers.retain(|_, customers| *customers != 0);
        Ok(self
            .take_over(owner, entries, &deltas, advance)
            .then_some(deltas))
    }

    fn take_over(
        &self,
        owner: OwnerEpoch,
        entries: Vec<Replacement>,
        deltas: &Deltas,
        advance: Advance,
    ) -> bool {
        let mut memory = self.write();
        if memory.owner != owner {
            return false;
        }
        if let Some(table) = &advance.table {
            memory.table = Arc::new(table.clone());
        }
        memory.apply(entries, deltas, advance);
        true
    }

    /// Records that are due by then, as of the last transaction applied: about so many, the earliest
    /// pages first. They stay due until a transaction has moved their deadlines on.
    ///
    /// # Errors
    /// If sled fails or a record is damaged.
    pub fn due(&self, by: Timestamp, limit: usize) -> Result<Vec<(CustomerId, Found)>, Error> {
        if self
            .earliest_deadline()
            .is_none_or(|earliest| earliest > by)
        {
            return Ok(Vec::new());
        }
        let mut memory = self.write();
        let mut due = Vec::new();
        for customer_id in memory.deadlines.due_dirty(by).take(limit) {
            let bytes = memory
                .find(customer_id.as_str())
                .and_then(DirtyRecord::entry);
            let bytes = bytes.ok_or_else(|| self.record_error(CodecError::Content))?;
            let found = Found::decode(bytes, &memory.table);
            let found = found.map_err(|source| self.record_error(source))?;
            due.push((customer_id.clone(), found));
        }
        let mut after = None;
        while due.len() < limit
            && let Some(entry) = memory.deadlines.next_page(after.as_ref(), by)
        {
            let page = self.database.get(&*entry.1);
            let page = page.map_err(|source| self.database_error(source))?;
            let known = due.len();
            let later = page.map_or(Ok(None), |page| due_of_page(&page, &memory, by, &mut due));
            let later = later.map_err(|source| self.record_error(source))?;
            if due.len() == known {
                memory.deadlines.set_page(&entry.1, later);
            }
            after = Some(entry);
        }
        Ok(due)
    }

    /// Nothing is due before; it may be that nothing is due then either.
    #[must_use]
    pub fn earliest_deadline(&self) -> Option<Timestamp> {
        self.read().deadlines.earliest()
    }

    /// Records that are not on disk yet.
    #[must_use]
    pub fn dirty_records(&self) -> usize {
        let memory = self.read();
        let taken_over = memory.flush.as_ref();
        memory.dirty.len() + taken_over.map_or(0, Flush::left)
    }

    /// Their memory, estimated.
    #[must_use]
    pub fn dirty_bytes(&self) -> usize {
        let memory = self.read();
        memory.dirty_bytes + memory.flush.as_ref().map_or(0, Flush::bytes)
    }

    /// From now on only this owner writes.
    pub fn take(&self, owner: OwnerEpoch) {
        self.write().owner = owner;
    }

    /// Who writes.
    #[must_use]
    pub fn owner(&self) -> OwnerEpoch {
        self.read().owner
    }

    /// Whether it was made from this log and lacks nothing that the log no longer has.
    #[must_use]
    pub fn fits(&self, expected: &Expected) -> bool {
        let memory = self.read();
        expected.misfit(&memory.position).is_none()
    }

    /// Everything it holds, as if it had just come.
    #[must_use]
    pub fn contents(&self) -> Deltas {
        let memory = self.read();
        let customers = memory.position.customers.iter();
        Deltas {
            customers: customers
                .filter(|(_, customers)| **customers > 0)
                .map(|(group, customers)| (*group, i64::try_from(*customers).unwrap_or(i64::MAX)))
                .collect(),
            deadlines: i64::try_from(memory.position.deadlines).unwrap_or(i64::MAX),
        }
    }

    /// The partition's checkpoint as of the last transaction applied.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.read().position.checkpoint
    }

    /// The changelog still holds a checkpoint under the key of an older format.
    #[must_use]
    pub fn has_old_checkpoint(&self) -> bool {
        self.read().position.has_old_checkpoint
    }

    /// What the numbers in the entries mean.
    #[must_use]
    pub fn table(&self) -> Arc<DefinitionTable> {
        Arc::clone(&self.read().table)
    }

    /// Where the changelog is read on.
    #[must_use]
    pub fn changelog_next(&self) -> u64 {
        self.read().position.changelog_next
    }

    /// The furthest place in the changelog that any record belongs to.
    #[must_use]
    pub fn changelog_reach(&self) -> u64 {
        let position = &self.read().position;
        position.changelog_reach.max(position.changelog_next)
    }

    /// Assigned customers by segment and band, counted along.
    #[must_use]
    pub fn customers(&self) -> BTreeMap<Group, u64> {
        let counts = self.read().position.customers.clone();
        counts
            .into_iter()
            .filter(|(_, customers)| *customers > 0)
            .collect()
    }

    /// Records with a deadline, counted along.
    #[must_use]
    pub fn deadlines(&self) -> u64 {
        self.read().position.deadlines
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

    /// Writes all records and syncs. When it returns, a restart reads the changelog from the last
    /// transaction applied.
    ///
    /// # Errors
    /// If sled fails; what was not written is kept in memory.
    pub fn flush(&self, owner: OwnerEpoch) -> Result<(), Error> {
        // What a flush under way has not taken over is a second one's.
        while self.read().flush.is_some() && !self.flush_chunk(owner, BATCH_PAGES)? {}
        while !self.flush_chunk(owner, BATCH_PAGES)? {}
        Ok(())
    }

    /// Begins a flush, or goes on with the one under way, by about `page_limit` pages; `true` when it
    /// is done, or another owner's. Each chunk is one batch with the digest of all that is on disk then, but only the last
    /// moves the place in the changelog: after a crash between two chunks the restart reads again what
    /// some records already have.
    ///
    /// # Errors
    /// If sled fails; what was not written is kept in memory.
    pub fn flush_chunk(&self, owner: OwnerEpoch, page_limit: usize) -> Result<bool, Error> {
        // A worker that lost the partition may still be here when the next one comes.
        let _alone = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.begin_flush(owner) {
            return Ok(true);
        }
        let chunk = {
            let memory = self.read();
            let Some(flush) = &memory.flush else {
                return Ok(true);
            };
            let into = (&self.database, &memory.pages);
            flush.chunk(into, &memory.stored, self.page_bytes, page_limit)
        };
        let mut chunk = chunk.map_err(|error| match error {
            ChunkError::Database(source) => self.database_error(source),
            ChunkError::Content(source) => self.record_error(source),
        })?;
        let keys = chunk.pages.iter().map(|(key, _)| key.clone());
        self.write().pages.extend(keys);
        self.faults.cross(FaultPoint::StoreBefore)?;
        self.database
            .apply_batch(std::mem::take(&mut chunk.batch))
            .map_err(|source| self.database_error(source))?;
        if chunk.is_last {
            self.faults.cross(FaultPoint::StoreBeforeFlush)?;
            self.database
                .flush()
                .map_err(|source| self.database_error(source))?;
            self.faults.cross(FaultPoint::StoreAfterFlush)?;
        }
        let is_last = chunk.is_last;
        // Freed when readers can go on.
        let written = self.write().written(chunk);
        drop(written);
        Ok(is_last)
    }

    /// `false` where there is nothing to write, or another owner has come.
    fn begin_flush(&self, owner: OwnerEpoch) -> bool {
        let mut memory = self.write();
        if memory.owner != owner {
            return false;
        }
        if memory.flush.is_some() {
            return true;
        }
        if memory.dirty.is_empty() && memory.position == memory.stored {
            return false;
        }
        let records = std::mem::take(&mut memory.dirty);
        let bytes = std::mem::take(&mut memory.dirty_bytes);
        memory.flush = Some(Flush::new(records, bytes, memory.position.clone()));
        true
    }

    /// Every entry on disk, ascending by the bytes of the customer id; [`Self::flush`] first.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        let pages = self.database.scan_prefix([CUSTOMER_PREFIX]);
        Records::new(&self.path, pages, DefinitionTable::clone(&self.table()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    fn record_error(&self, source: CodecError) -> Error {
        Error::Record {
            path: self.path.clone(),
            source,
        }
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

/// An entry of the store.
#[derive(Clone, Debug)]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// What is counted of it.
    pub summary: RecordSummary,
}

impl Found {
    fn decode(bytes: &[u8], table: &DefinitionTable) -> Result<Self, CodecError> {
        let (entry, summary) = codec::entry::decode(bytes, table)?;
        Ok(Self { entry, summary })
    }
}

/// Adds the records of a page that are due and the newest of their customers; the earliest deadline of the
/// others.
fn due_of_page(
    page: &[u8],
    memory: &Memory,
    by: Timestamp,
    due: &mut Vec<(CustomerId, Found)>,
) -> Result<Option<Timestamp>, CodecError> {
    let mut later: Option<Timestamp> = None;
    for entry in Page::new(page)? {
        let (id, bytes) = entry?;
        match codec::entry::deadline_of(bytes)? {
            Some(deadline) if !memory.has_newer(id) => {
                if deadline <= by {
                    due.push((CustomerId::new(id), Found::decode(bytes, &memory.table)?));
                } else {
                    later = Some(later.map_or(deadline, |known| known.min(deadline)));
                }
            }
            _ => {}
        }
    }
    Ok(later)
}
