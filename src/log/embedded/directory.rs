//! The directory of a log: what it is, who holds it, and what it was made from.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use uuid::Uuid;

use crate::log::Error;
use crate::log::embedded::errors::failed;
use crate::log::embedded::errors::unusable;
use crate::log::embedded::former;
use crate::log::embedded::identity::CHANGES;
use crate::log::embedded::identity::INPUT;
use crate::log::embedded::identity::Identity;
use crate::log::embedded::identity::STATE;
use crate::log::embedded::identity::read_identity;
use crate::log::embedded::identity::write_identity;
use crate::log::embedded::options::LogOptions;
use crate::log::embedded::segments::Writer;
use crate::log::embedded::segments::sync_directory;

const ROOT: &str = "segments";
/// A log that is being made, until it is whole.
const UNFINISHED: &str = "segments.new";
const LOCK: &str = "lock";

/// A log that this process dropped releases its lock a moment later; another process keeps it.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Where the files of a log are.
pub(super) fn root(path: &Path) -> PathBuf {
    path.join(ROOT)
}

/// Takes the lock of a log, and makes the log if it is not there.
pub(super) fn prepare(path: &Path, options: &LogOptions) -> Result<(File, Identity), Error> {
    std::fs::create_dir_all(path).map_err(|source| failed(path, source))?;
    let lock = lock(path)?;
    let parent = path.canonicalize().map_err(|source| failed(path, source))?;
    if let Some(parent) = parent.parent() {
        sync_directory(parent)?;
    }
    let root = root(path);
    if !root.try_exists().map_err(|source| failed(&root, source))? {
        let unfinished = path.join(UNFINISHED);
        if unfinished
            .try_exists()
            .map_err(|source| failed(&unfinished, source))?
        {
            std::fs::remove_dir_all(&unfinished).map_err(|source| failed(&unfinished, source))?;
        }
        if former::is_there(path)? {
            former::convert(path, &unfinished, options)?;
        } else {
            let identity = Identity {
                partitions: options.partitions,
                lineage: Uuid::new_v4().to_string(),
            };
            for name in [INPUT, CHANGES, STATE] {
                Writer::create(&unfinished.join(name), options.segment_bytes)?;
            }
            write_identity(&unfinished, &identity)?;
        }
        sync_directory(&unfinished)?;
        std::fs::rename(&unfinished, &root).map_err(|source| failed(&root, source))?;
        sync_directory(path)?;
    }
    former::retire(path)?;
    let identity = read_identity(&root)?;
    if identity.partitions != options.partitions {
        let problem = format!(
            "it has {} partitions, and embedded.partitions is {}: set it to {}",
            identity.partitions, options.partitions, identity.partitions
        );
        return Err(unusable(path, &problem));
    }
    Ok((lock, identity))
}

fn lock(path: &Path) -> Result<File, Error> {
    let name = path.join(LOCK);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options
        .open(&name)
        .map_err(|source| failed(&name, source))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::park_timeout(LOCK_RETRY);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(unusable(path, "another process holds it: stop it first"));
            }
            Err(TryLockError::Error(source)) => return Err(failed(&name, source)),
        }
    }
}
