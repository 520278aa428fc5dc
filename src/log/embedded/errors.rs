//! What goes wrong with the files of a log.

use std::path::Path;

use crate::disk;
use crate::log::Error;

/// An error of the file system.
pub(super) fn failed(path: &Path, source: std::io::Error) -> Error {
    let path = path.display().to_string();
    if disk::is_full(&source) {
        Error::Full { path, source }
    } else {
        Error::Io { path, source }
    }
}

/// The log cannot be used as it is.
pub(super) fn unusable(path: &Path, problem: &str) -> Error {
    Error::Unusable {
        path: path.display().to_string(),
        problem: problem.to_owned(),
    }
}

/// A file of the log is not as it was written.
pub(super) fn damaged(path: &Path, what: &str) -> Error {
    let problem = format!(
        "{what}: it is the only copy, so nothing was changed; restore it from a backup, or point \
         embedded.directory and store.directory elsewhere to begin anew"
    );
    unusable(path, &problem)
}

/// A frame of the log is not as it was written.
pub(super) fn damaged_at(path: &Path, position: u64) -> Error {
    damaged(
        path,
        &format!("what was written at byte {position} is damaged"),
    )
}
