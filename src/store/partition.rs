//! The store of one partition: memory first, a database behind.
//!
//! A read looks at the records that are not on disk yet, then at those a flush has taken over, then at
//! the database. One worker writes; HTTP readers only read.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;

use crate::codec;
use crate::codec::CodecError;
use crate::codec::changelog::Put;
use crate::codec::part::Part;
use crate::codec::stored::Group;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::table::DefinitionTable;
use crate::faults::Faults;
use crate::store::Error;
use crate::store::database::Database;
use crate::store::dirty::EntryChange;
use crate::store::dirty::HeadChange;
use crate::store::dirty::Layers;
use crate::store::exchange::StoredBytes;
use crate::store::flush::Flush;
use crate::store::found::Found;
use crate::store::memory::Advance;
use crate::store::memory::Before;
use crate::store::memory::Deltas;
use crate::store::memory::Memory;
use crate::store::memory::Replacement;
use crate::store::memory::Update;
use crate::store::owner::OwnerEpoch;
use crate::store::records::Records;
use crate::store::verification::Expected;

/// The store of one partition.
#[derive(Debug)]
pub struct PartitionStore {
    pub(super) path: PathBuf,
    pub(super) database: Database,
    pub(super) memory: RwLock<Memory>,
    pub(super) flushing: Mutex<()>,
    pub(super) faults: Faults,
}

impl PartitionStore {
    /// A customer's entry as of the last transaction applied; `None` for an unknown customer.
    ///
    /// # Errors
    /// If the database fails or the entry is damaged.
    pub fn get(&self, customer_id: &str) -> Result<Option<Found>, Error> {
        self.read_entry(customer_id, Found::decode)
    }

    /// The same, where a record is abridged unless its first purchase was before an instant:
    /// [`codec::entry::decode_abridged`].
    ///
    /// # Errors
    /// As [`PartitionStore::get`].
    pub fn get_abridged(
        &self,
        customer_id: &str,
        since: Timestamp,
    ) -> Result<Option<Found>, Error> {
        self.read_entry(customer_id, |layers, table| {
            Found::decode_abridged(layers, table, since)
        })
    }

