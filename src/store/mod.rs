//! The state of the owned partitions, written behind the commit. It is a cache that can be rebuilt: everything in it
//! is in the log too. It may lag the log and is never ahead of it. On any doubt a partition's directory is removed
//! and restored in full.
//!
//! The order has no exception: the transaction is committed; then [`partition::PartitionStore::apply`] makes it
//! visible in memory; many transactions later it reaches the disk in sorted batches, the last of them together
//! with the place in the changelog that it belongs to.

mod contents;
mod counting;
pub mod database;
mod deadlines;
pub mod directory;
mod dirty;
mod distrust;
mod due;
pub mod exchange;
mod flush;
pub mod found;
pub mod memory;
mod opening;
pub mod owner;
pub mod pages;
pub mod partition;
pub mod reading;
pub mod records;
pub mod sled_pages;
mod stored;
pub mod tree;
mod tree_writing;
pub mod verification;
pub mod wipe_reason;
mod writing;

use std::path::Path;
use std::path::PathBuf;

use crate::codec::CodecError;
use crate::disk;
use crate::faults::Fault;

impl Error {
    /// A file operation failed.
    fn of_file(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        if disk::is_full(&source) {
            let source = source.into();
            Self::Full { path, source }
        } else {
            Self::Io { path, source }
        }
    }

    /// The database failed.
    fn of_database(path: PathBuf, source: exchange::DatabaseError) -> Self {
        if source.is_full() {
            Self::Full { path, source }
        } else {
            Self::Database { path, source }
        }
    }
}

/// Why a call of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation failed.
    #[error("cannot access {path}")]
    Io {
        /// What was accessed.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The database failed after it was opened.
    #[error("the database of {path} failed")]
    Database {
        /// Path of the store.
        path: PathBuf,
        /// The cause.
        source: exchange::DatabaseError,
    },
    /// There is no room for the store.
    #[error(
        "the disk of {path} is full. The store is not damaged, and everything in it is in the log: make room, then start again"
    )]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// The cause.
        source: exchange::DatabaseError,
    },
    /// A record that was verified when the store was opened cannot be read any more.
    #[error("a record in {path} cannot be read: {source}")]
    Record {
        /// Path of the store.
        path: PathBuf,
        /// The cause.
        source: CodecError,
    },
    /// Another process holds the directory.
    #[error("{path} is held by another process: stop it first")]
    Held {
        /// Path of the store.
        path: PathBuf,
    },
    /// Something else than a store.
    #[error(
        "{path} is not a store: {found}. Nothing was changed: set store.directory to an empty directory, or to that of \
         a store"
    )]
    NotAStore {
        /// What was to be the store.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// The store of another log.
    #[error(
        "the store at {path} was made from another log. Nothing was changed: set store.directory and the log (embedded.directory, \
         or kafka.brokers and topics.state) to two that belong together, or store.directory to an empty directory"
    )]
    OtherLog {
        /// Path of the store.
        path: PathBuf,
    },
    /// A store whose log is not there.
    #[error(
        "there is no log at {log}, and the store at {store} holds state that was made from one. Nothing was changed: set \
         embedded.directory and store.directory to a log and its store; to begin anew beside them, set both to empty directories"
    )]
    WithoutLog {
        /// Path of the store.
        store: PathBuf,
        /// Where the log is not.
        log: PathBuf,
    },
    /// A store that a service would remove and restore from the log.
    #[error(
        "{path} cannot be trusted ({}): start the service, which restores it from the log",
        reason.as_str()
    )]
    Untrusted {
        /// Path of the store.
        path: PathBuf,
        /// Why.
        reason: wipe_reason::WipeReason,
    },
    /// The disk damages what is written to it.
    #[error(
        "{path} was removed {wipes} times within an hour because it was damaged: check the disk"
    )]
    WipedTooOften {
        /// Path of the store.
        path: PathBuf,
        /// How often.
        wipes: usize,
    },
    /// A test injected a fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}
