//! Writing the records of a store to disk, behind the commits and chunk by chunk.

use std::sync::PoisonError;

use crate::faults::FaultPoint;
use crate::store::Error;
use crate::store::exchange::PageUpdate;
use crate::store::flush::Flush;
use crate::store::owner::OwnerEpoch;
use crate::store::partition::PartitionStore;

/// Pages in a batch where no delivery waits meanwhile: a batch is built in memory.
const BATCH_PAGES: usize = 512;

impl PartitionStore {
    /// Writes all records and syncs. When it returns, a restart reads the changelog from the last
    /// transaction applied.
    ///
    /// # Errors
    /// If the database fails; what was not written is kept in memory.
    pub fn flush(&self, owner: OwnerEpoch) -> Result<(), Error> {
        // What a flush under way has not taken over is a second one's.
        while self.read().flush.is_some() && !self.flush_chunk(owner, BATCH_PAGES)? {}
        while !self.flush_chunk(owner, BATCH_PAGES)? {}
        Ok(())
    }

    /// Begins a flush, or goes on with the one under way, by about `page_limit` pages; `true` when it
    /// is done, or another owner's. Each chunk is one batch with the digest of all that is on disk then, but only the last
    /// moves the place in the changelog: after a crash between two chunks the restart reads again what
    /// some records already have.
    ///
    /// # Errors
    /// If the database fails; what was not written is kept in memory.
    pub fn flush_chunk(&self, owner: OwnerEpoch, page_limit: usize) -> Result<bool, Error> {
        // A worker that lost the partition may still be here when the next one comes.
        let _alone = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.begin_flush(owner) {
            return Ok(true);
        }
        let chunk = {
            let memory = self.read();
            let Some(flush) = &memory.flush else {
                return Ok(true);
            };
            let into = (&self.database, &memory.pages);
            flush.chunk(into, &memory.stored, page_limit)
        };
        let mut chunk = chunk.map_err(|error| self.build_error(error))?;
        let keys_of = |pages: &[PageUpdate]| -> Vec<Vec<u8>> {
            pages.iter().map(|page| page.key.clone()).collect()
        };
        self.write().pages.extend(keys_of(&chunk.pages).into_iter());
        self.faults.cross(FaultPoint::StoreBefore)?;
        let batch = std::mem::take(&mut chunk.batch);
        let written = self.database.write(batch);
        written.map_err(|source| self.database_error(source))?;
        let divided = self.database.divide(&self.read().pages);
        let divided = divided.map_err(|error| self.build_error(error))?;
        if !divided.is_empty() {
            self.write().pages.extend(keys_of(&divided).into_iter());
            chunk.pages.extend(divided);
        }
        if chunk.is_last {
            self.faults.cross(FaultPoint::StoreBeforeFlush)?;
            self.database
                .sync()
                .map_err(|source| self.database_error(source))?;
            self.faults.cross(FaultPoint::StoreAfterFlush)?;
        }
        let is_last = chunk.is_last;
        // Freed when readers can go on.
        let written = self.write().written(chunk);
        drop(written);
        let merged = self.database.merge();
        merged.map_err(|source| self.database_error(source))?;
        Ok(is_last)
    }

    /// Removes everything, so that the changelog is read from its start. `false` where another owner has come since:
    /// then it stays as it is.
    ///
    /// # Errors
    /// If the database fails.
    pub fn clear(&self, owner: OwnerEpoch) -> Result<bool, Error> {
        let _alone = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = self.write();
        if memory.owner != owner {
            return Ok(false);
        }
        memory.clear();
        let cleared = self.database.clear();
        cleared.map_err(|source| self.database_error(source))?;
        Ok(true)
    }

    /// `false` where there is nothing to write, or another owner has come.
    fn begin_flush(&self, owner: OwnerEpoch) -> bool {
        let mut memory = self.write();
        if memory.owner != owner {
            return false;
        }
        if memory.flush.is_some() {
            return true;
        }
        if memory.dirty.is_empty() && memory.position == memory.stored {
            return false;
        }
        let records = std::mem::take(&mut memory.dirty);
        let bytes = std::mem::take(&mut memory.dirty_bytes);
        memory.flush = Some(Flush::new(records, bytes, memory.position.clone()));
        true
    }
}
