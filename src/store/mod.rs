//! The state of the owned partitions, written behind the commit. It is a cache that can be rebuilt: everything in it
//! is in the log too. It may lag the log and is never ahead of it. On any doubt a partition's directory is removed
//! and restored in full.
//!
//! The order has no exception: the transaction is committed; then [`partition::PartitionStore::apply`] makes it
//! visible in memory; many transactions later it reaches the disk in sorted batches, the last of them together
//! with the place in the changelog that it belongs to.

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
pub mod records;
pub mod sled_pages;
mod stored;
pub mod tree;
mod tree_writing;
pub mod verification;
pub mod wipe_reason;
mod writing;

use std::path::PathBuf;

use crate::codec::CodecError;
use crate::faults::Fault;

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
    /// A record that was verified when the store was opened cannot be read any more.
    #[error("a record in {path} cannot be read: {source}")]
    Record {
        /// Path of the store.
        path: PathBuf,
        /// The cause.
        source: CodecError,
    },
    /// Another process holds the directory.
    #[error("{path} is held by another process: stop it, or choose another store.directory")]
    Held {
        /// Path of the store.
        path: PathBuf,
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
