//! What a store holds in memory: records that are not on disk yet, the counts of all records, the keys of the
//! pages, and the deadline index.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::codec::changelog::Put;
use crate::codec::part::PartChange;
use crate::codec::stored::Group;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::table::DefinitionTable;
use crate::store::deadlines::Deadlines;
use crate::store::dirty::DirtyRecord;
use crate::store::dirty::DirtyRecords;
use crate::store::dirty::EntryChange;
use crate::store::dirty::Layers;
use crate::store::exchange::PageDeadline;
use crate::store::flush::Chunk;
use crate::store::flush::Flush;
use crate::store::owner::OwnerEpoch;
use crate::store::pages::PageKeys;

/// What a transaction or a record of the changelog says of a customer.
#[derive(Clone, Debug)]
pub struct Update {
    /// The customer.
    pub customer_id: CustomerId,
    /// What the key of the customer's head holds now; `None` where nothing is said of it.
    pub put: Option<Put>,
    /// Parts of the entry that were made, changed, or deleted for `None`.
    pub parts: Vec<PartChange>,
    /// The entry that it replaces, as far as it is known.
    pub before: Before,
}

/// A replaced entry, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub enum Before {
    /// Its summary; `None` where there was no entry.
    Known(Option<RecordSummary>),
    /// Not known: the store reads it.
    Unknown,
}

/// What a transaction or a chunk of the changelog changes in the store besides the entries. A field that is `None`
/// stays as it was.
#[derive(Clone, Debug, Default)]
pub struct Advance {
    /// The partition's checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Whether the changelog still holds a checkpoint under the key of an older format.
    pub has_old_checkpoint: Option<bool>,
    /// The partition's definition table.
    pub table: Option<DefinitionTable>,
    /// The place in the changelog from which it is read next.
    pub changelog_next: u64,
    /// The wall time, if nothing of the changelog is missing now.
    pub caught_up_at: Option<Timestamp>,
}

/// The changes of the counts by a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deltas {
    /// Customers, more or fewer than before.
    pub customers: BTreeMap<Group, i64>,
    /// Records with a deadline, more or fewer than before.
    pub deadlines: i64,
}

impl Deltas {
    /// Nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.customers.is_empty() && self.deadlines == 0
    }

    /// An entry was replaced by another, came, or went.
    pub(super) fn count(&mut self, before: Option<&RecordSummary>, after: Option<&RecordSummary>) {
        let (left, entered) = (before.and_then(Group::of), after.and_then(Group::of));
        if left != entered {
            for (group, customers) in [(left, -1), (entered, 1)] {
                if let Some(group) = group {
                    *self.customers.entry(group).or_default() += customers;
                }
            }
        }
        let deadlines = |summary: Option<&RecordSummary>| {
            i64::from(summary.is_some_and(|summary| summary.deadline.is_some()))
        };
        self.deadlines += deadlines(after) - deadlines(before);
    }
}

/// A customer, and the change of the entry.
pub(super) type Replacement = (CustomerId, EntryChange);

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The owner that may write; writes of any other are ignored.
    pub(super) owner: OwnerEpoch,
    pub(super) dirty: DirtyRecords,
    pub(super) dirty_bytes: usize,
    pub(super) flush: Option<Flush>,
    /// The store's checkpoint with all records.
    pub(super) position: StoreCheckpoint,
    /// The checkpoint in the database.
    pub(super) stored: StoreCheckpoint,
    /// A page is here before it is on disk.
    pub(super) pages: PageKeys,
    pub(super) deadlines: Deadlines,
    /// The table of `position`, for readers.
    pub(super) table: Arc<DefinitionTable>,
    /// Customers of whose entries on disk a part is missing: a flush in the middle of a restore may write such.
    pub(super) incomplete: BTreeSet<CustomerId>,
    /// Customers and deadlines are counted later.
    pub(super) is_uncounted: bool,
}

