//! The partitions of this process: who owns each of them, their stores, what readers on other threads may see, and
//! what each of them adds to the gauges.
//!
//! A worker may lose a partition without knowing, and another worker of the process may get it meanwhile. So every
//! call names an [`Owner`], is compared with the current one under the lock that guards the write, and does nothing
//! if another has come since.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use arc_swap::ArcSwap;

use crate::codec::stored::Group;
use crate::domain::ids::Partition;
use crate::domain::partitioner::Partitioner;
use crate::engine::state::definition::Definition;
use crate::engine::state::table::DefinitionTable;
use crate::faults::Faults;
use crate::store;
use crate::store::database::Options;
use crate::store::directory::StoreDirectory;
use crate::store::memory::Deltas;
use crate::store::owner::OwnerEpoch;
use crate::store::partition::PartitionStore;
use crate::store::verification::Expected;
use crate::store::wipe_reason::WipeReason;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::observe;

/// What a reader may see of a partition.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Its state is being read back; nothing may be answered from it yet.
    Restoring,
    /// Its committed state.
    Running(Arc<PartitionStore>),
}

/// The right to write a partition's state, until another worker takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    partition: Partition,
    epoch: OwnerEpoch,
}

impl Owner {
    /// The partition.
    #[must_use]
    pub fn partition(self) -> Partition {
        self.partition
    }

    /// The number of this ownership.
    #[must_use]
    pub fn epoch(self) -> OwnerEpoch {
        self.epoch
    }
}

/// What came of opening a store.
#[derive(Debug)]
pub enum Opening {
    /// The store, and why the one on disk was thrown away, if it was.
    Opened(Arc<PartitionStore>, Option<WipeReason>),
    /// It must be made anew, and an earlier owner that has not heard of its loss still has a handle of it.
    InUse,
    /// The caller is not the owner any more.
    Displaced,
}

/// The partitions of this process.
#[derive(Debug)]
pub struct Partitions {
    directory: StoreDirectory,
    database: Options,
    faults: Faults,
    metrics: Arc<Metrics>,
    slots: Mutex<BTreeMap<Partition, Arc<Mutex<Slot>>>>,
    visible: ArcSwap<BTreeMap<Partition, Phase>>,
    /// Partitions that have nothing left to do in a run with ends.
    finished: Mutex<BTreeSet<Partition>>,
    /// The definition under which a partition of this process runs, once its checkpoint is committed.
    agreed: Mutex<Option<Definition>>,
}

#[derive(Debug, Default)]
struct Slot {
    epoch: OwnerEpoch,
    /// A worker has taken it and not given it up.
    is_held: bool,
    /// Stays open when the partition goes from one worker to another, because a database's lock outlives a handle.
    store: Option<Arc<PartitionStore>>,
    /// What the owner added to the gauges, and what is subtracted when it goes.
    counted: Deltas,
    /// The names of what is counted.
    table: Arc<DefinitionTable>,
}

