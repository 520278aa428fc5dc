//! What is needed of the file system: directories and files that are closed to other users, files that are whole or not there,
//! and the errors of a disk that is full.

mod replacement;

pub use crate::disk::replacement::Replacement;
pub use crate::disk::replacement::directory_of;
pub use crate::disk::replacement::is_special;
pub use crate::disk::replacement::real;

use std::fs::DirBuilder;
use std::fs::Permissions;
use std::io;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::Mode;

/// The owner may do everything, others nothing.
const DIRECTORY_MODE: u32 = 0o700;
/// The owner may read and write, others nothing.
const FILE_MODE: u32 = 0o600;
/// What group and others may do.
const OTHERS: u32 = 0o077;

/// From now on no file and no directory that this process makes can be used by other users, those of the databases
/// included. It holds for the whole process, so it is for commands whose only files are log and store.
pub fn close_new_files_to_others() {
    rustix::process::umask(Mode::from_raw_mode(OTHERS));
}

/// Creates a directory, and those above it that are missing, that only its owner may use.
///
/// # Errors
/// If it cannot be created.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Closes a file or a directory that may have been made under another rule to other users. One that belongs to another
/// user stays as it is.
///
/// # Errors
/// If it is not there.
pub fn close_to_others(path: &Path) -> io::Result<()> {
    let found = path.metadata()?;
    if found.permissions().mode() & OTHERS == 0 {
        return Ok(());
    }
    let mode = if found.is_dir() {
        DIRECTORY_MODE
    } else {
        FILE_MODE
    };
    match std::fs::set_permissions(path, Permissions::from_mode(mode)) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            tracing::warn!(path = %path.display(), "other users may read this, and its mode cannot be changed");
            Ok(())
        }
        changed => changed,
    }
}

/// Too many files are open in the system, or in this process: the kernel's numbers, which the standard library has no
/// names for.
const TOO_MANY_FILES: [i32; 2] = [23, 24];

/// The system refuses files, memory, space or rights: what is on disk is still what was written.
#[must_use]
pub fn is_refused(error: &io::Error) -> bool {
    let is_kind = matches!(
        error.kind(),
        ErrorKind::OutOfMemory | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    );
    let is_number = |number| TOO_MANY_FILES.contains(&number);
    is_kind || is_full(error) || error.raw_os_error().is_some_and(is_number)
}

/// There is no room on the disk, or none is left for this user. Nothing is damaged: once there is room, everything goes on.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn directories_are_for_their_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        let (above, made) = (root.path().join("a"), root.path().join("a/b"));
        create_directory(&made).unwrap();
        assert_eq!((mode(&above), mode(&made)), (0o700, 0o700));
        for before in [0o755, 0o750, 0o701, 0o700, 0o500] {
            std::fs::set_permissions(&made, Permissions::from_mode(before)).unwrap();
            close_to_others(&made).unwrap();
            let expected = if before == 0o500 { 0o500 } else { 0o700 };
            assert_eq!(mode(&made), expected, "{before:o}");
        }
    }

    #[test]
    fn a_file_is_closed_to_others() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a");
        std::fs::write(&file, "").unwrap();
        for (before, after) in [(0o644, 0o600), (0o400, 0o400), (0o666, 0o600)] {
            std::fs::set_permissions(&file, Permissions::from_mode(before)).unwrap();
            close_to_others(&file).unwrap();
            assert_eq!(mode(&file), after, "{before:o}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_other_errors() {
        // ENOSPC, EDQUOT, EACCES, EROFS, EMFILE and EIO of Linux.
        for (number, full, refused) in [
            (28, true, true),
            (122, true, true),
            (13, false, true),
            (30, false, true),
            (24, false, true),
            (5, false, false),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(
                (is_full(&error), is_refused(&error)),
                (full, refused),
                "{error}"
            );
        }
    }
}
