//! A store that is restored from nothing: nothing is counted while the changelog is read, and everything once it ends.
//!
//! Of most customers a changelog has several records, so counting each of them, and keeping its deadline in the index,
//! would cost more than reading the entries once at the end.

use std::sync::PoisonError;

use crate::store::Error;
use crate::store::memory::Memory;
use crate::store::opening::not_opened;
use crate::store::owner::OwnerEpoch;
use crate::store::partition::PartitionStore;
use crate::store::verification::verify;

impl PartitionStore {
    /// Nothing is counted from now on, if the store is empty; no reader may see it until [`Self::count`].
    pub fn leave_uncounted(&self, owner: OwnerEpoch) {
        let mut memory = self.write();
        if memory.owner == owner && memory.is_empty() {
            memory.is_uncounted = true;
        }
    }

    /// Writes everything and counts it, if it is not counted. `false` where another owner has come since.
    ///
    /// # Errors
    /// If the database fails, or does not hold what was written to it.
    pub fn count(&self, owner: OwnerEpoch) -> Result<bool, Error> {
        if !self.read().is_uncounted {
            return Ok(true);
        }
        self.flush(owner)?;
        // A worker that lost the partition may still be here when the next one comes, and must not read what that writes.
        let _alone = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.read().owner != owner {
            return Ok(false);
        }
        let verified = verify(&self.database, None).map_err(|error| {
            not_opened(&self.path, error).map_or_else(
                |error| error,
                |reason| {
                    self.distrust();
                    let path = self.path.clone();
                    Error::Untrusted { path, reason }
                },
            )
        })?;
        let memory = &mut *self.write();
        if memory.owner != owner {
            return Ok(false);
        }
        for counted in [&mut memory.position, &mut memory.stored] {
            counted.customers.clone_from(&verified.stored.customers);
            counted.deadlines = verified.stored.deadlines;
        }
        memory.pages = verified.keys;
        self.database.forget_written();
        memory.deadlines = verified.deadlines;
        memory.incomplete = verified.incomplete;
        memory.is_uncounted = false;
        Ok(true)
    }
}

impl Memory {
    fn is_empty(&self) -> bool {
        let position = &self.position;
        self.dirty.is_empty()
            && self.flush.is_none()
            && position.changelog_next == 0
            && self.pages.is_empty()
    }
}
