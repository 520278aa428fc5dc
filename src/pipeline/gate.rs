//! Where one process has all partitions, nothing is taken or written to the log before the state of each is open and fits to
//! the settings. So a process that is refused has changed nothing there.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::domain::ids::Partition;

/// Closed while there are partitions whose state is not open yet.
#[derive(Debug, Default)]
pub struct Gate {
    left: Mutex<BTreeSet<Partition>>,
    is_used: AtomicBool,
}

impl Gate {
    /// It waits for the state of so many partitions.
    pub fn close(&self, partitions: u32) {
        self.left().extend((0..partitions).map(Partition));
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// It was closed, as this process has all partitions.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
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
