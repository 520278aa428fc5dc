//! Records that a partition's worker holds decoded: those staged since the last commit, and, within a
//! limit, those it used lately. A hot customer is decoded once, not once a transaction.

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;

use crate::domain::ids::CustomerId;
use crate::engine::record::CustomerRecord;
use crate::engine::record::RecordSummary;
use crate::store;

/// Memory of a record whose encoded size is not known yet, estimated.
const RECORD_BYTES_USUAL: usize = 2048;
/// Memory of an event that it remembers, and of what it says of the event elsewhere.
const REMEMBERED_BYTES: usize = 64;
/// Memory a decoded record takes beyond twice its encoded bytes, estimated.
const RECORD_OVERHEAD_BYTES: usize = 1536;

type Records = HashMap<CustomerId, Held, foldhash::fast::RandomState>;

/// A decoded record.
#[derive(Debug)]
pub struct Held {
    /// As of the last delivery.
    pub record: CustomerRecord,
    /// How the committed record stands.
    pub before: RecordSummary,
    /// It is not as it was committed.
    pub is_staged: bool,
    bytes: usize,
}

impl Held {
    fn new(record: Option<CustomerRecord>) -> Self {
        let record = record.unwrap_or_default();
        let bytes = RECORD_BYTES_USUAL + record.remembered.len() * REMEMBERED_BYTES;
        Self {
            before: record.summary(),
            record,
            is_staged: false,
            bytes,
        }
    }
}

/// A record as its transaction writes it.
#[derive(Debug)]
pub struct Unstaged {
    /// Its bytes in the changelog.
    pub encoded: Vec<u8>,
    /// How the record stood that it replaces.
    pub before: RecordSummary,
    /// How it stands.
    pub after: RecordSummary,
}

/// The records of a partition, in two generations: what was not used while the younger one filled up
/// is forgotten.
#[derive(Debug)]
pub struct RecordCache {
    young: Records,
    old: Records,
    young_bytes: usize,
    bytes_max: usize,
}

impl RecordCache {
    /// Holds about so much memory of records that are not staged.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            young: Records::default(),
            old: Records::default(),
            young_bytes: 0,
            bytes_max,
        }
    }

    /// The record of a customer, loaded where it is not held; the default one where there is none.
    ///
    /// # Errors
    /// If it cannot be loaded.
    pub fn hold(
        &mut self,
        customer_id: &str,
        load: impl FnOnce() -> Result<Option<CustomerRecord>, store::Error>,
    ) -> Result<&mut Held, store::Error> {
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

    /// Takes a staged record over as it is encoded for its transaction; `None` if it is not held.
    ///
    /// # Errors
    /// Whatever `encode` fails with.
    pub fn unstage<E>(
        &mut self,
        customer_id: &CustomerId,
        encode: impl FnOnce(&CustomerRecord) -> Result<Vec<u8>, E>,
    ) -> Result<Option<Unstaged>, E> {
        let Some(held) = self.young.get_mut(customer_id) else {
            return Ok(None);
        };
        let encoded = encode(&held.record)?;
        let bytes = 2 * encoded.len() + RECORD_OVERHEAD_BYTES;
        self.young_bytes = self.young_bytes + bytes - held.bytes;
        held.bytes = bytes;
        held.is_staged = false;
        let after = held.record.summary();
        let before = std::mem::replace(&mut held.before, after.clone());
        Ok(Some(Unstaged {
            encoded,
            before,
            after,
        }))
    }

    /// Forgets the oldest where there are too many; nothing may be staged.
    pub fn age(&mut self) {
        if self.young_bytes > self.bytes_max / 2 {
            let as_many = Records::with_capacity_and_hasher(self.young.len(), Default::default());
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
            Ok(None)
        };
        cache.hold(id, load).unwrap();
        was_loaded
    }

    /// Each record counts 2,048 bytes until it is encoded: two fill a generation of a limit of 6,000.
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
