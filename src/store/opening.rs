//! Opening a partition's store: all of it is verified, and a store that cannot be trusted is made anew.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::RwLock;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::faults::Faults;
use crate::store::Error;
use crate::store::directory::StoreDirectory;
use crate::store::memory::Memory;
use crate::store::partition::PartitionStore;
use crate::store::partition::Sizes;
use crate::store::verification::Expected;
use crate::store::verification::WipeReason;
use crate::store::verification::verify;

/// A database that this process has dropped releases its lock a moment later.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_RETRY: Duration = Duration::from_millis(20);

impl PartitionStore {
    /// Opens a partition's store and verifies all of it; on any doubt it is wiped and comes back
    /// empty, with the reason. A lock that is held is waited for.
    ///
    /// # Errors
    /// If the directory cannot be written, stays locked, or was wiped too often.
    pub fn open(
        directory: &StoreDirectory,
        partition: Partition,
        expected: &Expected,
        sizes: Sizes,
        faults: Faults,
    ) -> Result<(Self, Option<WipeReason>), Error> {
        let path = directory.partition_path(partition);
        match Self::open_verified(&path, Some(expected), sizes, faults.clone())? {
            Ok(store) => Ok((store, None)),
            Err(reason) => {
                directory.wipe(partition)?;
                match Self::open_verified(&path, Some(expected), sizes, faults)? {
                    Ok(store) => Ok((store, Some(reason))),
                    Err(_) => Err(Error::WipedTooOften { path, wipes: 2 }),
                }
            }
        }
    }

    /// Opens a partition's store as an instance left it, without a log to compare it with.
    ///
    /// # Errors
    /// If it is held, or cannot be trusted: then it is left as it is.
    pub fn open_as_left(
        directory: &StoreDirectory,
        partition: Partition,
        sizes: Sizes,
    ) -> Result<Self, Error> {
        let path = directory.partition_path(partition);
        let opened = Self::open_verified(&path, None, sizes, Faults::none())?;
        let trusted = opened.and_then(|store| {
            let is_whole = store.changelog_reach() <= store.changelog_next();
            if !is_whole {
                return Err(WipeReason::Unfinished);
            }
            let is_complete = store.read().incomplete.is_empty();
            is_complete.then_some(store).ok_or(WipeReason::Incomplete)
        });
        trusted.map_err(|reason| Error::Untrusted { path, reason })
    }

    fn open_verified(
        path: &PathBuf,
        expected: Option<&Expected>,
        sizes: Sizes,
        faults: Faults,
    ) -> Result<Result<Self, WipeReason>, Error> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        let database = loop {
            let config = sled::Config::new()
                .path(path)
                .mode(sled::Mode::HighThroughput)
                .cache_capacity(sizes.cache_bytes)
                .flush_every_ms(None);
            match catch_unwind(AssertUnwindSafe(|| config.open())) {
                Ok(Ok(database)) => break database,
                Ok(Err(error)) if error.to_string().contains("could not acquire lock") => {
                    if Instant::now() > deadline {
                        return Err(Error::Held { path: path.clone() });
                    }
                    std::thread::park_timeout(LOCK_RETRY);
                }
                Ok(Err(_)) | Err(_) => return Ok(Err(WipeReason::OpenFailed)),
            }
        };
        let verified = catch_unwind(AssertUnwindSafe(|| verify(&database, expected)));
        let verified = match verified {
            Ok(Ok(verified)) => verified,
            Ok(Err(reason)) => return Ok(Err(reason)),
            Err(_) => return Ok(Err(WipeReason::OpenFailed)),
        };
        let memory = Memory {
            table: Arc::new(verified.stored.table.clone()),
            position: verified.stored.clone(),
            stored: verified.stored,
            pages: verified.keys,
            deadlines: verified.deadlines,
            incomplete: verified.incomplete,
            ..Memory::default()
        };
        Ok(Ok(Self {
            path: path.clone(),
            database,
            page_bytes: sizes.page_bytes,
            memory: RwLock::new(memory),
            flushing: Mutex::new(()),
            faults,
        }))
    }
}
