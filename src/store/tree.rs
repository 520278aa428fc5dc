//! A store in the merge tree of fjall: each entry under the key of its customer, in sorted files that are never changed. A
//! batch is a new file; files are merged later. There is no journal: what is not in a file yet is in the log.
//!
//! A file is complete and synced before it belongs to the tree, and the tree changes from one set of files to the next
//! at once, so a batch is on disk as a whole or not at all. Each block has a checksum, which is checked when it is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::fs::TryLockError;
use std::ops::Bound;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use lsm_tree::AbstractTree;
use lsm_tree::AnyTree;
use lsm_tree::Cache;
use lsm_tree::CompressionType;
use lsm_tree::Config;
use lsm_tree::DescriptorTable;
use lsm_tree::Guard;
use lsm_tree::KvPair;
use lsm_tree::SeqNo;
use lsm_tree::SequenceNumberCounter;
use lsm_tree::UserValue;
use lsm_tree::config::CompressionPolicy;

use crate::store::exchange::CHECKPOINT_KEY;
use crate::store::exchange::DatabaseError;
use crate::store::exchange::OpenError;
use crate::store::exchange::PageBytes;
use crate::store::exchange::Scan;
use crate::store::exchange::Scanned;
use crate::store::exchange::StoredBytes;
use crate::store::pages;
use crate::store::pages::CUSTOMER_PREFIX;
use crate::store::wipe_reason::WipeReason;

/// The tree's own directory within that of the partition.
pub(super) const DIRECTORY: &str = "tree";
/// Where the tree has its files, within its own directory.
pub(super) const TABLES: &str = "tables";
/// What sled keeps in the directory of a partition.
pub(super) const SLED_FILE: &str = "db";
/// Held while the tree is open.
pub(super) const LOCK_FILE: &str = "tree.lock";
/// Files of all trees that stay open for reads. Often a process may have 1,024 open; each tree has its lock open, a merge
/// opens what it merges, and Kafka and HTTP need theirs.
const OPEN_FILES_MAX: usize = 128;

/// What the trees of a process share: the blocks that were read last, and open files.
#[derive(Clone)]
pub struct TreeCache {
    blocks: Arc<Cache>,
    files: Arc<DescriptorTable>,
}

impl TreeCache {
    /// A cache of so many bytes of blocks.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self {
            blocks: Arc::new(Cache::with_capacity_bytes(bytes)),
            files: Arc::new(DescriptorTable::new(OPEN_FILES_MAX)),
        }
    }
}

impl std::fmt::Debug for TreeCache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TreeCache").finish_non_exhaustive()
    }
}

/// Where files are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// On a thread of its own.
    InBackground,
    /// By the write that made the last of them, so that every run is the same.
    InTheWrite,
}

/// How a store in the merge tree is laid out.
#[derive(Clone, Debug)]
pub struct TreeOptions {
    /// What it shares with others.
    pub cache: TreeCache,
    /// Entries of a page of the deadline index, before it is divided.
    pub page_entries: usize,
    /// Records of a batch, unless there are fewer: each batch is a file, which is synced.
    pub batch_records: usize,
    /// Files that are merged at once. More: fewer bytes are written, and a read looks into more files.
    pub files_merged: u8,
    /// Where that is done.
    pub merging: Merging,
}

impl TreeOptions {
    /// What serves a partition with up to some million customers.
    #[must_use]
    pub fn new(cache_bytes: u64) -> Self {
        Self {
            cache: TreeCache::new(cache_bytes),
            page_entries: 64,
            batch_records: 4096,
            files_merged: 16,
            merging: Merging::InBackground,
        }
    }
}

/// Whether a partition's directory holds a merge tree.
pub(super) fn is_here(path: &Path) -> bool {
    path.join(DIRECTORY).exists()
}

pub(super) struct TreeEntries(pub(super) Arc<Inner>);

/// Nothing is read as of an earlier time.
const NEWEST: SeqNo = SeqNo::MAX;

pub(super) struct Inner {
    pub(super) tree: AnyTree,
    /// The number of the next batch.
    pub(super) sequence: SequenceNumberCounter,
    pub(super) options: TreeOptions,
    /// Held while files are merged.
    pub(super) merging: Mutex<()>,
    merging_failed: Mutex<Option<lsm_tree::Error>>,
    /// Entries written to each page since it was counted last.
    written: Mutex<BTreeMap<Vec<u8>, usize>>,
    /// Released after everything else.
    _lock: File,
}

impl Inner {
    pub(super) fn merging_failed(&self) -> MutexGuard<'_, Option<lsm_tree::Error>> {
        let failed = self.merging_failed.lock();
        failed.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn written(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, usize>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for TreeEntries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TreeEntries")
            .finish_non_exhaustive()
    }
}

