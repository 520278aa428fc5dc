//! Settings of the embedded log.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::config::store::Store;

/// The embedded log.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Its directory.
    pub directory: PathBuf,
    /// Partitions of every topic.
    pub partitions: u32,
}

pub(super) fn embedded(reader: &mut Reader, store: Option<&Store>) -> Option<Embedded> {
    let directory = reader.optional_path("embedded.directory");
    let partitions = reader
        .integer("embedded.partitions", 1, 1024)
        .and_then(small);
    let store = &store?.directory;
    let directory = directory?.unwrap_or_else(|| {
        // By components, so that `data/` gives `data-log`, not `data/-log`.
        let mut beside = store.components().as_path().as_os_str().to_owned();
        beside.push("-log");
        PathBuf::from(beside)
    });
    if lexical(&directory).starts_with(lexical(store)) {
        reader.problem("embedded.directory", "a directory outside store.directory");
        return None;
    }
    Some(Embedded {
        directory,
        partitions: partitions?,
    })
}

/// The absolute path without `.` and `..`, for comparing; links are not followed.
fn lexical(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    plain
}