impl Memory {
    /// What is in memory of a customer's entry.
    pub(super) fn layers(&self, customer_id: &str) -> Layers<'_> {
        let taken_over = self
            .flush
            .as_ref()
            .and_then(|flush| flush.find(customer_id));
        Layers {
            dirty: [self.dirty.get(customer_id), taken_over],
            stored: None,
        }
    }

    /// The head on disk is not the newest of its customer.
    pub(super) fn has_newer(&self, customer_id: &str) -> bool {
        let is_taken_over = |flush: &Flush| flush.has_dirty(customer_id);
        let dirty = self.dirty.get(customer_id);
        dirty.is_some_and(DirtyRecord::has_head) || self.flush.as_ref().is_some_and(is_taken_over)
    }

    /// Customers of whose entries a part is missing, unless it is on disk.
    pub(super) fn maybe_incomplete(&self) -> Vec<CustomerId> {
        let taken_over = self.flush.iter().flat_map(Flush::customers);
        let in_memory = self.dirty.keys().chain(taken_over);
        let lacks = |customer_id: &&CustomerId| {
            // An entry that cannot be decoded is doubtful too; reading it gives the error.
            self.layers(customer_id.as_str()).lacks_a_part() != Ok(false)
        };
        let in_memory = in_memory.filter(lacks);
        in_memory.chain(&self.incomplete).cloned().collect()
    }

    /// Forgets everything but its owner and its log.
    pub(super) fn clear(&mut self) {
        *self = Self {
            owner: self.owner,
            position: StoreCheckpoint {
                lineage: std::mem::take(&mut self.position.lineage),
                ..StoreCheckpoint::default()
            },
            ..Self::default()
        };
    }

    /// Takes over a transaction.
    pub(super) fn apply(&mut self, entries: Vec<Replacement>, deltas: &Deltas, advance: Advance) {
        for replacement in entries {
            self.put(replacement);
        }
        for (group, customers) in &deltas.customers {
            let count = self.position.customers.entry(*group).or_default();
            *count = count.saturating_add_signed(*customers);
        }
        let position = &mut self.position;
        position.deadlines = position.deadlines.saturating_add_signed(deltas.deadlines);
        if advance.checkpoint.is_some() {
            position.checkpoint = advance.checkpoint;
        }
        if let Some(has_old_checkpoint) = advance.has_old_checkpoint {
            position.has_old_checkpoint = has_old_checkpoint;
        }
        if let Some(table) = advance.table {
            position.table = table;
        }
        position.changelog_next = position.changelog_next.max(advance.changelog_next);
        position.caught_up_at = position.caught_up_at.max(advance.caught_up_at);
    }

    fn put(&mut self, (customer_id, change): Replacement) {
        let id_bytes = customer_id.as_str().len();
        let (dirty, before_bytes) = match self.dirty.entry(customer_id.clone()) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                let bytes = known.memory_bytes(id_bytes);
                (known, bytes)
            }
            Entry::Vacant(place) => (place.insert(DirtyRecord::default()), 0),
        };
        if let Some(head) = &change.head
            && !self.is_uncounted
        {
            let replaced = if dirty.has_head() {
                dirty.deadline()
            } else {
                // What a flush has written has no deadline of its own any more.
                let id = customer_id.as_str();
                let flush = self.flush.as_ref().filter(|flush| flush.has_dirty(id));
                flush
                    .and_then(|flush| flush.find(id))
                    .and_then(DirtyRecord::deadline)
            };
            let deadline = head.summary().and_then(|summary| summary.deadline);
            if deadline != replaced {
                if let Some(replaced) = replaced {
                    self.deadlines.remove(replaced, &customer_id);
                }
                if let Some(deadline) = deadline {
                    self.deadlines.add(deadline, customer_id);
                }
            }
        }
        dirty.take(change);
        self.dirty_bytes = self.dirty_bytes + dirty.memory_bytes(id_bytes) - before_bytes;
    }

    /// A chunk of the flush is on disk; what it wrote is due by its pages from now on.
    pub(super) fn written(&mut self, chunk: Chunk) -> Option<Flush> {
        self.position.records = chunk.checkpoint.records;
        self.position.digest = chunk.checkpoint.digest;
        self.position.changelog_reach = chunk.checkpoint.changelog_reach;
        self.stored = chunk.checkpoint;
        for page in chunk.pages {
            match page.deadline {
                PageDeadline::Exact(earliest) => self.deadlines.set_page(&page.key, earliest),
                PageDeadline::AlsoAt(earliest) => self.deadlines.add_to_page(&page.key, earliest),
            }
        }
        let flush = self.flush.as_mut()?;
        if !self.incomplete.is_empty() {
            for customer_id in flush.customers_up_to(chunk.written) {
                self.incomplete.remove(customer_id);
            }
        }
        self.incomplete.extend(chunk.incomplete);
        for (customer_id, deadline) in flush.written_up_to(chunk.written) {
            let dirty = self.dirty.get(customer_id.as_str());
            if !dirty.is_some_and(DirtyRecord::has_head) {
                self.deadlines.remove(deadline, customer_id);
            }
        }
        if chunk.is_last {
            self.flush.take()
        } else {
            None
        }
    }
}