impl Partitions {
    /// No partition yet.
    #[must_use]
    pub fn new(
        directory: StoreDirectory,
        database: Options,
        faults: Faults,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            directory,
            database,
            faults,
            metrics,
            slots: Mutex::new(BTreeMap::new()),
            visible: ArcSwap::default(),
            finished: Mutex::new(BTreeSet::new()),
            agreed: Mutex::new(None),
        }
    }

    /// The directory of the stores.
    #[must_use]
    pub fn directory(&self) -> &StoreDirectory {
        &self.directory
    }

    /// Makes the caller the owner in place of any other worker. Readers wait from now on.
    pub fn take(&self, partition: Partition) -> Owner {
        let slot = self.slot(partition);
        let mut slot = lock(&slot);
        self.take_slot(partition, &mut slot)
    }

    /// The same, unless another worker is the owner now.
    pub fn take_back(&self, owner: Owner) -> Option<Owner> {
        let slot = self.slot(owner.partition);
        let mut slot = lock(&slot);
        let is_free = slot.epoch == owner.epoch || !slot.is_held;
        is_free.then(|| self.take_slot(owner.partition, &mut slot))
    }

    fn take_slot(&self, partition: Partition, slot: &mut Slot) -> Owner {
        slot.epoch = slot.epoch.next();
        slot.is_held = true;
        if let Some(store) = &slot.store {
            store.take(slot.epoch);
        }
        self.count_nothing(slot);
        self.set_finished(partition, false);
        self.update(partition, Some(&Phase::Restoring));
        Owner {
            partition,
            epoch: slot.epoch,
        }
    }

    /// Opens the store of a partition, or takes the handle that this process already has.
    ///
    /// # Errors
    /// If the store cannot be opened even when it is empty.
    pub fn open(&self, owner: Owner, expected: &Expected) -> Result<Opening, store::Error> {
        let slot = self.slot(owner.partition);
        let mut slot = lock(&slot);
        if slot.epoch != owner.epoch {
            return Ok(Opening::Displaced);
        }
        if let Some(store) = &slot.store {
            if store.fits(expected) {
                return Ok(Opening::Opened(Arc::clone(store), None));
            }
            // To wait for its lock here would keep the earlier owner, which needs the slot, from giving it up.
            if Arc::strong_count(store) > 1 {
                return Ok(Opening::InUse);
            }
        }
        slot.store = None;
        let (store, wiped) = PartitionStore::open(
            &self.directory,
            owner.partition,
            expected,
            &self.database,
            self.faults.clone(),
        )?;
        store.take(owner.epoch);
        let store = Arc::new(store);
        slot.store = Some(Arc::clone(&store));
        Ok(Opening::Opened(store, wiped))
    }

    /// The restore has ended: readers see the committed state, its customers are counted, and the store on disk is
    /// marked as this instance's. `false` for an owner that is not one any more.
    ///
    /// # Errors
    /// If the mark cannot be written.
    pub fn show_running(
        &self,
        owner: Owner,
        store: &Arc<PartitionStore>,
    ) -> Result<bool, store::Error> {
        let slot = self.slot(owner.partition);
        let mut slot = lock(&slot);
        if slot.epoch != owner.epoch {
            return Ok(false);
        }
        self.directory.mark_owned(owner.partition)?;
        self.count_nothing(&mut slot);
        slot.table = store.table();
        self.add(&mut slot, &store.contents());
        self.update(owner.partition, Some(&Phase::Running(Arc::clone(store))));
        Ok(true)
    }

    /// Counts what a transaction changed.
    pub fn count(&self, owner: Owner, deltas: &Deltas, table: &Arc<DefinitionTable>) {
        if deltas.is_empty() {
            return;
        }
        let slot = self.slot(owner.partition);
        let mut slot = lock(&slot);
        if slot.epoch == owner.epoch {
            if !Arc::ptr_eq(&slot.table, table) {
                slot.table = Arc::clone(table);
            }
            self.add(&mut slot, deltas);
        }
    }

    /// The owner gives the partition up. Until a worker takes it, it has no owner and readers see nothing of it.
    pub fn release(&self, owner: Owner) {
        let slot = self.slot(owner.partition);
        let mut slot = lock(&slot);
        if slot.epoch == owner.epoch {
            slot.is_held = false;
            self.count_nothing(&mut slot);
            self.set_finished(owner.partition, false);
            observe::let_go(&self.metrics, owner.partition.0);
            self.update(owner.partition, None);
        }
    }

    /// Removes the mark of a partition that was revoked or lost.
    ///
    /// # Errors
    /// If the mark cannot be removed.
    pub fn unmark(&self, owner: Owner) -> Result<(), store::Error> {
        let slot = self.slot(owner.partition);
        let slot = lock(&slot);
        if slot.epoch == owner.epoch {
            self.directory.unmark_owned(owner.partition)?;
        }
        Ok(())
    }

    /// Writes the stores that are open and have no owner. An abort leaves them so, with committed state that is not on disk.
    ///
    /// # Errors
    /// If a store fails.
    pub fn flush_free(&self) -> Result<(), store::Error> {
        let slots: Vec<Arc<Mutex<Slot>>> = lock(&self.slots).values().cloned().collect();
        for slot in slots {
            let slot = lock(&slot);
            if let Some(store) = slot.store.as_ref().filter(|_| !slot.is_held) {
                store.flush(slot.epoch)?;
            }
        }
        Ok(())
    }

    /// Whether no worker is its owner.
    #[must_use]
    pub fn is_free(&self, partition: Partition) -> bool {
        let slot = self.slot(partition);
        let slot = lock(&slot);
        !slot.is_held
    }

    /// Whether no other worker has become the owner since.
    #[must_use]
    pub fn is_current(&self, owner: Owner) -> bool {
        let slot = self.slot(owner.partition);
        let slot = lock(&slot);
        slot.epoch == owner.epoch
    }

    /// Sets gauges of a partition. An owner that is not one any more sets nothing: its gauges would stay after the
    /// partition has gone.
    pub fn observe(&self, owner: Owner, set: impl FnOnce(&Metrics, u32)) {
        let slot = self.slot(owner.partition);
        let slot = lock(&slot);
        if slot.epoch == owner.epoch && slot.is_held {
            set(&self.metrics, owner.partition.0);
        }
    }

    /// Whether the owner has nothing left to do in a run with ends.
    pub fn finish(&self, owner: Owner, is_finished: bool) {
        let slot = self.slot(owner.partition);
        let slot = lock(&slot);
        if slot.epoch == owner.epoch {
            self.set_finished(owner.partition, is_finished);
        }
    }

    /// A committed checkpoint has this definition: partitions without one begin under it.
    pub fn agree(&self, definition: &Definition) {
        let mut agreed = lock(&self.agreed);
        if agreed.is_none() {
            if definition.partitioner() == Partitioner::Unchecked {
                observe::partitions_unchecked();
            }
            *agreed = Some(definition.clone());
        }
    }

    /// The definition under which partitions without a checkpoint begin; `None` while none is known.
    #[must_use]
    pub fn agreed(&self) -> Option<Definition> {
        lock(&self.agreed).clone()
    }

    /// Whether a partition of this process has nothing left to do.
    #[must_use]
    pub fn is_finished(&self, partition: Partition) -> bool {
        lock(&self.finished).contains(&partition)
    }

    /// What readers may see of a partition; `None` where it is not this process's.
    #[must_use]
    pub fn phase(&self, partition: Partition) -> Option<Phase> {
        self.visible.load().get(&partition).cloned()
    }

    /// Everything readers may see.
    #[must_use]
    pub fn visible(&self) -> Arc<BTreeMap<Partition, Phase>> {
        self.visible.load_full()
    }

    fn set_finished(&self, partition: Partition, is_finished: bool) {
        let mut finished = lock(&self.finished);
        if is_finished {
            finished.insert(partition);
        } else {
            finished.remove(&partition);
        }
    }

    fn add(&self, slot: &mut Slot, deltas: &Deltas) {
        for (group, customers) in &deltas.customers {
            *slot.counted.customers.entry(*group).or_default() += customers;
            self.move_gauge(&slot.table, group, *customers);
        }
        slot.counted.deadlines += deltas.deadlines;
        observe::deadlines_moved(&self.metrics, deltas.deadlines);
    }

    fn count_nothing(&self, slot: &mut Slot) {
        let counted = std::mem::take(&mut slot.counted);
        for (group, customers) in &counted.customers {
            self.move_gauge(&slot.table, group, -customers);
        }
        observe::deadlines_moved(&self.metrics, -counted.deadlines);
    }

    fn move_gauge(&self, table: &DefinitionTable, group: &Group, customers: i64) {
        // An entry is only written with a table that has its names.
        if let Some(segment) = table.segment(group.segment) {
            observe::customers_moved(&self.metrics, segment.as_str(), group.band, customers);
        }
    }

    fn update(&self, partition: Partition, phase: Option<&Phase>) {
        self.visible.rcu(|visible| {
            let mut next = BTreeMap::clone(visible);
            match phase {
                Some(phase) => next.insert(partition, phase.clone()),
                None => next.remove(&partition),
            };
            next
        });
    }

    fn slot(&self, partition: Partition) -> Arc<Mutex<Slot>> {
        Arc::clone(lock(&self.slots).entry(partition).or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
