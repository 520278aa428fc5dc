//! What both databases read and write: entries, pages of them, and batches.

use twox_hash::XxHash3_64;

use crate::codec;
use crate::codec::CodecError;
use crate::disk;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::store::pages;
use crate::store::pages::Page;
use crate::store::stored::Stored;
use crate::store::wipe_reason::WipeReason;

/// In the directory of a store that was found damaged after it was verified.
pub(super) const DISTRUSTED_FILE: &str = "distrusted";
/// The key of the store's own checkpoint; pages of customers have the other prefix.
pub(super) const CHECKPOINT_KEY: &[u8] = b"s";

/// Why a database failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// sled failed.
    #[error(transparent)]
    Sled(#[from] sled::Error),
    /// The merge tree failed.
    #[error(transparent)]
    Tree(#[from] lsm_tree::Error),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl DatabaseError {
    /// There is no room on the disk.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Sled(sled::Error::Io(error))
            | Self::Tree(lsm_tree::Error::Io(error))
            | Self::Io(error) => disk::is_full(error),
            Self::Sled(_) | Self::Tree(_) => false,
        }
    }

    /// What is on disk may not be what was written. Where the system only refuses files, memory, space or
    /// rights, it still is.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Sled(sled::Error::Io(error))
            | Self::Tree(lsm_tree::Error::Io(error))
            | Self::Io(error) => !disk::is_refused(error),
            Self::Sled(_) | Self::Tree(_) => true,
        }
    }
}

/// Why there is no chunk.
pub(super) enum BuildError {
    Database(DatabaseError),
    Content(CodecError),
}

impl From<sled::Error> for BuildError {
    fn from(error: sled::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<DatabaseError> for BuildError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

/// Why a database was not opened.
pub(super) enum OpenError {
    /// Another process, or a handle of this one, holds it.
    Held,
    /// It must be made anew.
    Unusable(WipeReason),
    /// It was made from another log than the one that is open.
    OtherLog,
    /// It cannot be opened now.
    Failed(DatabaseError),
}

impl OpenError {
    pub(super) fn of(error: DatabaseError) -> Self {
        if error.is_damage() {
            Self::Unusable(WipeReason::OpenFailed)
        } else {
            Self::Failed(error)
        }
    }
}

/// Bytes on disk that may hold a customer's entry.
#[derive(Debug)]
pub(super) enum StoredBytes {
    Page(sled::IVec),
    Entry(lsm_tree::UserValue),
}

impl StoredBytes {
    /// The entry of a customer.
    pub(super) fn find(&self, customer_id: &str) -> Result<Option<Stored<'_>>, CodecError> {
        match self {
            Self::Page(page) => Page::new(page)?.find(customer_id),
            Self::Entry(value) => stored(value).map(Some),
        }
    }
}

/// The entry in a value of the merge tree.
pub(super) fn stored(value: &[u8]) -> Result<Stored<'_>, CodecError> {
    match value.split_first() {
        Some((&codec::FORMAT, entry)) => Stored::read(entry),
        Some((found, _)) => Err(CodecError::Format { found: *found }),
        None => Err(CodecError::Content),
    }
}

/// The entries of a page.
pub(super) enum PageBytes {
    Page(sled::IVec),
    Entries(Vec<lsm_tree::KvPair>),
}

/// A customer's id, and what is on disk of the entry.
pub(super) type StoredEntry<'a> = Result<(&'a str, Stored<'a>), CodecError>;

impl PageBytes {
    /// Its entries, ascending by the bytes of the customer id.
    pub(super) fn entries(
        &self,
    ) -> Result<Box<dyn Iterator<Item = StoredEntry<'_>> + '_>, CodecError> {
        match self {
            Self::Page(page) => Ok(Box::new(Page::new(page)?)),
            Self::Entries(entries) => {
                Ok(Box::new(entries.iter().map(|(key, value)| {
                    Ok((pages::customer_of(key)?, stored(value)?))
                })))
            }
        }
    }

    /// Its part in the digest of all.
    pub(super) fn digest(&self, key: &[u8]) -> u64 {
        match self {
            Self::Page(page) => digest(key, page),
            Self::Entries(_) => 0,
        }
    }
}

/// What a scan of a database meets.
pub(super) enum Scanned {
    Checkpoint(Vec<u8>),
    Page {
        key: Vec<u8>,
        bytes: PageBytes,
    },
    /// A key that no store has.
    Unknown,
}

pub(super) type Scan<'a> = Box<dyn Iterator<Item = Result<Scanned, DatabaseError>> + 'a>;

/// The change of a page's row in the deadline index.
#[derive(Debug)]
pub(super) enum PageDeadline {
    /// The earliest deadline of all its entries.
    Exact(Option<Timestamp>),
    /// Entries with this earliest deadline have come; nothing is said of the others.
    AlsoAt(Option<Timestamp>),
}

/// A page that was written.
#[derive(Debug)]
pub(super) struct PageUpdate {
    pub(super) key: Vec<u8>,
    pub(super) deadline: PageDeadline,
}

/// What is written at once, before it has its checkpoint.
#[derive(Default)]
pub(super) struct Built {
    pub(super) batch: Batch,
    /// Records taken, in their order.
    pub(super) taken: usize,
    /// Entries that were not there before, less those that are not there any more; 0 where the database does not say.
    pub(super) added: i64,
    /// The change of the digest, wrapping.
    pub(super) digest: u64,
    pub(super) pages: Vec<PageUpdate>,
    /// Those of whose entries a part is missing.
    pub(super) incomplete: Vec<CustomerId>,
}

/// Keys ascending, with their new values; `None`: deleted.
#[derive(Default)]
pub(super) struct Batch(pub(super) Vec<(Vec<u8>, Option<Vec<u8>>)>);

/// A number that changes with what is under a key.
pub(super) fn digest(key: &[u8], bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(key), bytes)
}
