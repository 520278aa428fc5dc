//! A flush of a store: the records it has taken over, and its chunks.

use std::collections::HashMap;

use crate::codec;
use crate::codec::CodecError;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::store::dirty::DirtyRecord;
use crate::store::pages;
use crate::store::pages::Page;
use crate::store::pages::PageKeys;
use crate::store::verification::CHECKPOINT_KEY;
use crate::store::verification::digest;

/// Records put into pages at a time, so that a chunk is short even into an empty store.
const CHUNK_RECORDS_MAX: usize = 2048;

pub(super) type DirtyRecords = HashMap<CustomerId, DirtyRecord, foldhash::fast::RandomState>;

/// Records that a flush has taken over.
#[derive(Debug)]
pub(super) struct Flush {
    records: DirtyRecords,
    /// Ascending.
    order: Vec<CustomerId>,
    /// Those before are on disk.
    written: usize,
    bytes: usize,
    /// The store's checkpoint once all of them are on disk.
    position: StoreCheckpoint,
}

/// One batch of a flush.
pub(super) struct Chunk {
    pub(super) batch: sled::Batch,
    /// What sled holds after it.
    pub(super) checkpoint: StoreCheckpoint,
    pub(super) is_last: bool,
    /// Records written with it and before.
    pub(super) written: usize,
    /// Keys of the pages, some of which may be new, and the earliest deadlines in them.
    pub(super) pages: Vec<(Vec<u8>, Option<Timestamp>)>,
    /// Those of whose entries a part is missing.
    pub(super) incomplete: Vec<CustomerId>,
}

/// Why there is no chunk.
pub(super) enum ChunkError {
    Database(sled::Error),
    Content(CodecError),
}

impl Flush {
    pub(super) fn new(records: DirtyRecords, bytes: usize, position: StoreCheckpoint) -> Self {
        let mut order: Vec<CustomerId> = records.keys().cloned().collect();
        order.sort_unstable();
        Self {
            records,
            order,
            written: 0,
            bytes,
            position,
        }
    }

    pub(super) fn find(&self, customer_id: &str) -> Option<&DirtyRecord> {
        self.records.get(customer_id)
    }

    /// Whose records they are.
    pub(super) fn customers(&self) -> impl Iterator<Item = &CustomerId> {
        self.order.iter()
    }

    /// The head of this customer is not on disk yet.
    pub(super) fn has_dirty(&self, customer_id: &str) -> bool {
        let next = self.order.get(self.written);
        let is_left = next.is_some_and(|next| next.as_str() <= customer_id);
        let dirty = self.records.get(customer_id);
        is_left && dirty.is_some_and(DirtyRecord::has_head)
    }

    /// Those whose records the next chunk writes, up to this place.
    pub(super) fn customers_up_to(&self, written: usize) -> &[CustomerId] {
        self.order.get(self.written..written).unwrap_or(&[])
    }

    /// Records that are not on disk yet.
    pub(super) fn left(&self) -> usize {
        self.order.len() - self.written
    }

    /// Memory of the records, estimated.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A chunk is in the database; the deadlines of its records.
    pub(super) fn written_up_to(
        &mut self,
        written: usize,
    ) -> impl Iterator<Item = (&CustomerId, Timestamp)> {
        let before = std::mem::replace(&mut self.written, written);
        let records = &self.records;
        let ids = self.order.get(before..written).unwrap_or(&[]).iter();
        ids.filter_map(|id| Some((id, records.get(id)?.deadline()?)))
    }

    /// The next chunk, of about `page_limit` pages, for a database whose checkpoint is `stored`.
    pub(super) fn chunk(
        &self,
        (database, keys): (&sled::Db, &PageKeys),
        stored: &StoreCheckpoint,
        page_bytes: usize,
        page_limit: usize,
    ) -> Result<Chunk, ChunkError> {
        let mut checkpoint = stored.clone();
        // The names of the numbers in the entries that are written.
        checkpoint.table = self.position.table.clone();
        let reach = stored.changelog_reach.max(self.position.changelog_next);
        checkpoint.changelog_reach = reach;
        let mut batch = sled::Batch::default();
        let mut written = self.written;
        let mut pages = 0;
        let mut into = Vec::new();
        let mut incomplete = Vec::new();
        while let Some(rest) = self.order.get(written..)
            && let Some(first) = rest.first()
            && pages < page_limit
        {
            let (key, old) = page_of(first, database, keys)?;
            let here = keys.count_before_next(&key, rest);
            let taken = here.min(CHUNK_RECORDS_MAX);
            let new: Vec<pages::Change<'_>> = rest
                .iter()
                .take(taken)
                .filter_map(|id| Some((id.as_str(), self.records.get(id)?)))
                .collect();
            let old = old.as_deref();
            let merged = pages::merge(&key, old, &new, page_bytes).map_err(ChunkError::Content)?;
            let before = old.map_or(0, |bytes| digest(&key, bytes));
            checkpoint.digest = checkpoint.digest.wrapping_sub(before);
            checkpoint.records = checkpoint.records.saturating_add_signed(merged.added);
            pages += merged.pages.len();
            let lacking = merged.incomplete.iter();
            incomplete.extend(lacking.filter_map(|place| rest.get(*place)).cloned());
            for (key, bytes) in merged.pages {
                checkpoint.digest = checkpoint.digest.wrapping_add(digest(&key, &bytes));
                let earliest = Page::new(&bytes).and_then(Page::earliest_deadline);
                into.push((key.clone(), earliest.map_err(ChunkError::Content)?));
                batch.insert(key, bytes);
            }
            written += taken;
            if taken < here {
                // The rest of this page must be read as it is after this batch.
                break;
            }
        }
        let is_last = written == self.order.len();
        if is_last {
            checkpoint = StoreCheckpoint {
                records: checkpoint.records,
                digest: checkpoint.digest,
                changelog_reach: reach,
                ..self.position.clone()
            };
        }
        let bytes = codec::partition::encode_store(&checkpoint).map_err(ChunkError::Content)?;
        batch.insert(CHECKPOINT_KEY, bytes);
        Ok(Chunk {
            batch,
            checkpoint,
            is_last,
            written,
            pages: into,
            incomplete,
        })
    }
}

/// The page that holds a customer: its key, and what is on disk.
fn page_of(
    customer_id: &CustomerId,
    database: &sled::Db,
    keys: &PageKeys,
) -> Result<(Vec<u8>, Option<sled::IVec>), ChunkError> {
    let Some(key) = keys.covering(customer_id.as_str()) else {
        return Ok((pages::page_key_of(""), None));
    };
    let page = database.get(key).map_err(ChunkError::Database)?;
    Ok((key.to_vec(), page))
}
