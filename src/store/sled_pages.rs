//! A store in sled: records of neighbouring customers share an entry of the database, a page.

use std::path::Path;

use crate::domain::ids::CustomerId;
use crate::sled_opening;
use crate::store::dirty::DirtyRecords;
use crate::store::exchange::Batch;
use crate::store::exchange::BuildError;
use crate::store::exchange::Built;
use crate::store::exchange::CHECKPOINT_KEY;
use crate::store::exchange::DatabaseError;
use crate::store::exchange::OpenError;
use crate::store::exchange::PageBytes;
use crate::store::exchange::PageDeadline;
use crate::store::exchange::PageUpdate;
use crate::store::exchange::Scan;
use crate::store::exchange::Scanned;
use crate::store::exchange::StoredBytes;
use crate::store::exchange::digest;
use crate::store::pages;
use crate::store::pages::CUSTOMER_PREFIX;
use crate::store::pages::Page;
use crate::store::pages::PageKeys;
use crate::store::tree;
use crate::store::wipe_reason::WipeReason;

/// Records put into pages at a time, so that a chunk is short even into an empty store.
const CHUNK_RECORDS_MAX: usize = 2048;

/// Sizes of a store in sled.
#[derive(Clone, Copy, Debug)]
pub struct SledOptions {
    /// Bytes of the database's cache.
    pub cache_bytes: u64,
    /// Records of neighbouring customers share entries of about this size on disk.
    pub page_bytes: usize,
}

#[derive(Debug)]
pub(super) struct SledPages {
    database: sled::Db,
    page_bytes: usize,
}

impl SledPages {
    pub(super) fn open(path: &Path, options: SledOptions) -> Result<Self, OpenError> {
        if tree::is_here(path) {
            return Err(OpenError::Unusable(WipeReason::Format));
        }
        let config = sled::Config::new()
            .path(path)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(options.cache_bytes)
            .flush_every_ms(None);
        match sled_opening::open(&config, path) {
            Ok(database) => Ok(Self {
                database,
                page_bytes: options.page_bytes,
            }),
            Err(sled_opening::Failure::Held) => Err(OpenError::Held),
            Err(sled_opening::Failure::Refused(error)) => Err(OpenError::Failed(error.into())),
            Err(sled_opening::Failure::Unusable(problem)) => {
                tracing::warn!(problem, "a store does not open");
                Err(OpenError::Unusable(WipeReason::OpenFailed))
            }
        }
    }

    pub(super) fn get(
        &self,
        keys: &PageKeys,
        customer_id: &str,
    ) -> Result<Option<StoredBytes>, DatabaseError> {
        let Some(key) = keys.covering(customer_id) else {
            return Ok(None);
        };
        let page = match self.database.get(key)? {
            // A flush knows the page, but has not written it yet.
            None => pages::covering(&self.database, customer_id)?,
            page => page,
        };
        Ok(page.map(StoredBytes::Page))
    }

    pub(super) fn checkpoint(&self) -> Result<Option<Vec<u8>>, DatabaseError> {
        let found = self.database.get(CHECKPOINT_KEY)?;
        Ok(found.map(|bytes| bytes.to_vec()))
    }

    pub(super) fn page(&self, key: &[u8]) -> Result<Option<PageBytes>, DatabaseError> {
        Ok(self.database.get(key)?.map(PageBytes::Page))
    }

    pub(super) fn scan(&self) -> Scan<'_> {
        Box::new(self.database.iter().map(|entry| {
            let (key, bytes) = entry?;
            Ok(if key == CHECKPOINT_KEY {
                Scanned::Checkpoint(bytes.to_vec())
            } else if key.first() == Some(&CUSTOMER_PREFIX) {
                Scanned::Page {
                    key: key.to_vec(),
                    bytes: PageBytes::Page(bytes),
                }
            } else {
                Scanned::Unknown
            })
        }))
    }

    pub(super) fn build(
        &self,
        (order, records): (&[CustomerId], &DirtyRecords),
        keys: &PageKeys,
        page_limit: usize,
    ) -> Result<Built, BuildError> {
        let mut built = Built::default();
        while let Some(rest) = order.get(built.taken..)
            && let Some(first) = rest.first()
            && built.pages.len() < page_limit
        {
            let (key, old) = self.page_of(first, keys)?;
            let here = keys.count_before_next(&key, rest);
            let taken = here.min(CHUNK_RECORDS_MAX);
            let new: Vec<pages::Change<'_>> = rest
                .iter()
                .take(taken)
                .filter_map(|id| Some((id.as_str(), records.get(id)?)))
                .collect();
            let old = old.as_deref();
            let merged = pages::merge(&key, old, &new, self.page_bytes);
            let merged = merged.map_err(BuildError::Content)?;
            let before = old.map_or(0, |bytes| digest(&key, bytes));
            built.digest = built.digest.wrapping_sub(before);
            built.added += merged.added;
            let lacking = merged.incomplete.iter();
            let lacking = lacking.filter_map(|place| rest.get(*place)).cloned();
            built.incomplete.extend(lacking);
            for (key, bytes) in merged.pages {
                built.digest = built.digest.wrapping_add(digest(&key, &bytes));
                let earliest = Page::new(&bytes).and_then(Page::earliest_deadline);
                built.pages.push(PageUpdate {
                    key: key.clone(),
                    deadline: PageDeadline::Exact(earliest.map_err(BuildError::Content)?),
                });
                built.batch.0.push((key, Some(bytes)));
            }
            built.taken += taken;
            if taken < here {
                // The rest of this page must be read as it is after this batch.
                break;
            }
        }
        Ok(built)
    }

    /// The page that holds a customer: its key, and what is on disk.
    fn page_of(
        &self,
        customer_id: &CustomerId,
        keys: &PageKeys,
    ) -> Result<(Vec<u8>, Option<sled::IVec>), BuildError> {
        let Some(key) = keys.covering(customer_id.as_str()) else {
            return Ok((pages::page_key_of(""), None));
        };
        Ok((key.to_vec(), self.database.get(key)?))
    }

    pub(super) fn write(&self, batch: Batch) -> Result<(), DatabaseError> {
        let mut into = sled::Batch::default();
        for (key, bytes) in batch.0 {
            match bytes {
                Some(bytes) => into.insert(key, bytes),
                None => into.remove(key),
            }
        }
        Ok(self.database.apply_batch(into)?)
    }

    pub(super) fn sync(&self) -> Result<(), DatabaseError> {
        self.database.flush()?;
        Ok(())
    }

    pub(super) fn clear(&self) -> Result<(), DatabaseError> {
        Ok(self.database.clear()?)
    }

    pub(super) fn disk_bytes(&self) -> Result<u64, DatabaseError> {
        Ok(self.database.size_on_disk()?)
    }
}
