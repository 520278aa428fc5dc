//! The stores of this process, and what readers on other threads may see of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use arc_swap::ArcSwap;

use crate::domain::ids::Partition;
use crate::faults::Faults;
use crate::store;
use crate::store::directory::StoreDirectory;
use crate::store::partition::PartitionStore;
use crate::store::partition::Sizes;
use crate::store::verification::Expected;
use crate::store::verification::WipeReason;

/// What a reader may see of a partition.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Its state is being read back; nothing may be answered from it yet.
    Restoring,
    /// Its committed state.
    Running(Arc<PartitionStore>),
}

/// The partitions of this process. Stores stay open when a partition goes from one worker to
/// another, because sled's lock outlives a handle.
#[derive(Debug)]
pub struct Partitions {
    directory: StoreDirectory,
    sizes: Sizes,
    faults: Faults,
    open: Mutex<BTreeMap<Partition, Arc<PartitionStore>>>,
    visible: ArcSwap<BTreeMap<Partition, Phase>>,
}

impl Partitions {
    /// No partition yet.
    #[must_use]
    pub fn new(directory: StoreDirectory, sizes: Sizes, faults: Faults) -> Self {
        Self {
            directory,
            sizes,
            faults,
            open: Mutex::new(BTreeMap::new()),
            visible: ArcSwap::default(),
        }
    }

    /// The directory of the stores.
    #[must_use]
    pub fn directory(&self) -> &StoreDirectory {
        &self.directory
    }

    /// Opens the store of a partition, or takes the handle this process already has.
    ///
    /// # Errors
    /// If the store cannot be opened even when it is empty.
    pub fn open(
        &self,
        partition: Partition,
        expected: &Expected,
    ) -> Result<(Arc<PartitionStore>, Option<WipeReason>), store::Error> {
        let mut open = self.lock();
        if let Some(store) = open.get(&partition)
            && store.lineage() == expected.lineage
            && (expected.changelog_start..=expected.changelog_end).contains(&store.changelog_next())
            && store.changelog_reach() <= expected.changelog_end
            && store.caught_up_at() >= expected.current_since
        {
            return Ok((Arc::clone(store), None));
        }
        open.remove(&partition);
        let (store, wiped) = PartitionStore::open(
            &self.directory,
            partition,
            expected,
            self.sizes,
            self.faults.clone(),
        )?;
        let store = Arc::new(store);
        open.insert(partition, Arc::clone(&store));
        Ok((store, wiped))
    }

    /// Readers are told to wait.
    pub fn show_restoring(&self, partition: Partition) {
        self.update(partition, Some(&Phase::Restoring));
    }

    /// Readers see the committed state.
    pub fn show_running(&self, partition: Partition, store: &Arc<PartitionStore>) {
        self.update(partition, Some(&Phase::Running(Arc::clone(store))));
    }

    /// The partition is not ours any more.
    pub fn hide(&self, partition: Partition) {
        self.update(partition, None);
    }

    /// What readers may see of a partition; `None` where it is not ours.
    #[must_use]
    pub fn phase(&self, partition: Partition) -> Option<Phase> {
        self.visible.load().get(&partition).cloned()
    }

    /// Everything readers may see.
    #[must_use]
    pub fn visible(&self) -> Arc<BTreeMap<Partition, Phase>> {
        self.visible.load_full()
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

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Partition, Arc<PartitionStore>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
