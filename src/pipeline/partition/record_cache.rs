//! Entries that a partition's worker holds decoded: those staged since the last commit, and, within a
//! limit, those it used lately. A hot customer is decoded once, not once a transaction.

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;

use crate::codec::entry::Encoded;
use crate::codec::part::Part;
use crate::domain::ids::CustomerId;
use crate::engine::state::entry::Entry;
use crate::engine::state::record::RecordSummary;
use crate::store::found::Found;

/// Memory of an entry whose encoded size is not known yet, estimated.
const ENTRY_BYTES_USUAL: usize = 2048;
/// Memory of an event that a whole record remembers, of its hashes, and of its day.
const REMEMBERED_BYTES: usize = 144;
/// Memory of an event that an abridged record remembers, with a little of its tail.
const ABRIDGED_BYTES: usize = 24;
/// Estimated bytes of state that a transaction writes of an entry, without the events that it remembers. The entry's first
/// write replaces the estimate.
const STATE_BYTES_USUAL: usize = 256;
/// The same of an event that a whole record remembers.
const STATE_REMEMBERED_BYTES: usize = 24;
/// Memory that a decoded entry takes besides, estimated.
const ENTRY_OVERHEAD_BYTES: usize = 1024;

type Entries = HashMap<CustomerId, Held, foldhash::fast::RandomState>;

/// A decoded entry.
#[derive(Debug)]
pub struct Held {
    /// As of the last delivery; `None` for an unknown customer.
    pub entry: Option<Entry>,
    /// What is counted of the committed entry; `None` where there is none.
    pub before: Option<RecordSummary>,
    /// It is not as it was committed.
    pub is_staged: bool,
    /// The parts that the committed head names, ascending.
    parts: Vec<Part>,
    bytes: usize,
    /// What its last transaction wrote of it, or an estimate.
    state_bytes: usize,
}

impl Held {
    /// It is changed. As many bytes of state as it adds to its transaction, about; none if it is staged already.
    pub fn stage(&mut self) -> Option<usize> {
        let is_staged = std::mem::replace(&mut self.is_staged, true);
        (!is_staged).then_some(self.state_bytes)
    }

    fn new(found: Option<Found>) -> Self {
        let before = found.as_ref().map(|found| found.summary);
        let (entry, parts) = match found {
            Some(found) => (Some(found.entry), found.parts),
            None => (None, Vec::new()),
        };
        let bytes = ENTRY_BYTES_USUAL + past_bytes(entry.as_ref());
        let remembered = entry.as_ref().and_then(Entry::record);
        let remembered = remembered.map_or(0, |record| record.remembered.len());
        Self {
            entry,
            before,
            is_staged: false,
            parts,
            bytes,
            state_bytes: STATE_BYTES_USUAL + remembered * STATE_REMEMBERED_BYTES,
        }
    }
}

fn past_bytes(entry: Option<&Entry>) -> usize {
    entry
        .and_then(Entry::record)
        .map_or(0, |record| match &record.abridged {
            Some(abridged) => abridged.remembered() * ABRIDGED_BYTES,
            None => record.remembered.len() * REMEMBERED_BYTES,
        })
}

/// An entry as its transaction writes it.
#[derive(Debug)]
pub struct Unstaged {
    /// The entry; `None` where the customer is deleted.
    pub entry: Option<Encoded>,
    /// What was counted of the entry that it replaces.
    pub before: Option<RecordSummary>,
    /// Parts that the head does not name any more.
    pub dropped: Vec<Part>,
}

/// The entries of a partition, in two generations: what was not used while the younger one filled up
/// is forgotten.
#[derive(Debug)]
pub struct RecordCache {
    young: Entries,
    old: Entries,
    young_bytes: usize,
    bytes_max: usize,
}

impl RecordCache {
    /// Holds about so much memory of entries that are not staged.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            young: Entries::default(),
            old: Entries::default(),
            young_bytes: 0,
            bytes_max,
        }
    }

    /// The entry of a customer, loaded where it is not held.
    ///
    /// # Errors
    /// If it cannot be loaded.
    pub fn hold<E>(
        &mut self,
        customer_id: &str,
        load: impl FnOnce() -> Result<Option<Found>, E>,
    ) -> Result<&mut Held, E> {
        let place = match self.young.entry_ref(customer_id) {
            EntryRef::Occupied(held) => return Ok(held.into_mut()),
            EntryRef::Vacant(place) => place,
        };
        let (customer_id, held) = match self.old.remove_entry(customer_id) {
            Some(entry) => entry,
            None => (CustomerId::new(customer_id), Held::new(load()?)),
        };
        self.young_bytes += held.bytes;
        Ok(place.insert_with_key(customer_id, held))
    }

    /// Takes a staged entry over as it is encoded for its transaction; `None` if it is not held.
    ///
    /// # Errors
    /// Whatever `encode` fails with.
    pub fn unstage<E>(
        &mut self,
        customer_id: &CustomerId,
        encode: impl FnOnce(&mut Entry) -> Result<Encoded, E>,
    ) -> Result<Option<Unstaged>, E> {
        let Some(held) = self.young.get_mut(customer_id) else {
            return Ok(None);
        };
        let mut entry = held.entry.as_mut().map(encode).transpose()?;
        let bytes = ENTRY_OVERHEAD_BYTES + past_bytes(held.entry.as_ref());
        self.young_bytes = self.young_bytes + bytes - held.bytes;
        held.bytes = bytes;
        held.is_staged = false;
        held.state_bytes = entry.as_ref().map_or(0, Encoded::bytes);
        let after = entry.as_ref().map(|entry| entry.head.summary);
        let before = std::mem::replace(&mut held.before, after);
        let named = entry.as_mut().map(|entry| std::mem::take(&mut entry.named));
        let mut dropped = std::mem::replace(&mut held.parts, named.unwrap_or_default());
        dropped.retain(|part| !held.parts.contains(part));
        Ok(Some(Unstaged {
            entry,
            before,
            dropped,
        }))
    }

    /// Forgets the oldest where there are too many; nothing may be staged.
    pub fn age(&mut self) {
        if self.young_bytes > self.bytes_max / 2 {
            let as_many = Entries::with_capacity_and_hasher(self.young.len(), Default::default());
            self.old = std::mem::replace(&mut self.young, as_many);
            self.young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(cache: &mut RecordCache, id: &str) -> bool {
        let mut was_loaded = false;
        let load = || {
            was_loaded = true;
            Ok::<_, ()>(None)
        };
        cache.hold(id, load).unwrap();
        was_loaded
    }

    /// Each entry counts 2,048 bytes until it is encoded: two fill a generation of a limit of 6,000.
    #[test]
    fn what_was_not_used_while_a_generation_filled_up_is_loaded_again() {
        let mut cache = RecordCache::new(6000);
        assert!(hold(&mut cache, "a") && hold(&mut cache, "b"));
        cache.age();
        assert!(!hold(&mut cache, "a"), "used again, so it stays");
        assert!(hold(&mut cache, "c"));
        cache.age();
        assert!(!hold(&mut cache, "a") && !hold(&mut cache, "c"));
        assert!(hold(&mut cache, "b"), "forgotten");
    }
}
