//! Writing to the merge tree: batches of records, pages of the deadline index, and the merging of files.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use lsm_tree::AbstractTree;
use lsm_tree::compaction::Leveled;

use crate::codec;
use crate::codec::CodecError;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::domain::time::earlier;
use crate::store::dirty::DirtyRecord;
use crate::store::dirty::DirtyRecords;
use crate::store::dirty::Layers;
use crate::store::exchange::Batch;
use crate::store::exchange::BuildError;
use crate::store::exchange::Built;
use crate::store::exchange::DatabaseError;
use crate::store::exchange::PageDeadline;
use crate::store::exchange::PageUpdate;
use crate::store::exchange::stored;
use crate::store::pages;
use crate::store::pages::PageKeys;
use crate::store::stored::stored_bytes;
use crate::store::tree::Inner;
use crate::store::tree::Merging;
use crate::store::tree::TreeEntries;

/// The write merges files by itself where merging in the background has fallen behind by so many times the files that
/// are merged at once.
const MERGES_BEHIND_MAX: usize = 4;

impl TreeEntries {
    /// The next batch of these records, ascending by customer: about so many pages, and no fewer records than a file is
    /// worth.
    pub(super) fn build(
        &self,
        (order, records): (&[CustomerId], &DirtyRecords),
        keys: &PageKeys,
        page_limit: usize,
    ) -> Result<Built, BuildError> {
        let options = &self.0.options;
        let mut built = Built::default();
        let limit = page_limit.saturating_mul(options.page_entries);
        let limit = limit.max(options.batch_records);
        let order = order.get(..limit).unwrap_or(order);
        while let Some(rest) = order.get(built.taken..)
            && let Some(first) = rest.first()
        {
            let key = keys.covering(first.as_str());
            let key = key.map_or_else(|| pages::page_key_of(""), <[u8]>::to_vec);
            let here = rest.get(..keys.count_before_next(&key, rest));
            let here = here.unwrap_or(rest);
            let mut earliest = None;
            for id in here {
                if let Some(dirty) = records.get(id) {
                    earliest = earlier(earliest, dirty.deadline());
                    self.build_entry((id, dirty), &mut built)?;
                }
            }
            built.taken += here.len();
            let deadline = PageDeadline::AlsoAt(earliest);
            *self.0.written().entry(key.clone()).or_default() += here.len();
            built.pages.push(PageUpdate { key, deadline });
        }
        Ok(built)
    }

    fn build_entry(
        &self,
        (id, dirty): (&CustomerId, &DirtyRecord),
        built: &mut Built,
    ) -> Result<(), BuildError> {
        let key = pages::page_key_of(id.as_str());
        let mut layers = Layers {
            dirty: [Some(dirty), None],
            stored: None,
        };
        let old = if layers.needs_stored() {
            self.value(&key)?
        } else {
            None
        };
        if let Some(old) = &old {
            layers.stored = Some(stored(old).map_err(BuildError::Content)?);
        }
        let bytes = stored_bytes(layers.head(), &layers.parts()).map_err(BuildError::Content)?;
        let value = bytes.map(|bytes| [&[codec::FORMAT][..], &bytes].concat());
        if layers.lacks_a_part().map_err(BuildError::Content)? {
            built.incomplete.push(id.clone());
        }
        built.batch.0.push((key, value));
        Ok(())
    }

    /// Writes a batch, whose keys ascend.
    pub(super) fn write(&self, batch: Batch) -> Result<(), DatabaseError> {
        let mut ingestion = self.0.tree.ingestion()?;
        for (key, value) in batch.0 {
            match value {
                Some(value) => ingestion.write(key, value)?,
                None => ingestion.write_tombstone(key)?,
            }
        }
        Ok(ingestion.finish()?)
    }

    /// Divides pages into which many entries were written, if they have twice as many as they should.
    pub(super) fn divide(&self, keys: &PageKeys) -> Result<Vec<PageUpdate>, BuildError> {
        let page_entries = self.0.options.page_entries.max(1);
        let mut written = Vec::new();
        self.0.written().retain(|key, entries| {
            let is_many = *entries > 2 * page_entries;
            if is_many {
                written.push(key.clone());
            }
            !is_many
        });
        let mut updates = Vec::new();
        for first in written {
            let mut entries = Vec::new();
            for entry in self.range(&first, keys.next_after(&first)) {
                let (customer, value) = entry.map_err(DatabaseError::from)?;
                let deadline = deadline_of(&value).map_err(BuildError::Content)?;
                entries.push((customer, deadline));
            }
            let pages = if entries.len() > 2 * page_entries {
                entries.len() / page_entries
            } else {
                1
            };
            let in_each = entries.len().div_ceil(pages).max(1);
            for (place, page) in entries.chunks(in_each).enumerate() {
                // The first keeps its key, which may come before that of its first customer.
                let key = page.first().filter(|_| place > 0);
                let key = key.map_or_else(|| first.clone(), |(customer, _)| customer.to_vec());
                let deadlines = page.iter().map(|(_, deadline)| *deadline);
                let deadline = PageDeadline::Exact(deadlines.fold(None, earlier));
                updates.push(PageUpdate { key, deadline });
            }
        }
        Ok(updates)
    }

    /// Merges files where there are enough of them.
    pub(super) fn merge(&self) -> Result<(), DatabaseError> {
        let failed = self.0.merging_failed().take().map(DatabaseError::from);
        if let Some(error) = failed {
            if error.is_damage() {
                return Err(error);
            }
            tracing::warn!(%error, "files of a store cannot be merged now; it is tried again");
        }
        let options = &self.0.options;
        let files = self.0.tree.l0_run_count();
        let at_once = usize::from(options.files_merged);
        let is_behind = files >= at_once.saturating_mul(MERGES_BEHIND_MAX);
        if is_behind || (files >= at_once && options.merging == Merging::InTheWrite) {
            return Ok(self.0.merge()?);
        }
        if files >= at_once
            && let Some(turn) = Turn::take()
        {
            let inner = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("merging".to_owned());
            // Where no thread can be made, the turn ends, and the next write tries again.
            let _spawned = thread.spawn(move || merge_in_turn(turn, &inner));
        }
        Ok(())
    }
}

/// One merge at a time in the background of a process: it may take a whole core.
struct Turn;

static IS_TAKEN: AtomicBool = AtomicBool::new(false);

impl Turn {
    /// `None` where another one has the turn.
    fn take() -> Option<Self> {
        (!IS_TAKEN.swap(true, Ordering::AcqRel)).then_some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        IS_TAKEN.store(false, Ordering::Release);
    }
}

fn merge_in_turn(_turn: Turn, inner: &Arc<Inner>) {
    // Where the store is closed already, its lock is let go.
    if Arc::strong_count(inner) == 1 {
        return;
    }
    let merged = catch_unwind(AssertUnwindSafe(|| inner.merge()));
    let merged = merged.unwrap_or(Err(lsm_tree::Error::Unrecoverable));
    *inner.merging_failed() = merged.err();
}

fn deadline_of(value: &[u8]) -> Result<Option<Timestamp>, CodecError> {
    let head = stored(value)?.head;
    let deadline = head.map(codec::entry::deadline_of).transpose()?;
    Ok(deadline.flatten())
}

impl Inner {
    fn merge(&self) -> Result<(), lsm_tree::Error> {
        let _one = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        let strategy = Leveled::default().with_l0_threshold(self.options.files_merged);
        self.tree
            .compact(Arc::new(strategy), self.sequence.get())
            .map(drop)
    }
}
