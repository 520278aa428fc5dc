//! Settings of the embedded log.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

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
    /// How long input is kept; `None`: for ever.
    pub input_retention: Option<Duration>,
    /// How long changes and dead letters are kept; `None`: for ever.
    pub changes_retention: Option<Duration>,
}

const RETENTION_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A duration of which 0 stands for ever.
fn retention(reader: &mut Reader, key: &str) -> Option<Option<Duration>> {
    let kept = reader.duration(key, Duration::ZERO, RETENTION_MAX)?;
    Some((!kept.is_zero()).then_some(kept))
}

pub(super) fn embedded(reader: &mut Reader, store: Option<&Store>) -> Option<Embedded> {
    let directory = reader.optional_path("embedded.directory");
    let partitions = reader
        .integer("embedded.partitions", 1, 1024)
        .and_then(small);
    let input_retention = retention(reader, "embedded.input_retention");
    let changes_retention = retention(reader, "embedded.changes_retention");
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
        input_retention: input_retention?,
        changes_retention: changes_retention?,
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
