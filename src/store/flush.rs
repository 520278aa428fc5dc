//! A flush of a store: the records it has taken over, and its chunks.

use std::collections::HashMap;

use crate::codec;
use crate::codec::CodecError;
use crate::codec::entry::Encoded;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::state::record::RecordSummary;
use crate::store::pages;
use crate::store::pages::Page;
use crate::store::pages::PageKeys;
use crate::store::verification::CHECKPOINT_KEY;
use crate::store::verification::digest;

/// Records put into pages at a time, so that a chunk is short even into an empty store.
const CHUNK_RECORDS_MAX: usize = 2048;

/// Memory a record that is not on disk takes beyond its id and its encoded bytes, estimated.
const RECORD_OVERHEAD_BYTES: usize = 184;

/// Memory of a record that is not on disk, estimated.
pub(super) fn memory_bytes(id_bytes: usize, record: &[u8]) -> usize {
    RECORD_OVERHEAD_BYTES + id_bytes + record.len()
}

/// An entry that is not on disk yet, or its deletion.
#[derive(Clone, Debug)]
pub(super) struct DirtyRecord(Option<(Box<[u8]>, RecordSummary)>);

impl DirtyRecord {
    pub(super) fn new(entry: Option<Encoded>) -> Self {
        Self(entry.map(|entry| (entry.bytes.into_boxed_slice(), entry.summary)))
    }

    /// The entry's bytes; none where the customer is unknown.
    pub(super) fn entry(&self) -> Option<&[u8]> {
        self.0.as_ref().map(|(bytes, _)| &**bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.entry().unwrap_or_default()
    }

    pub(super) fn summary(&self) -> Option<RecordSummary> {
        self.0.as_ref().map(|(_, summary)| *summary)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.0.as_ref()?.1.deadline
    }
}

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

    /// A record of this customer is not on disk yet.
    pub(super) fn has_dirty(&self, customer_id: &str) -> bool {
        let next = self.order.get(self.written);
        let is_left = next.is_some_and(|next| next.as_str() <= customer_id);
        is_left && self.records.contains_key(customer_id)
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
        let reach = stored.changelog_reach.max(self.position.changelog_next);
        checkpoint.changelog_reach = reach;
        let mut batch = sled::Batch::default();
        let mut written = self.written;
        let mut pages = 0;
        let mut into = Vec::new();
        while let Some(rest) = self.order.get(written..)
            && let Some(first) = rest.first()
            && pages < page_limit
        {
            let (key, old) = match keys.covering(first.as_str()) {
                Some(key) => (
                    key.to_vec(),
                    database.get(key).map_err(ChunkError::Database)?,
                ),
                None => (pages::page_key_of(""), None),
            };
            let here = keys.count_before_next(&key, rest);
            let taken = here.min(CHUNK_RECORDS_MAX);
            let new: Vec<pages::Change<'_>> = rest
                .iter()
                .take(taken)
                .filter_map(|id| Some((id.as_str(), self.records.get(id)?.entry())))
                .collect();
            let old = old.as_deref();
            let merged = pages::merge(&key, old, &new, page_bytes).map_err(ChunkError::Content)?;
            let before = old.map_or(0, |bytes| digest(&key, bytes));
            checkpoint.digest = checkpoint.digest.wrapping_sub(before);
            checkpoint.records = checkpoint.records.saturating_add_signed(merged.added);
            pages += merged.pages.len();
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
        })
    }
}
