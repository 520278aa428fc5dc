//! A directory that is removed when a command ends. What a command that was killed has left is removed by the next one.

use std::fs;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use uuid::Uuid;

use crate::disk;

/// Log and store of a demo.
pub(super) const DEMO: &str = "segstream-demo-";
/// Copies of a command that reads.
pub(super) const READING: &str = "segstream-reading-";

/// Held as long as the process that made the directory runs.
const LOCK: &str = "process.lock";
/// The same in a demo of the version before.
const FORMER_LOCK: &str = "store/instance.lock";
/// What a demo of the version before has in its directory.
const FORMER_NAMES: [&str; 2] = ["log", "store"];
/// In a directory that somebody has named, which is never removed.
const KEPT: &str = "kept";
/// Another process may take a directory that is not locked yet for what a killed one has left.
const ATTEMPTS_MAX: usize = 8;

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct TemporaryDirectory {
    pub(super) path: PathBuf,
    _lock: File,
}

impl TemporaryDirectory {
    /// Removes what killed processes have left under this prefix, and makes a directory that only its owner may use.
    pub(super) fn new(prefix: &str) -> anyhow::Result<Self> {
        Self::new_in(&std::env::temp_dir(), prefix)
    }

    fn new_in(parent: &Path, prefix: &str) -> anyhow::Result<Self> {
        remove_leftovers(parent, prefix);
        let mut attempts = 0;
        loop {
            let path = parent.join(format!("{prefix}{}", Uuid::new_v4()));
            attempts += 1;
            match made(&path) {
                Ok(lock) => return Ok(Self { path, _lock: lock }),
                Err(error)
                    if attempts < ATTEMPTS_MAX
                        && (error.kind() == ErrorKind::WouldBlock || !path.exists()) => {}
                Err(error) => {
                    let problem = || format!("cannot create {}", path.display());
                    return Err(error).with_context(problem);
                }
            }
        }
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        if fs::remove_dir_all(&self.path).is_err() {
            tracing::warn!(path = %self.path.display(), "cannot remove the temporary directory");
        }
    }
}

/// Notes that somebody has named a directory, so that it is not taken for what a demo has left.
pub(super) fn keep(path: &Path) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with(DEMO) {
        return Ok(());
    }
    disk::create_directory(path)?;
    File::create(path.join(KEPT)).map(drop)
}

fn made(path: &Path) -> std::io::Result<File> {
    disk::create_directory(path)?;
    let lock = File::create_new(path.join(LOCK))?;
    lock.try_lock()?;
    // It was removed by another process before it was locked.
    path.join(LOCK).metadata()?;
    Ok(lock)
}

/// Removes the directories of processes that have ended. What cannot be removed stays for the next time.
fn remove_leftovers(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let id = name.strip_prefix(prefix);
        let is_ours =
            id.is_some_and(|id| Uuid::parse_str(id).is_ok_and(|parsed| parsed.to_string() == id));
        if !is_ours {
            continue;
        }
        let path = entry.path();
        if let Some(_lock) = abandoned(&path)
            && fs::remove_dir_all(&path).is_ok()
        {
            tracing::info!(path = %path.display(), "removed what a process that was killed has left");
        }
    }
}

/// The lock of a directory whose process has ended; `None` where it runs, or where the directory is somebody else's.
fn abandoned(path: &Path) -> Option<File> {
    let found = path.symlink_metadata().ok()?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(path).ok()? {
        names.push(entry.ok()?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    let lock = if names.iter().any(|name| name == KEPT) {
        return None;
    } else if names.iter().any(|name| name == LOCK) {
        LOCK
    } else if names == FORMER_NAMES {
        FORMER_LOCK
    } else {
        return None;
    };
    let lock = File::open(path.join(lock)).ok()?;
    lock.try_lock().ok()?;
    Some(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(parent: &Path, id: &str, names: &[&str]) -> PathBuf {
        let path = parent.join(format!("{DEMO}{id}"));
        fs::create_dir_all(&path).unwrap();
        for name in names {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        path
    }

    const ID: &str = "b0c6d6a2-6c0e-4f57-9d1f-0c7a3a5c2f11";

    #[test]
    fn only_what_an_ended_process_made_itself_is_removed() {
        for (id, names, is_removed) in [
            (
                ID,
                &["process.lock", "store/instance.lock", "log/lock"][..],
                true,
            ),
            (ID, &["process.lock"], true),
            // As the version before left it.
            (ID, &["store/instance.lock", "log/lock"], true),
            (ID, &["store/instance.id", "log/lock"], false),
            (ID, &["store/instance.lock", "log/lock", "notes.txt"], false),
            (ID, &["process.lock", "kept", "store/instance.lock"], false),
            (ID, &[], false),
            ("of-june", &["process.lock"], false),
            (
                "B0C6D6A2-6C0E-4F57-9D1F-0C7A3A5C2F11",
                &["process.lock"],
                false,
            ),
        ] {
            let parent = tempfile::tempdir().unwrap();
            let path = demo(parent.path(), id, names);
            remove_leftovers(parent.path(), DEMO);
            assert_eq!(!path.exists(), is_removed, "{id} {names:?}");
        }
    }

    #[test]
    fn the_directory_of_a_process_that_runs_stays() {
        let parent = tempfile::tempdir().unwrap();
        let first = TemporaryDirectory::new_in(parent.path(), DEMO).unwrap();
        let former = demo(parent.path(), ID, &["store/instance.lock", "log/lock"]);
        let held = File::open(former.join("store/instance.lock")).unwrap();
        held.lock().unwrap();
        let second = TemporaryDirectory::new_in(parent.path(), DEMO).unwrap();
        assert!(first.path.exists() && second.path.exists() && former.exists());
        let (path, _) = (first.path.clone(), drop(first));
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let precious = elsewhere.path().join("process.lock");
        fs::write(&precious, "").unwrap();
        let link = parent.path().join(format!("{DEMO}{ID}"));
        std::os::unix::fs::symlink(elsewhere.path(), link).unwrap();
        remove_leftovers(parent.path(), DEMO);
        assert!(precious.exists());
    }

    #[test]
    fn a_directory_that_was_named_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        let named = demo(parent.path(), ID, &["process.lock", "store/instance.lock"]);
        keep(&named).unwrap();
        remove_leftovers(parent.path(), DEMO);
        assert!(named.join("store/instance.lock").exists());
        let other = parent.path().join("mine");
        keep(&other).unwrap();
        assert!(
            !other.exists(),
            "nothing is written where no demo's name is"
        );
    }
}
