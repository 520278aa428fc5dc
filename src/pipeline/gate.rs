//! Where one process has all partitions, nothing of them is taken or written before the state of each is open and fits to
//! the settings. So a process that is refused has changed nothing.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::domain::ids::Partition;

/// Closed while there are partitions whose state is not open yet.
#[derive(Debug, Default)]
pub struct Gate {
    left: Mutex<BTreeSet<Partition>>,
}

impl Gate {
    /// It waits for the state of so many partitions.
    pub fn close(&self, partitions: u32) {
        self.left().extend((0..partitions).map(Partition));
    }

    /// The state of a partition is open and fits.
    pub fn opened(&self, partition: Partition) {
        self.left().remove(&partition);
    }

    /// It waits for no partition.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.left().is_empty()
    }

    fn left(&self) -> MutexGuard<'_, BTreeSet<Partition>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
