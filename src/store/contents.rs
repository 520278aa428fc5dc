//! What a directory holds, by the names in it alone: nothing is opened and nothing is written. Only what has the names of
//! a store is taken for one, as a store may be removed.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::store::Error;
use crate::store::exchange::DISTRUSTED_FILE;
use crate::store::tree;

/// Held by the process that works on the directory.
pub(super) const LOCK_NAME: &str = "instance.lock";
/// The id of the instance whose directory it is.
pub(super) const ID_NAME: &str = "instance.id";
/// Where the process that holds the directory answers HTTP, and that note while it is written.
pub(super) const HTTP_ADDRESS_NAME: &str = "http.address";
const NEW_EXTENSION: &str = "new";

/// What the embedded log keeps in its own directory.
const LOG_NAMES: [&str; 4] = [
    "segments",
    "segments.new",
    "watermark",
    "watermark.converted",
];
/// A file system makes it in its root.
const FILE_SYSTEM_NAME: &str = "lost+found";
/// What sled keeps in a directory.
const SLED_NAMES: [&str; 3] = [tree::SLED_FILE, "conf", "blobs"];
const SLED_SNAPSHOT: &str = "snap.";

const PARTITION_PREFIX: &str = "partition-";
const OWNED_SUFFIX: &str = ".owned";

/// So many names are enough to recognise a directory.
const NAMES_SHOWN: usize = 3;

/// The name of a partition's directory.
pub(super) fn partition_name(number: u32) -> String {
    format!("{PARTITION_PREFIX}{number:05}")
}

/// The name of the mark of a partition that is owned.
pub(super) fn owned_name(number: u32) -> String {
    format!("{}{OWNED_SUFFIX}", partition_name(number))
}

/// The partition of whose mark this is the name.
pub(super) fn owned_number(name: &str) -> Option<u32> {
    partition_number(name.strip_suffix(OWNED_SUFFIX)?)
}

fn partition_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(PARTITION_PREFIX)?;
    let number: u32 = digits.parse().ok()?;
    (partition_name(number) == name).then_some(number)
}

/// A directory of stores.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The directories of partitions, in the order of their names.
    pub(super) partitions: Vec<PathBuf>,
    /// Files of a log, which is never a store.
    log: Vec<String>,
    /// What no store has.
    foreign: Vec<String>,
    /// An instance has used it.
    is_used: bool,
}

impl Contents {
    /// Lists a directory; `None` where there is none.
    pub(super) fn of(root: &Path) -> Result<Option<Self>, Error> {
        let Some(names) = names_in(root)? else {
            return Ok(None);
        };
        let mut contents = Self::default();
        for name in names {
            if partition_number(&name).is_some() {
                contents.partitions.push(root.join(&name));
            } else if LOG_NAMES.contains(&name.as_str()) || SLED_NAMES.contains(&name.as_str()) {
                contents.log.push(name);
            } else if [LOCK_NAME, ID_NAME].contains(&name.as_str()) {
                contents.is_used = true;
            } else if !is_note(&name) {
                contents.foreign.push(name);
            }
        }
        Ok(Some(contents))
    }

    /// Refuses a directory in which something else is. A directory that an instance has used may hold files of others beside
    /// the stores: they are left alone.
    pub(super) fn check(&self, root: &Path) -> Result<(), Error> {
        let strange = if !self.log.is_empty() {
            &self.log
        } else if self.is_used {
            &Vec::new()
        } else {
            &self.foreign
        };
        if !strange.is_empty() {
            return Err(not_a_store(root, strange));
        }
        self.partitions
            .iter()
            .try_for_each(|partition| check_partition(partition))
    }

    /// A service has kept state in it.
    pub(super) fn has_state(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// It is the directory of an instance, whether that has state now or not.
    pub(super) fn is_store(&self) -> bool {
        self.is_used || self.has_state()
    }
}

/// Refuses the directory of a partition in which something else than a store is. An empty file holds nothing.
pub(super) fn check_partition(path: &Path) -> Result<(), Error> {
    let is_empty_file = path
        .metadata()
        .is_ok_and(|found| found.is_file() && found.len() == 0);
    if is_empty_file {
        return Ok(());
    }
    let Some(mut names) = names_in(path)? else {
        return Ok(());
    };
    names.retain(|name| !is_of_partition(name));
    if names.is_empty() {
        Ok(())
    } else {
        Err(not_a_store(path, &names))
    }
}

fn is_of_partition(name: &str) -> bool {
    let known = [tree::DIRECTORY, tree::LOCK_FILE, DISTRUSTED_FILE];
    known.contains(&name) || SLED_NAMES.contains(&name) || name.starts_with(SLED_SNAPSHOT)
}

fn is_note(name: &str) -> bool {
    let stem = name.strip_suffix(&format!(".{NEW_EXTENSION}"));
    let is_being_written = stem.is_some_and(|stem| ["http", "instance"].contains(&stem));
    name == HTTP_ADDRESS_NAME
        || name == FILE_SYSTEM_NAME
        || owned_number(name).is_some()
        || is_being_written
}

/// The names in a directory, sorted; `None` where there is none.
fn names_in(path: &Path) -> Result<Option<Vec<String>>, Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) if source.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::NotAStore {
                path: path.to_owned(),
                found: "it is a file".to_owned(),
            });
        }
        Err(source) => return Err(Error::of_file(path, source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(|source| Error::of_file(path, source))?
            .file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(Some(names))
}

fn not_a_store(path: &Path, names: &[String]) -> Error {
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Error::NotAStore {
        path: path.to_owned(),
        found: format!("it holds {}{more}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(names: &[&str]) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "precious").unwrap();
        }
        let contents = Contents::of(root.path()).unwrap().unwrap();
        let refused = contents.check(root.path()).err()?;
        Some(
            refused
                .to_string()
                .replace(&root.path().display().to_string(), "ROOT"),
        )
    }

    #[test]
    fn only_names_of_a_store_make_a_store() {
        for names in [
            &[][..],
            &["lost+found/x"],
            &["partition-00000/tree/current", "partition-00000/tree.lock"],
            &[
                "partition-00011/db",
                "partition-00011/snap.00000000000010AD.generating",
            ],
            &["partition-00000/blobs/1", "partition-00000/distrusted"],
            &["instance.id", "http.address", "partition-00000.owned"],
            // An instance has used it: what others have put beside the stores is theirs.
            &["instance.lock", "notes.txt"],
        ] {
            assert_eq!(refused(names), None, "{names:?}");
        }
        for (names, found) in [
            (
                &["thesis.tex"][..],
                "ROOT is not a store: it holds thesis.tex",
            ),
            // The names sort before they are cut.
            (
                &["d", "c", "b", "a", "e"],
                "ROOT is not a store: it holds a, b, c and 2 more",
            ),
            // Neither is a number as a store writes it.
            (
                &["partition-0/tree", "partition-00000.txt"],
                "ROOT is not a store: it holds partition-0, partition-00000.txt",
            ),
            (
                &["partition-00000/part-0.parquet"],
                "ROOT/partition-00000 is not a store: it holds part-0.parquet",
            ),
            (
                &["partition-00007"],
                "ROOT/partition-00007 is not a store: it is a file",
            ),
            // Also where an instance has used it by mistake before.
            (
                &["instance.lock", "segments/identity", "lock"],
                "ROOT is not a store: it holds segments",
            ),
            (
                &["instance.id", "db", "conf", "watermark"],
                "ROOT is not a store: it holds conf, db, watermark",
            ),
        ] {
            let said = refused(names).unwrap();
            assert!(said.starts_with(found), "{names:?}: {said}");
        }
    }
}
