//! What a store holds in memory: records that are not on disk yet, what all records amount to, where the
//! pages are, and what is due when.

use std::collections::BTreeMap;

use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::record::RecordSummary;
use crate::store::codec::Checkpoint;
use crate::store::codec::Group;
use crate::store::codec::StoreCheckpoint;
use crate::store::deadlines::Deadlines;
use crate::store::flush::Chunk;
use crate::store::flush::DirtyRecord;
use crate::store::flush::DirtyRecords;
use crate::store::flush::Flush;
use crate::store::flush::memory_bytes;
use crate::store::owner::OwnerEpoch;
use crate::store::pages::PageKeys;

/// A customer's record of a committed transaction.
#[derive(Clone, Debug)]
pub struct Update {
    /// Whose.
    pub customer_id: CustomerId,
    /// The record, encoded as in the changelog.
    pub bytes: Vec<u8>,
    /// How it stands.
    pub summary: RecordSummary,
    /// How the record stood that it replaces.
    pub before: Before,
}

/// What is known of a replaced record.
#[derive(Clone, Debug)]
pub enum Before {
    /// How it stood; as the default one where there was none.
    Known(RecordSummary),
    /// The store looks it up.
    Unknown,
}

/// What a transaction changed in the counts.
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

    /// A record that stood so stands differently now.
    pub(super) fn count(&mut self, before: &RecordSummary, after: &RecordSummary) {
        let (left, entered) = (Group::of(before), Group::of(after));
        if left != entered {
            for (group, customers) in [(left, -1), (entered, 1)] {
                if let Some(group) = group {
                    *self.customers.entry(group).or_default() += customers;
                }
            }
        }
        let had = i64::from(before.deadline.is_some());
        self.deadlines += i64::from(after.deadline.is_some()) - had;
    }
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Who writes; another's writes are ignored.
    pub(super) owner: OwnerEpoch,
    pub(super) dirty: DirtyRecords,
    pub(super) dirty_bytes: usize,
    pub(super) flush: Option<Flush>,
    /// What all records amount to.
    pub(super) position: StoreCheckpoint,
    /// What sled holds.
    pub(super) stored: StoreCheckpoint,
    /// A page is here before it is in sled.
    pub(super) pages: PageKeys,
    pub(super) deadlines: Deadlines,
}

impl Memory {
    /// The record of a customer, if the one in sled is not the newest or may be on its way there.
    pub(super) fn find(&self, customer_id: &str) -> Option<&DirtyRecord> {
        let taken_over = || self.flush.as_ref()?.find(customer_id);
        self.dirty.get(customer_id).or_else(taken_over)
    }

    /// The record in sled is not the newest of its customer.
    pub(super) fn has_newer(&self, customer_id: &str) -> bool {
        let is_taken_over = |flush: &Flush| flush.has_dirty(customer_id);
        self.dirty.contains_key(customer_id) || self.flush.as_ref().is_some_and(is_taken_over)
    }

    /// Takes over a transaction.
    pub(super) fn apply(
        &mut self,
        updates: Vec<Update>,
        deltas: &Deltas,
        checkpoint: Option<Checkpoint>,
        changelog_next: u64,
        caught_up_at: Option<Timestamp>,
    ) {
        for update in updates {
            self.put(update);
        }
        for (group, customers) in &deltas.customers {
            let count = self.position.customers.entry(group.clone()).or_default();
            *count = count.saturating_add_signed(*customers);
        }
        let position = &mut self.position;
        position.deadlines = position.deadlines.saturating_add_signed(deltas.deadlines);
        if checkpoint.is_some() {
            position.checkpoint = checkpoint;
        }
        position.changelog_next = position.changelog_next.max(changelog_next);
        position.caught_up_at = position.caught_up_at.max(caught_up_at);
    }

    fn put(&mut self, update: Update) {
        let customer_id = update.customer_id;
        let replaced = self.find(customer_id.as_str());
        if let Some(deadline) = replaced.and_then(|dirty| dirty.summary.deadline) {
            self.deadlines.remove(deadline, &customer_id);
        }
        if let Some(deadline) = update.summary.deadline {
            self.deadlines.add(deadline, customer_id.clone());
        }
        let id_bytes = customer_id.as_str().len();
        self.dirty_bytes += memory_bytes(id_bytes, &update.bytes);
        let dirty = DirtyRecord {
            bytes: update.bytes.into_boxed_slice(),
            summary: update.summary,
        };
        if let Some(replaced) = self.dirty.insert(customer_id, dirty) {
            self.dirty_bytes -= memory_bytes(id_bytes, &replaced.bytes);
        }
    }

    /// A chunk of the flush is in sled; what it wrote is due by its pages from now on.
    pub(super) fn written(&mut self, chunk: Chunk) -> Option<Flush> {
        self.position.records = chunk.checkpoint.records;
        self.position.digest = chunk.checkpoint.digest;
        self.position.changelog_reach = chunk.checkpoint.changelog_reach;
        self.stored = chunk.checkpoint;
        for (key, earliest) in chunk.pages {
            self.deadlines.set_page(&key, earliest);
        }
        let flush = self.flush.as_mut()?;
        for (customer_id, deadline) in flush.written_up_to(chunk.written) {
            if !self.dirty.contains_key(customer_id.as_str()) {
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
