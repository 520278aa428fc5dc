//! The directory of a log: what it is, who holds it, and what it was made from.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use uuid::Uuid;

use crate::disk;
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

/// What a log that is being made may have in its directory, besides what the former kind has.
const EMPTY_NAMES: [&str; 3] = [LOCK, UNFINISHED, "lost+found"];
/// So many names are enough to recognise a directory.
const NAMES_SHOWN: usize = 3;

/// What is at a place where a log is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// Nothing, or what a process that was making a log has left.
    Nothing,
    /// A log.
    Log,
    /// A log of the former kind.
    Former,
}

impl Contents {
    /// Looks without writing anything.
    ///
    /// # Errors
    /// If something else is there.
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let names = match names_in(path) {
            Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(source) if source.kind() == ErrorKind::NotADirectory => {
                return Err(not_a_log(path, "it is a file"));
            }
            names => names.map_err(|source| failed(path, source))?,
        };
        if names.iter().any(|name| name == ROOT) {
            return Ok(Self::Log);
        }
        if former::is_there(path)? {
            return Ok(Self::Former);
        }
        let is_strange =
            |name: &&String| !EMPTY_NAMES.contains(&name.as_str()) && !former::is_a_name(name);
        let strange: Vec<&str> = names
            .iter()
            .filter(is_strange)
            .map(String::as_str)
            .collect();
        if strange.is_empty() {
            return Ok(Self::Nothing);
        }
        let shown = strange.get(..NAMES_SHOWN).unwrap_or(&strange).join(", ");
        let more = strange.len().saturating_sub(NAMES_SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        Err(not_a_log(path, &format!("it holds {shown}{more}")))
    }
}

fn names_in(path: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn not_a_log(path: &Path, found: &str) -> Error {
    let problem = format!(
        "it is no log: {found}. Nothing was changed: set embedded.directory to an empty directory, or to that of a log"
    );
    unusable(path, &problem)
}

/// Where the files of a log are.
pub(super) fn root(path: &Path) -> PathBuf {
    path.join(ROOT)
}

/// Takes the lock of a log, and makes the log if it is not there. Where something else is there, nothing is written.
pub(super) fn prepare(path: &Path, options: &LogOptions) -> Result<(File, Identity), Error> {
    Contents::of(path)?;
    disk::create_directory(path).map_err(|source| failed(path, source))?;
    let lock = lock(path)?;
    let parent = path.canonicalize().map_err(|source| failed(path, source))?;
    if let Some(parent) = parent.parent() {
        sync_directory(parent)?;
    }
    let root = root(path);
    if !root.try_exists().map_err(|source| failed(&root, source))? {
        let unfinished = path.join(UNFINISHED);
        remove_unfinished(&unfinished)?;
        let made = make(path, &unfinished, options);
        if made.is_err() {
            // It may have taken the room that is missing. What has failed is reported.
            let _removed = remove_unfinished(&unfinished);
        }
        made?;
        std::fs::rename(&unfinished, &root).map_err(|source| failed(&root, source))?;
        sync_directory(path)?;
    }
    disk::close_to_others(&root).map_err(|source| failed(&root, source))?;
    former::retire(path)?;
    let identity = read_identity(&root)?;
    identity.check(path, options)?;
    Ok((lock, identity))
}

/// Takes the lock of a log that is there, beside others who read. Nothing is written.
pub(super) fn prepare_to_read(
    path: &Path,
    options: &LogOptions,
) -> Result<(Option<File>, Identity), Error> {
    let name = path.join(LOCK);
    let lock = match File::open(&name) {
        // A copy of a log may lack it.
        Err(source) if source.kind() == ErrorKind::NotFound => None,
        file => Some(file.map_err(|source| failed(&name, source))?),
    };
    if let Some(file) = &lock {
        wait_for(path, || file.try_lock_shared())?;
    }
    let identity = read_identity(&root(path))?;
    identity.check(path, options)?;
    Ok((lock, identity))
}

/// Writes a new log, or that of the former kind anew.
fn make(path: &Path, unfinished: &Path, options: &LogOptions) -> Result<(), Error> {
    if former::is_there(path)? {
        former::convert(path, unfinished, options)?;
    } else {
        let identity = Identity {
            partitions: options.partitions,
            lineage: Uuid::new_v4().to_string(),
        };
        for name in [INPUT, CHANGES, STATE] {
            Writer::create(&unfinished.join(name), options.segment_bytes)?;
        }
        write_identity(unfinished, &identity)?;
    }
    sync_directory(unfinished)
}

fn remove_unfinished(unfinished: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(unfinished) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(failed(unfinished, source)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let name = path.join(LOCK);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options
        .open(&name)
        .map_err(|source| failed(&name, source))?;
    wait_for(path, || file.try_lock())?;
    Ok(file)
}

fn wait_for(path: &Path, try_lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), Error> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::park_timeout(LOCK_RETRY);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(unusable(path, "another process holds it: stop it first"));
            }
            Err(TryLockError::Error(source)) => return Err(failed(&path.join(LOCK), source)),
        }
    }
}
