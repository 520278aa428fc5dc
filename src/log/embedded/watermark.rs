//! How many batches of the log are durable, kept in a file of its own.
//!
//! A database that finds a damaged page goes back to the last state before it that is consistent,
//! without a message: the log would be whole but shorter. The watermark is written after each
//! batch's flush and before its acknowledgement, so a log behind it has lost what was acknowledged.
//! It is not flushed itself: after a power loss it may be behind the log, never ahead.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;

use crate::log::Error;
use crate::log::embedded::check::damaged;

const NAME: &str = "watermark";
/// The database's own file.
const DATABASE: &str = "db";
/// Counter and checksum: within one sector, so never half written.
const BYTES: usize = 12;

#[derive(Debug)]
pub(super) struct Watermark {
    file: File,
    path: String,
}

impl Watermark {
    /// Opens a log's watermark and reads it, or makes that of a new log. To be called before the
    /// database is opened: a database without one is not new.
    pub(super) fn open(directory: &Path, name: &str) -> Result<(Self, u64), Error> {
        let path = directory.join(NAME);
        let failed = |source| Error::Io {
            path: path.display().to_string(),
            source,
        };
        let is_new = !path.try_exists().map_err(failed)?;
        if is_new && directory.join(DATABASE).try_exists().map_err(failed)? {
            return Err(damaged(name, "its watermark is missing"));
        }
        std::fs::create_dir_all(directory).map_err(failed)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut watermark = Self {
            file: options.open(&path).map_err(failed)?,
            path: path.display().to_string(),
        };
        if is_new {
            watermark.advance(0)?;
            watermark.file.sync_all().map_err(failed)?;
            let parent = File::open(directory).map_err(failed)?;
            parent.sync_all().map_err(failed)?;
        }
        let mut bytes = Vec::with_capacity(BYTES);
        let mut file = &watermark.file;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.read_to_end(&mut bytes).map_err(failed)?;
        let batches = decode(&bytes).ok_or_else(|| damaged(name, "its watermark is damaged"))?;
        Ok((watermark, batches))
    }

    /// Says that this many batches are durable.
    pub(super) fn advance(&mut self, batches: u64) -> Result<(), Error> {
        let counter = batches.to_le_bytes();
        let mut bytes = counter.to_vec();
        bytes.extend_from_slice(&crc32fast::hash(&counter).to_le_bytes());
        let written = self.file.seek(SeekFrom::Start(0));
        let written = written.and_then(|_| self.file.write_all(&bytes));
        written.map_err(|source| Error::Io {
            path: self.path.clone(),
            source,
        })
    }
}

fn decode(bytes: &[u8]) -> Option<u64> {
    let (counter, checksum) = bytes.split_first_chunk::<8>()?;
    let is_whole = checksum == crc32fast::hash(counter).to_le_bytes();
    is_whole.then(|| u64::from_le_bytes(*counter))
}
