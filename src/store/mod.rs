//! The state of the owned partitions, written behind the commit. A rebuildable cache: everything
//! in it is in the log too, it may lag the log and is never ahead of it, and on any doubt a
//! partition's directory is wiped and restored in full.
//!
//! Order, without exception: the transaction is committed, then [`partition::PartitionStore::apply`]
//! makes it visible in memory, then, many transactions later, all of it reaches the disk in sorted
//! batches, the last of them together with the position in the changelog it belongs to.

mod deadlines;
pub mod directory;
mod due;
mod flush;
pub mod memory;
mod opening;
pub mod owner;
pub mod pages;
pub mod partition;
pub mod records;
pub mod verification;
mod writing;

use std::path::PathBuf;

use crate::codec::CodecError;
use crate::faults::Fault;

/// Why the store did not do what was asked.
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
        /// Which.
        path: PathBuf,
        /// The cause.
        source: sled::Error,
    },
    /// A record that was verified when the store was opened cannot be read any more.
    #[error("a record in {path} cannot be read: {source}")]
    Record {
        /// Which store.
        path: PathBuf,
        /// The cause.
        source: CodecError,
    },
    /// Another process holds the directory.
    #[error("{path} is held by another process: stop it, or choose another store.directory")]
    Held {
        /// Which.
        path: PathBuf,
    },
    /// A store that a service would throw away and make again from the log.
    #[error(
        "{path} cannot be trusted ({}): start the service, which makes it again from the log",
        reason.as_str()
    )]
    Untrusted {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: verification::WipeReason,
    },
    /// The disk damages what is written to it.
    #[error("{path} was wiped {wipes} times within an hour: check the disk")]
    WipedTooOften {
        /// Which.
        path: PathBuf,
        /// How often.
        wipes: usize,
    },
    /// A test cut here.
    #[error(transparent)]
    Fault(#[from] Fault),
}