impl TreeEntries {
    pub(super) fn open(path: &Path, options: &TreeOptions) -> Result<Self, OpenError> {
        let lock = locked(path)?;
        if path.join(SLED_FILE).exists() {
            return Err(OpenError::Unusable(WipeReason::Format));
        }
        let sequence = SequenceNumberCounter::default();
        let config = Config::new(path.join(DIRECTORY), sequence.clone(), sequence.clone())
            .use_cache(Arc::clone(&options.cache.blocks))
            .use_descriptor_table(Some(Arc::clone(&options.cache.files)))
            // An entry is mostly hashes and numbers of few bytes: compression saves little, and every read would pay for it.
            .data_block_compression_policy(CompressionPolicy::all(CompressionType::None));
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let tree = opened
            .map_err(|_| OpenError::Unusable(WipeReason::OpenFailed))?
            .map_err(|error| OpenError::of(error.into()))?;
        // What is written next must be newer than all that is there.
        if let Some(highest) = tree.get_highest_persisted_seqno() {
            sequence.fetch_max(highest + 1);
        }
        Ok(Self(Arc::new(Inner {
            tree,
            sequence,
            options: options.clone(),
            merging: Mutex::new(()),
            merging_failed: Mutex::new(None),
            written: Mutex::new(BTreeMap::new()),
            _lock: lock,
        })))
    }

    pub(super) fn value(&self, key: &[u8]) -> Result<Option<UserValue>, DatabaseError> {
        Ok(self.0.tree.get(key, NEWEST)?)
    }

    pub(super) fn checkpoint(&self) -> Result<Option<Vec<u8>>, DatabaseError> {
        Ok(self.value(CHECKPOINT_KEY)?.map(|bytes| bytes.to_vec()))
    }

    pub(super) fn get(&self, customer_id: &str) -> Result<Option<StoredBytes>, DatabaseError> {
        let value = self.value(&pages::page_key_of(customer_id))?;
        Ok(value.map(StoredBytes::Entry))
    }

    pub(super) fn range(
        &self,
        key: &[u8],
        next: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<KvPair, lsm_tree::Error>> + use<> {
        let end = match next {
            Some(next) => Bound::Excluded(next.to_vec()),
            None => Bound::Excluded(vec![CUSTOMER_PREFIX + 1]),
        };
        let range = (Bound::Included(key.to_vec()), end);
        let entries = self.0.tree.range(range, NEWEST, None);
        entries.map(Guard::into_inner)
    }

    /// The entries from a page's key up to the next page's.
    pub(super) fn page(&self, key: &[u8], next: Option<&[u8]>) -> Result<PageBytes, DatabaseError> {
        let entries: Result<Vec<KvPair>, lsm_tree::Error> = self.range(key, next).collect();
        Ok(PageBytes::Entries(entries?))
    }

    pub(super) fn scan(&self) -> Scan<'_> {
        let mut entries = self
            .0
            .tree
            .iter(NEWEST, None)
            .map(Guard::into_inner)
            .peekable();
        let mut key = pages::page_key_of("");
        let page_entries = self.0.options.page_entries;
        Box::new(std::iter::from_fn(move || {
            let mut page = Vec::with_capacity(page_entries);
            while page.len() < page_entries
                && let Some(entry) = entries.next_if(|entry| {
                    let first = |(key, _): &KvPair| key.first() == Some(&CUSTOMER_PREFIX);
                    entry.as_ref().is_ok_and(first)
                })
            {
                page.extend(entry.ok());
            }
            if !page.is_empty() {
                let next = entries.peek().and_then(|entry| entry.as_ref().ok());
                let next = next.map_or_else(Vec::new, |(key, _)| key.to_vec());
                let key = std::mem::replace(&mut key, next);
                let bytes = PageBytes::Entries(page);
                return Some(Ok(Scanned::Page { key, bytes }));
            }
            let (key, value) = match entries.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error.into())),
            };
            Some(Ok(if *key == *CHECKPOINT_KEY {
                Scanned::Checkpoint(value.to_vec())
            } else {
                Scanned::Unknown
            }))
        }))
    }

    /// The pages are made anew.
    pub(super) fn forget_written(&self) {
        self.0.written().clear();
    }

    /// The files that it had are removed when it is opened next.
    pub(super) fn clear(&self) -> Result<(), DatabaseError> {
        self.0.written().clear();
        Ok(self.0.tree.clear()?)
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.0.tree.disk_space()
    }
}

/// The lock of a partition's directory.
fn locked(path: &Path) -> Result<File, OpenError> {
    let opened = std::fs::create_dir_all(path).and_then(|()| {
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true);
        options.open(path.join(LOCK_FILE))
    });
    let locked = opened.map_err(TryLockError::Error).and_then(|file| {
        file.try_lock()?;
        Ok(file)
    });
    locked.map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::Held,
        TryLockError::Error(error) => OpenError::of(error.into()),
    })
}
