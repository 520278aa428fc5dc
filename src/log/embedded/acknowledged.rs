//! How many batches of a segment log are durable, kept in a file of its own.
//!
//! A file that was cut at its end looks whole, only shorter. This number is written after each batch is synced and before
//! it is acknowledged, so a log behind it has lost what was acknowledged. It is not synced itself: after a power loss it
//! may be behind the log, never ahead.

use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

use crate::log::Error;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::failed;
use crate::log::embedded::options::Access;

const NAME: &str = "acknowledged";

#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
    path: PathBuf,
}

impl Acknowledged {
    /// Makes the file of a new log.
    pub(super) fn create(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(NAME);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path);
        let file = file.map_err(|source| failed(&path, source))?;
        let acknowledged = Self { file, path };
        acknowledged.advance(0)?;
        let synced = acknowledged.file.sync_all();
        synced.map_err(|source| failed(&acknowledged.path, source))?;
        Ok(acknowledged)
    }

    /// Opens the file and reads it.
    pub(super) fn open(directory: &Path, access: Access) -> Result<(Self, u64), Error> {
        let path = directory.join(NAME);
        let file = match access.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(damaged(&path, "it is missing"));
            }
            opened => opened.map_err(|source| failed(&path, source))?,
        };
        let bytes = std::fs::read(&path).map_err(|source| failed(&path, source))?;
        let number = read_number(&bytes).ok_or_else(|| damaged(&path, "it is damaged"))?;
        Ok((Self { file, path }, number))
    }

    /// Says that this many batches are durable.
    pub(super) fn advance(&self, number: u64) -> Result<(), Error> {
        let written = self.file.write_all_at(&number_bytes(number), 0);
        written.map_err(|source| failed(&self.path, source))
    }
}

/// A number and its checksum: within one sector, so never half written.
pub(super) fn number_bytes(number: u64) -> Vec<u8> {
    let number = number.to_le_bytes();
    let mut bytes = number.to_vec();
    bytes.extend(crc32fast::hash(&number).to_le_bytes());
    bytes
}

/// Reads what [`number_bytes`] gave; `None` where it is damaged.
pub(super) fn read_number(bytes: &[u8]) -> Option<u64> {
    let (number, checksum) = bytes.split_first_chunk::<8>()?;
    let is_whole = checksum == crc32fast::hash(number).to_le_bytes();
    is_whole.then(|| u64::from_le_bytes(*number))
}
