//! `store.directory`: held by one process at a time, with the instance's id, one directory a partition, and
//! the marks of owned partitions.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use uuid::Uuid;

use crate::disk;
use crate::domain::ids::Partition;
use crate::store::Error;
use crate::store::contents;
use crate::store::contents::Contents;
use crate::store::contents::HTTP_ADDRESS_NAME;
use crate::store::contents::ID_NAME;
use crate::store::contents::LOCK_NAME;

/// The most wipes of a process within an hour before the disk is taken to be damaged.
const WIPES_AN_HOUR_MAX: usize = 24;
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// Who works on a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// No process.
    None,
    /// A running process.
    Instance {
        /// Where it answers HTTP, if it does.
        http_address: Option<SocketAddr>,
    },
}

/// The root of all partitions' stores.
#[derive(Clone, Debug)]
pub struct StoreDirectory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    instance_id: String,
    wipes: Mutex<BTreeMap<Partition, Vec<Instant>>>,
    /// Held until the last handle is dropped.
    _lock: File,
}

impl StoreDirectory {
    /// Creates the directory if needed and holds it, waiting up to `patience` for another process.
    /// An empty `instance_id` is made once and kept.
    ///
    /// # Errors
    /// [`Error::NotAStore`] where something else is in it: then nothing is written. If it cannot be created, or is still
    /// held.
    pub fn open(root: &Path, instance_id: &str, patience: Duration) -> Result<Self, Error> {
        let contents = Contents::of(root)?.unwrap_or_default();
        contents.check(root)?;
        disk::create_directory(root).map_err(|source| Error::of_file(root, source))?;
        let lock_path = root.join(LOCK_NAME);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|source| Error::of_file(&lock_path, source))?;
        wait_for_lock(root, patience, || lock.try_lock())?;
        for partition in contents.partitions.iter().filter(|path| path.is_dir()) {
            disk::close_to_others(partition).map_err(|source| Error::of_file(partition, source))?;
        }
        // What a process that was killed has left.
        remove_if_there(&root.join(HTTP_ADDRESS_NAME))?;
        let instance_id = keep_instance_id(root, instance_id)?;
        let inner = Inner {
            root: root.to_owned(),
            instance_id,
            wipes: Mutex::new(BTreeMap::new()),
            _lock: lock,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Whether a service has kept state in a directory. Waits for nothing and writes nothing.
    ///
    /// # Errors
    /// [`Error::NotAStore`] where something else is in it, or if it cannot be listed.
    pub fn has_state(root: &Path) -> Result<bool, Error> {
        let contents = Contents::of(root)?.unwrap_or_default();
        contents.check(root)?;
        Ok(contents.has_state())
    }

    /// Who holds a directory now. Waits for nothing and holds nothing.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn holder(root: &Path) -> Result<Holder, Error> {
        let path = root.join(LOCK_NAME);
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Holder::None),
            Err(source) => return Err(Error::of_file(&path, source)),
        };
        match lock.try_lock_shared() {
            Ok(()) => return Ok(Holder::None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(Error::of_file(&path, source)),
        }
        let path = root.join(HTTP_ADDRESS_NAME);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Holder::Instance {
                http_address: text.trim().parse().ok(),
            }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Holder::Instance { http_address: None })
            }
            Err(source) => Err(Error::of_file(&path, source)),
        }
    }

    /// Notes where this process answers HTTP, for commands beside it; `None`: nowhere.
    ///
    /// # Errors
    /// If the note cannot be written.
    pub fn set_http_address(&self, address: Option<SocketAddr>) -> Result<(), Error> {
        let path = self.0.root.join(HTTP_ADDRESS_NAME);
        match address {
            Some(address) => write_anew(&path, &address.to_string())
                .map_err(|source| Error::of_file(&path, source)),
            None => remove_if_there(&path),
        }
    }

    /// The instance's id.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.0.instance_id
    }

    /// The directory of one partition.
    #[must_use]
    pub fn partition_path(&self, partition: Partition) -> PathBuf {
        self.0.root.join(contents::partition_name(partition.0))
    }

    fn mark_path(&self, partition: Partition) -> PathBuf {
        self.0.root.join(contents::owned_name(partition.0))
    }

    /// Marks a partition as owned: its restore has ended.
    ///
    /// # Errors
    /// If the mark cannot be written.
    pub fn mark_owned(&self, partition: Partition) -> Result<(), Error> {
        let path = self.mark_path(partition);
        File::create(&path)
            .map(drop)
            .map_err(|source| Error::of_file(&path, source))
    }

    /// Removes a partition's mark: it was revoked or lost.
    ///
    /// # Errors
    /// If the mark cannot be removed.
    pub fn unmark_owned(&self, partition: Partition) -> Result<(), Error> {
        remove_if_there(&self.mark_path(partition))
    }

    /// The partitions marked as owned, ascending.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn owned(&self) -> Result<Vec<Partition>, Error> {
        owned_in(&self.0.root)
    }

    /// Removes a partition's store and counts it.
    ///
    /// # Errors
    /// If something else than a store is there, if it cannot be removed, or was removed too often within an hour.
    pub fn wipe(&self, partition: Partition) -> Result<(), Error> {
        let path = self.partition_path(partition);
        contents::check_partition(&path)?;
        let now = Instant::now();
        let mut wipes = self.0.wipes.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = wipes.entry(partition).or_default();
        recent.retain(|wiped_at| now.duration_since(*wiped_at) < Duration::from_secs(3600));
        recent.push(now);
        if recent.len() > WIPES_AN_HOUR_MAX {
            return Err(Error::WipedTooOften {
                path,
                wipes: recent.len(),
            });
        }
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) if source.kind() == io::ErrorKind::NotADirectory => {
                fs::remove_file(&path).map_err(|source| Error::of_file(&path, source))
            }
            Err(source) => Err(Error::of_file(&path, source)),
            Ok(()) => Ok(()),
        }
    }
}

