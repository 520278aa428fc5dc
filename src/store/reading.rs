//! The stores of a stopped instance, to be read: copies of them are opened, as opening a database writes to it.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::disk;
use crate::domain::ids::Partition;
use crate::store::Error;
use crate::store::contents;
use crate::store::contents::Contents;
use crate::store::contents::LOCK_NAME;
use crate::store::directory::owned_in;
use crate::store::directory::wait_for_lock;
use crate::store::tree;

/// A directory of stores that no service works on meanwhile. Nothing in it is changed.
#[derive(Debug)]
pub struct StoppedDirectory {
    root: PathBuf,
    partitions: Vec<PathBuf>,
    /// `None` where the file is not there: a copy may lack it.
    _lock: Option<File>,
}

impl StoppedDirectory {
    /// Holds a directory beside others who read it, waiting up to `patience` for a service; `None` where no instance has
    /// kept anything.
    ///
    /// # Errors
    /// [`Error::NotAStore`] where something else is there. If a service works on it, or it cannot be read.
    pub fn hold(root: &Path, patience: Duration) -> Result<Option<Self>, Error> {
        let Some(contents) = Contents::of(root)? else {
            return Ok(None);
        };
        contents.check(root)?;
        if !contents.is_store() {
            return Ok(None);
        }
        let lock_path = root.join(LOCK_NAME);
        let lock = match File::open(&lock_path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => None,
            lock => Some(lock.map_err(|source| Error::of_file(&lock_path, source))?),
        };
        if let Some(lock) = &lock {
            wait_for_lock(root, patience, || lock.try_lock_shared())?;
        }
        // As they are, not as they were before the lock was waited for.
        let contents = Contents::of(root)?.unwrap_or_default();
        Ok(Some(Self {
            root: root.to_owned(),
            partitions: contents.partitions,
            _lock: lock,
        }))
    }

    /// The partitions that the instance owned when it stopped, ascending.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn owned(&self) -> Result<Vec<Partition>, Error> {
        owned_in(&self.root)
    }

    /// Copies every store to a directory that is not there yet, to be opened there while this is held. The files of a merge tree, which
    /// are never changed, are links.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn copy_to(&self, to: &Path) -> Result<(), Error> {
        disk::create_directory(to).map_err(|source| Error::of_file(to, source))?;
        for partition in &self.partitions {
            contents::check_partition(partition)?;
            let name = partition.file_name().filter(|_| partition.is_dir());
            if let Some(name) = name {
                copy(partition, &to.join(name))?;
            }
        }
        Ok(())
    }
}

/// Copies a directory and all in it.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    disk::create_directory(to).map_err(|source| Error::of_file(to, source))?;
    let is_of_tables = from.ends_with(Path::new(tree::DIRECTORY).join(tree::TABLES));
    for entry in fs::read_dir(from).map_err(|source| Error::of_file(from, source))? {
        let entry = entry.map_err(|source| Error::of_file(from, source))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
            continue;
        }
        let copied = if is_of_tables {
            path.canonicalize().and_then(|path| symlink(path, &target))
        } else {
            fs::copy(&path, &target).map(drop)
        };
        copied.map_err(|source| {
            let place = if disk::is_full(&source) {
                &target
            } else {
                &path
            };
            Error::of_file(place, source)
        })?;
    }
    Ok(())
}
