//! Where the entries of a store are on disk: one of two databases behind the same calls.
//!
//! Both divide the customers into pages, ranges of ids, so that the deadline index has one entry for each page. What a
//! page is on disk is the database's own affair.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;

use crate::domain::ids::CustomerId;
use crate::store::dirty::DirtyRecords;
use crate::store::exchange::Batch;
use crate::store::exchange::BuildError;
use crate::store::exchange::Built;
use crate::store::exchange::DISTRUSTED_FILE;
use crate::store::exchange::DatabaseError;
use crate::store::exchange::OpenError;
use crate::store::exchange::PageBytes;
use crate::store::exchange::PageUpdate;
use crate::store::exchange::Scan;
use crate::store::exchange::StoredBytes;
use crate::store::pages::PAGE_BYTES;
use crate::store::pages::PageKeys;
use crate::store::sled_pages::SledOptions;
use crate::store::sled_pages::SledPages;
use crate::store::tree::TreeEntries;
use crate::store::tree::TreeOptions;
use crate::store::wipe_reason::WipeReason;

/// Enough for one entry.
const SMALL_CACHE_BYTES: u64 = 1 << 20;

/// Which database a store is kept in, and how.
#[derive(Clone, Debug)]
pub enum Options {
    /// sled: pages of neighbouring customers, each written as a whole.
    Sled(SledOptions),
    /// The log-structured merge tree of fjall, without its journal: entries by customer, in sorted files.
    Fjall(TreeOptions),
}

#[derive(Debug)]
pub(super) enum Database {
    Sled(SledPages),
    Fjall(TreeEntries),
}

impl Database {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let opened = match options {
            Options::Sled(options) => SledPages::open(path, *options).map(Self::Sled),
            Options::Fjall(options) => TreeEntries::open(path, options).map(Self::Fjall),
        }?;
        // Only who holds the lock may remove the directory.
        if path.join(DISTRUSTED_FILE).exists() {
            return Err(OpenError::Unusable(WipeReason::Checksum));
        }
        Ok(opened)
    }

    /// The checkpoint of a store that the other engine has left; `None` where there is none.
    ///
    /// # Errors
    /// If it is held, or cannot be read now.
    pub(super) fn left_by_the_other(
        path: &Path,
        options: &Options,
    ) -> Result<Option<Vec<u8>>, OpenError> {
        let other = match options {
            Options::Sled(_) => Options::Fjall(TreeOptions::new(SMALL_CACHE_BYTES)),
            Options::Fjall(_) => Options::Sled(SledOptions {
                cache_bytes: SMALL_CACHE_BYTES,
                page_bytes: PAGE_BYTES,
            }),
        };
        let read = catch_unwind(AssertUnwindSafe(|| {
            let checkpoint = match Self::open(path, &other)? {
                Self::Sled(sled) => sled.checkpoint(),
                Self::Fjall(tree) => tree.checkpoint(),
            };
            checkpoint.map_err(OpenError::of)
        }));
        match read {
            Ok(Err(OpenError::Unusable(_))) | Err(_) => Ok(None),
            Ok(read) => read,
        }
    }

    /// What is on disk of a customer's entry, if there is anything.
    pub(super) fn get(
        &self,
        keys: &PageKeys,
        customer_id: &str,
    ) -> Result<Option<StoredBytes>, DatabaseError> {
        match self {
            Self::Sled(sled) => sled.get(keys, customer_id),
            Self::Fjall(tree) => tree.get(customer_id),
        }
    }

    /// A page; `None` where it is not on disk yet.
    pub(super) fn page(
        &self,
        keys: &PageKeys,
        key: &[u8],
    ) -> Result<Option<PageBytes>, DatabaseError> {
        match self {
            Self::Sled(sled) => sled.page(key),
            Self::Fjall(tree) => tree.page(key, keys.next_after(key)).map(Some),
        }
    }

    /// Everything, ascending by key.
    pub(super) fn scan(&self) -> Scan<'_> {
        match self {
            Self::Sled(sled) => sled.scan(),
            Self::Fjall(tree) => tree.scan(),
        }
    }

    /// Whether the checkpoint has the number of the entries and a digest of all.
    pub(super) fn has_digest(&self) -> bool {
        matches!(self, Self::Sled(_))
    }

    /// What is to be written of these records, ascending by customer, in about so many pages.
    pub(super) fn build(
        &self,
        records: (&[CustomerId], &DirtyRecords),
        keys: &PageKeys,
        page_limit: usize,
    ) -> Result<Built, BuildError> {
        match self {
            Self::Sled(sled) => sled.build(records, keys, page_limit),
            Self::Fjall(tree) => tree.build(records, keys, page_limit),
        }
    }

    /// Writes a batch at once.
    pub(super) fn write(&self, batch: Batch) -> Result<(), DatabaseError> {
        match self {
            Self::Sled(sled) => sled.write(batch),
            Self::Fjall(tree) => tree.write(batch),
        }
    }

    /// Divides pages that have grown; those that have changed.
    pub(super) fn divide(&self, keys: &PageKeys) -> Result<Vec<PageUpdate>, BuildError> {
        match self {
            // A page is divided when it is written.
            Self::Sled(_) => Ok(Vec::new()),
            Self::Fjall(tree) => tree.divide(keys),
        }
    }

    /// Makes room and keeps reads short, where that takes a step of its own.
    pub(super) fn merge(&self) -> Result<(), DatabaseError> {
        match self {
            Self::Sled(_) => Ok(()),
            Self::Fjall(tree) => tree.merge(),
        }
    }

    /// The pages are made anew from what is on disk.
    pub(super) fn forget_written(&self) {
        match self {
            Self::Sled(_) => {}
            Self::Fjall(tree) => tree.forget_written(),
        }
    }

    /// All that was written is on disk when it returns.
    pub(super) fn sync(&self) -> Result<(), DatabaseError> {
        match self {
            Self::Sled(sled) => sled.sync(),
            // Each batch is on disk when it is written.
            Self::Fjall(_) => Ok(()),
        }
    }

    pub(super) fn clear(&self) -> Result<(), DatabaseError> {
        match self {
            Self::Sled(sled) => sled.clear(),
            Self::Fjall(tree) => tree.clear(),
        }
    }

    pub(super) fn disk_bytes(&self) -> Result<u64, DatabaseError> {
        match self {
            Self::Sled(sled) => sled.disk_bytes(),
            Self::Fjall(tree) => Ok(tree.disk_bytes()),
        }
    }
}