/// The partitions marked as owned in a directory, ascending.
pub(super) fn owned_in(root: &Path) -> Result<Vec<Partition>, Error> {
    let mut owned = Vec::new();
    for entry in fs::read_dir(root).map_err(|source| Error::of_file(root, source))? {
        let name = entry
            .map_err(|source| Error::of_file(root, source))?
            .file_name();
        owned.extend(contents::owned_number(&name.to_string_lossy()).map(Partition));
    }
    owned.sort_unstable();
    Ok(owned)
}

/// Takes the lock of a directory, waiting up to `patience` for another process.
pub(super) fn wait_for_lock(
    root: &Path,
    patience: Duration,
    try_lock: impl Fn() -> Result<(), TryLockError>,
) -> Result<(), Error> {
    let deadline = Instant::now() + patience;
    loop {
        match try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::park_timeout(LOCK_RETRY);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Held {
                    path: root.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(Error::of_file(&root.join(LOCK_NAME), source));
            }
        }
    }
}

/// Writes a new file and puts it in place of an old one; what stands at the path is never written through.
fn write_anew(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(source),
        Ok(()) | Err(_) => {}
    }
    let mut file = File::options().write(true).create_new(true).open(&new)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&new, path)
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::of_file(path, source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn keep_instance_id(root: &Path, configured: &str) -> Result<String, Error> {
    if !configured.is_empty() {
        return Ok(configured.to_owned());
    }
    let path = root.join(ID_NAME);
    let kept = match fs::read_to_string(&path) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => String::new(),
        kept => kept.map_err(|source| Error::of_file(&path, source))?,
    };
    if !kept.trim().is_empty() {
        return Ok(kept.trim().to_owned());
    }
    let made = Uuid::new_v4().to_string();
    // At once, so that a full disk leaves no id that is empty.
    write_anew(&path, &made).map_err(|source| Error::of_file(&path, source))?;
    Ok(made)
}
