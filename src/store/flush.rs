//! A flush of a store: the records it has taken over, and its chunks.

use crate::codec;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::store::database::Database;
use crate::store::dirty::DirtyRecord;
use crate::store::dirty::DirtyRecords;
use crate::store::exchange::Batch;
use crate::store::exchange::BuildError;
use crate::store::exchange::CHECKPOINT_KEY;
use crate::store::exchange::PageUpdate;
use crate::store::pages::PageKeys;

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
    pub(super) batch: Batch,
    /// What the database holds after it.
    pub(super) checkpoint: StoreCheckpoint,
    pub(super) is_last: bool,
    /// Records written with it and before.
    pub(super) written: usize,
    /// The pages, some of which may be new.
    pub(super) pages: Vec<PageUpdate>,
    /// Those of whose entries a part is missing.
    pub(super) incomplete: Vec<CustomerId>,
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
        (database, keys): (&Database, &PageKeys),
        stored: &StoreCheckpoint,
        page_limit: usize,
    ) -> Result<Chunk, BuildError> {
        let rest = self.order.get(self.written..).unwrap_or(&[]);
        let built = database.build((rest, &self.records), keys, page_limit)?;
        let written = self.written + built.taken;
        let reach = stored.changelog_reach.max(self.position.changelog_next);
        let is_last = written == self.order.len();
        let base = if is_last { &self.position } else { stored };
        let checkpoint = StoreCheckpoint {
            // The names of the numbers in the entries that are written.
            table: self.position.table.clone(),
            changelog_reach: reach,
            records: stored.records.saturating_add_signed(built.added),
            digest: stored.digest.wrapping_add(built.digest),
            ..base.clone()
        };
        let bytes = codec::partition::encode_store(&checkpoint).map_err(BuildError::Content)?;
        let mut batch = built.batch;
        batch.0.push((CHECKPOINT_KEY.to_vec(), Some(bytes)));
        Ok(Chunk {
            batch,
            checkpoint,
            is_last,
            written,
            pages: built.pages,
            incomplete: built.incomplete,
        })
    }
}
