//! Opening a partition's store: all of it is verified, and a store that cannot be trusted is made anew.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::RwLock;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::Partition;
use crate::faults::Faults;
use crate::store::Error;
use crate::store::contents;
use crate::store::database::Database;
use crate::store::database::Options;
use crate::store::directory::StoreDirectory;
use crate::store::exchange::OpenError;
use crate::store::memory::Memory;
use crate::store::partition::PartitionStore;
use crate::store::verification::Expected;
use crate::store::verification::verify;
use crate::store::wipe_reason::WipeReason;

/// A database that this process has dropped releases its lock a moment later.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_RETRY: Duration = Duration::from_millis(20);

impl PartitionStore {
    /// Opens a partition's store and verifies all of it; on any doubt it is wiped and comes back
    /// empty, with the reason. A lock that is held is waited for.
    ///
    /// # Errors
    /// If something else than a store is there, or the store of another log: then it is left as it is. If the directory
    /// cannot be written, stays locked, or was wiped too often.
    pub fn open(
        directory: &StoreDirectory,
        partition: Partition,
        expected: &Expected,
        options: &Options,
        faults: Faults,
    ) -> Result<(Self, Option<WipeReason>), Error> {
        let path = directory.partition_path(partition);
        contents::check_partition(&path)?;
        match Self::open_verified(&path, Some(expected), options, faults.clone())? {
            Ok(store) => Ok((store, None)),
            Err(reason) => {
                if reason == WipeReason::Format {
                    // Nothing is removed that may be of another log.
                    let left = match wait_for(|| Database::left_by_the_other(&path, options)) {
                        Ok(left) => left,
                        Err(error) => not_opened(&path, error).map(|_| None)?,
                    };
                    if left.is_some_and(|left| expected.is_of_another_log(&left)) {
                        return Err(Error::OtherLog { path });
                    }
                }
                directory.wipe(partition)?;
                match Self::open_verified(&path, Some(expected), options, faults)? {
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
        options: &Options,
    ) -> Result<Self, Error> {
        let path = directory.partition_path(partition);
        if !path.is_dir() {
            let reason = WipeReason::Incomplete;
            return Err(Error::Untrusted { path, reason });
        }
        let opened = Self::open_verified(&path, None, options, Faults::none())?;
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
        path: &Path,
        expected: Option<&Expected>,
        options: &Options,
        faults: Faults,
    ) -> Result<Result<Self, WipeReason>, Error> {
        let database = match wait_for(|| Database::open(path, options)) {
            Ok(database) => database,
            Err(error) => return not_opened(path, error).map(Err),
        };
        let verified = catch_unwind(AssertUnwindSafe(|| verify(&database, expected)));
        let verified = match verified {
            Ok(Ok(verified)) => verified,
            Ok(Err(error)) => return not_opened(path, error).map(Err),
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
            path: path.to_owned(),
            database,
            memory: RwLock::new(memory),
            flushing: Mutex::new(()),
            faults,
        }))
    }
}

/// Opens a database, for which it waits while it is held.
fn wait_for<T>(mut open: impl FnMut() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match open() {
            Err(OpenError::Held) if Instant::now() <= deadline => {
                std::thread::park_timeout(LOCK_RETRY);
            }
            opened => return opened,
        }
    }
}

/// What follows from a database that is not opened: it is made anew, or nothing is done.
pub(super) fn not_opened(path: &Path, error: OpenError) -> Result<WipeReason, Error> {
    let path = path.to_owned();
    match error {
        OpenError::Unusable(reason) => Ok(reason),
        OpenError::Held => Err(Error::Held { path }),
        OpenError::OtherLog => Err(Error::OtherLog { path }),
        OpenError::Failed(source) => Err(Error::of_database(path, source)),
    }
}