    /// Reads an entry's parts for what is to be done with it: [`codec::abridged::complete`], [`codec::abridged::seal`].
    ///
    /// # Errors
    /// If a part cannot be read, or whatever `read` fails with.
    pub fn with_parts<T>(
        &self,
        customer_id: &str,
        read: impl for<'a> FnOnce(&mut dyn FnMut(Part) -> Option<&'a [u8]>) -> Result<T, CodecError>,
    ) -> Result<T, Error> {
        self.read_entry(customer_id, |layers, _| read(&mut |part| layers.part(part)))
    }

    /// Reads a customer's entry where its layers stand.
    fn read_entry<T>(
        &self,
        customer_id: &str,
        read: impl FnOnce(&Layers<'_>, &DefinitionTable) -> Result<T, CodecError>,
    ) -> Result<T, Error> {
        let memory = self.read();
        let layers = memory.layers(customer_id);
        let page = self.page_below(&memory, &layers, customer_id)?;
        let is_stored = page.is_some();
        let layers = layers_over(layers, page.as_ref(), customer_id);
        let found = layers.and_then(|layers| read(&layers, &memory.table));
        found.map_err(|source| self.entry_error(source, is_stored))
    }

    /// The page that holds what is below the layers in memory; `None` where nothing of it counts. Under the lock: no
    /// flush can move a part of the page meanwhile.
    pub(super) fn page_below(
        &self,
        memory: &Memory,
        layers: &Layers<'_>,
        customer_id: &str,
    ) -> Result<Option<StoredBytes>, Error> {
        if !layers.needs_stored() {
            return Ok(None);
        }
        let stored = self.database.get(&memory.pages, customer_id);
        stored.map_err(|source| self.database_error(source))
    }

    fn summary_of(&self, customer_id: &str) -> Result<Option<RecordSummary>, Error> {
        let memory = self.read();
        if let Some(head) = memory.layers(customer_id).head_in_memory() {
            let summary = head.map(codec::entry::summary_of).transpose();
            return summary.map_err(|source| self.entry_error(source, false));
        }
        drop(memory);
        self.read_entry(customer_id, |layers, _| layers.summary())
    }

    /// Whether every part that a head names is there: of the entries that are not on disk, and of those that a flush has
    /// written without one.
    ///
    /// # Errors
    /// If the database fails or an entry is damaged.
    pub fn is_complete(&self) -> Result<bool, Error> {
        // The lock is taken anew for each: a writer that waits would keep out a second reader of the same thread.
        let mut doubtful = self.read().maybe_incomplete();
        // Neighbours share a page.
        doubtful.sort_unstable();
        for customer_id in doubtful {
            let lacks = |layers: &Layers<'_>, _: &DefinitionTable| layers.lacks_a_part();
            if self.read_entry(customer_id.as_str(), lacks)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes over what a transaction committed. Visible to readers when it returns; on disk after a
    /// flush. `None` where another owner has come since: nothing was taken over.
    ///
    /// # Errors
    /// If the database fails or an entry that it replaces is damaged.
    pub fn apply(
        &self,
        owner: OwnerEpoch,
        updates: Vec<Update>,
        advance: Advance,
    ) -> Result<Option<Deltas>, Error> {
        let mut deltas = Deltas::default();
        let is_uncounted = self.read().is_uncounted;
        // Whether a tombstone of an older format counts depends on the entry before it.
        let is_old = |update: &Update| update.put == Some(Put::NothingOld);
        let needs_before = !is_uncounted || updates.iter().any(is_old);
        let mut entries = Vec::with_capacity(updates.len());
        // A chunk of the changelog may hold several entries of a customer: the last before is known.
        let mut unknown: HashMap<CustomerId, Option<RecordSummary>> = HashMap::new();
        for update in updates {
            let before = match update.before {
                _ if !needs_before => None,
                Before::Known(before) => before,
                Before::Unknown => match unknown.get(&update.customer_id) {
                    Some(before) => *before,
                    None => self.summary_of(update.customer_id.as_str())?,
                },
            };
            let head = match update.put {
                None => None,
                Some(Put::Entry(head)) => Some(HeadChange::Put(head)),
                // Parts of a newer entry may be here already, so nothing is deleted but an entry of the older format.
                Some(Put::NothingOld) if before.is_none_or(|before| !before.has_old_key) => {
                    continue;
                }
                Some(Put::Nothing | Put::NothingOld) => Some(HeadChange::Delete),
            };
            if let Some(change) = &head
                && needs_before
            {
                let after = change.summary();
                if !is_uncounted {
                    deltas.count(before.as_ref(), after.as_ref());
                }
                if matches!(update.before, Before::Unknown) {
                    unknown.insert(update.customer_id.clone(), after);
                }
            }
            let change = EntryChange {
                head,
                parts: update.parts,
            };
            entries.push((update.customer_id, change));
        }
        deltas.customers.retain(|_, customers| *customers != 0);
        Ok(self
            .take_over(owner, entries, &deltas, advance)
            .then_some(deltas))
    }

    fn take_over(
        &self,
        owner: OwnerEpoch,
        entries: Vec<Replacement>,
        deltas: &Deltas,
        advance: Advance,
    ) -> bool {
        let mut memory = self.write();
        if memory.owner != owner {
            return false;
        }
        if let Some(table) = &advance.table {
            memory.table = Arc::new(table.clone());
        }
        memory.apply(entries, deltas, advance);
        true
    }

    /// Nothing is due before; it may be that nothing is due then either.
    #[must_use]
    pub fn earliest_deadline(&self) -> Option<Timestamp> {
        self.read().deadlines.earliest()
    }

    /// Records that are not on disk yet.
    #[must_use]
    pub fn dirty_records(&self) -> usize {
        let memory = self.read();
        let taken_over = memory.flush.as_ref();
        memory.dirty.len() + taken_over.map_or(0, Flush::left)
    }

    /// Their memory, estimated.
    #[must_use]
    pub fn dirty_bytes(&self) -> usize {
        let memory = self.read();
        memory.dirty_bytes + memory.flush.as_ref().map_or(0, Flush::bytes)
    }

    /// From now on only this owner writes.
    pub fn take(&self, owner: OwnerEpoch) {
        self.write().owner = owner;
    }

    /// Who writes.
    #[must_use]
    pub fn owner(&self) -> OwnerEpoch {
        self.read().owner
    }

    /// Whether it was made from this log and lacks nothing that the log no longer has.
    #[must_use]
    pub fn fits(&self, expected: &Expected) -> bool {
        let memory = self.read();
        expected.is_its_log(&memory.position) && expected.misfit(&memory.position).is_none()
    }

    /// Everything it holds, as if it had just come.
    #[must_use]
    pub fn contents(&self) -> Deltas {
        let memory = self.read();
        let customers = memory.position.customers.iter();
        Deltas {
            customers: customers
                .filter(|(_, customers)| **customers > 0)
                .map(|(group, customers)| (*group, i64::try_from(*customers).unwrap_or(i64::MAX)))
                .collect(),
            deadlines: i64::try_from(memory.position.deadlines).unwrap_or(i64::MAX),
        }
    }

    /// The partition's checkpoint as of the last transaction applied.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.read().position.checkpoint
    }

    /// The changelog still holds a checkpoint under the key of an older format.
    #[must_use]
    pub fn has_old_checkpoint(&self) -> bool {
        self.read().position.has_old_checkpoint
    }

    /// What the numbers in the entries mean.
    #[must_use]
    pub fn table(&self) -> Arc<DefinitionTable> {
        Arc::clone(&self.read().table)
    }

    /// Where the changelog is read on.
    #[must_use]
    pub fn changelog_next(&self) -> u64 {
        self.read().position.changelog_next
    }

    /// The furthest place in the changelog that any record belongs to.
    #[must_use]
    pub fn changelog_reach(&self) -> u64 {
        let position = &self.read().position;
        position.changelog_reach.max(position.changelog_next)
    }

    /// Assigned customers by segment and band, counted along.
    #[must_use]
    pub fn customers(&self) -> BTreeMap<Group, u64> {
        let counts = self.read().position.customers.clone();
        counts
            .into_iter()
            .filter(|(_, customers)| *customers > 0)
            .collect()
    }

    /// Records with a deadline, counted along.
    #[must_use]
    pub fn deadlines(&self) -> u64 {
        self.read().position.deadlines
    }

    /// Bytes on disk.
    ///
    /// # Errors
    /// If the database fails.
    pub fn disk_bytes(&self) -> Result<u64, Error> {
        self.database
            .disk_bytes()
            .map_err(|source| self.database_error(source))
    }

    /// Every entry on disk, ascending by the bytes of the customer id; [`Self::flush`] first.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        let pages = self.database.scan();
        Records::new(&self.path, pages, DefinitionTable::clone(&self.table()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layers in memory, over what a page holds of the entry.
pub(super) fn layers_over<'a>(
    mut layers: Layers<'a>,
    below: Option<&'a StoredBytes>,
    customer_id: &str,
) -> Result<Layers<'a>, CodecError> {
    if let Some(below) = below {
        layers.stored = below.find(customer_id)?;
    }
    Ok(layers)
}
