//! Opening a database of sled, whatever an earlier process has left.

use std::any::Any;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;

use crate::disk;

/// Why a database does not open.
#[derive(Debug)]
pub enum Failure {
    /// A process has it open.
    Held,
    /// The system refuses what opening it needs, such as room on the disk. It is not damaged.
    Refused(io::Error),
    /// It is damaged, or cannot be read: what is wrong.
    Unusable(String),
}

/// Opens the database of a directory.
///
/// sled writes a snapshot as `snap.X.generating` and then renames it. Where the process ended before that, sled
/// refuses to open the database. A snapshot is made of the database's other files, so an unfinished one is removed.
///
/// # Errors
/// [`Failure`].
pub fn open(config: &sled::Config, directory: &Path) -> Result<sled::Db, Failure> {
    let problem = match once(config) {
        Err(Failure::Unusable(problem)) => problem,
        opened => return opened,
    };
    match remove_unfinished_snapshots(directory) {
        Ok(0) => Err(Failure::Unusable(problem)),
        Ok(_) => once(config),
        Err(failure) => Err(failure),
    }
}

fn once(config: &sled::Config) -> Result<sled::Db, Failure> {
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) if error.to_string().contains("could not acquire lock") => {
            Err(Failure::Held)
        }
        Ok(Err(sled::Error::Io(error))) if disk::is_refused(&error) => Err(Failure::Refused(error)),
        Ok(Err(error)) => Err(Failure::Unusable(format!("it does not open ({error})"))),
        Err(panic) if is_of_full_disk(&*panic) => {
            Err(Failure::Refused(ErrorKind::StorageFull.into()))
        }
        Err(_) => Err(Failure::Unusable("opening it panics".to_owned())),
    }
}

/// sled panics at some errors of the disk, with the error in its message.
fn is_of_full_disk(panic: &(dyn Any + Send)) -> bool {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let kinds = ["StorageFull", "QuotaExceeded"];
    text.is_some_and(|text| kinds.iter().any(|kind| text.contains(kind)))
}

/// Removes unfinished snapshots while it has sled's own lock, so that none is of a process that works; how many there were.
fn remove_unfinished_snapshots(directory: &Path) -> Result<usize, Failure> {
    let failed = |error: io::Error| {
        if disk::is_refused(&error) {
            Failure::Refused(error)
        } else {
            Failure::Unusable(format!("{}: {error}", directory.display()))
        }
    };
    let database = File::open(directory.join("db")).map_err(failed)?;
    match database.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Failure::Held),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let mut removed = 0;
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            std::fs::remove_file(entry.path()).map_err(failed)?;
            tracing::warn!(
                file = &*name,
                "an unfinished snapshot is removed: sled makes it again"
            );
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::Instant;

    use super::*;

    fn config(path: &Path) -> sled::Config {
        sled::Config::new().path(path).flush_every_ms(None)
    }

    /// A thread of sled may hold the lock a moment longer than the database that was dropped.
    fn once_released(path: &Path) -> Result<sled::Db, Failure> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match once(&config(path)) {
                Err(Failure::Held) if Instant::now() < deadline => std::thread::yield_now(),
                opened => return opened,
            }
        }
    }

    /// What a kill between creating, writing and renaming leaves: an empty file, a part of a snapshot, and a whole one.
    #[test]
    fn a_database_opens_beside_unfinished_snapshots_and_has_its_records() {
        for leftover in ["empty", "part", "whole", "two"] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("database");
            let database = open(&config(&path), &path).unwrap();
            for number in 0..1000_u32 {
                let key = number.to_be_bytes();
                database.insert(key, vec![7; 300]).unwrap();
            }
            database.flush().unwrap();
            drop(database);
            let names = std::fs::read_dir(&path).unwrap();
            let names = names.map(|entry| entry.unwrap().path());
            let is_snapshot = |path: &std::path::PathBuf| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("snap.")
            };
            let snapshot = names.into_iter().find(is_snapshot);
            let bytes = snapshot.map_or_else(|| vec![1; 90], |path| std::fs::read(path).unwrap());
            let at = |lsn: &str| path.join(format!("snap.{lsn}.generating"));
            let written = match leftover {
                "empty" => Vec::new(),
                "part" => bytes[..bytes.len() / 2].to_vec(),
                _ => bytes,
            };
            std::fs::write(at("00000000FFFFFFFF"), &written).unwrap();
            if leftover == "two" {
                std::fs::write(at("00000000FFFFFFFE"), b"").unwrap();
            }
            let refused = once_released(&path);
            assert!(
                matches!(refused, Err(Failure::Unusable(_))),
                "{leftover}: {refused:?}"
            );
            let database = open(&config(&path), &path).unwrap();
            assert_eq!(database.len(), 1000, "{leftover}");
        }
    }

    #[test]
    fn a_database_that_is_open_is_held_and_its_files_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("database");
        let database = open(&config(&path), &path).unwrap();
        let leftover = path.join("snap.00000000FFFFFFFF.generating");
        std::fs::write(&leftover, b"").unwrap();
        assert!(matches!(open(&config(&path), &path), Err(Failure::Held)));
        let removed = remove_unfinished_snapshots(&path);
        assert!(matches!(removed, Err(Failure::Held)));
        assert!(leftover.exists());
        drop(database);
    }
}
