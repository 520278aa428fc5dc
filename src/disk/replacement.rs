//! A file that takes the place of another one when it is whole.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use tempfile::NamedTempFile;

/// What a new file may be used for by others, before the rule of the process.
const NEW_FILE_MODE: u32 = 0o666;
/// The owner may read and write, others nothing.
const PRIVATE_MODE: u32 = 0o600;
/// Links that may lead to each other, as in the kernel.
const LINKS_MAX: usize = 40;

/// A file that takes the place of another one when it is finished. Until then it has another name beside it, and it is removed
/// if it is not finished.
#[derive(Debug)]
pub struct Replacement {
    file: NamedTempFile<File>,
    target: PathBuf,
}

impl Replacement {
    /// Begins a file. Behind a link it is the linked one; an existing one keeps its mode.
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let begun = Self::with_mode(path, NEW_FILE_MODE)?;
        if let Ok(before) = begun.target.metadata() {
            begun.file.as_file().set_permissions(before.permissions())?;
        }
        Ok(begun)
    }

    /// Begins a file that only its owner may use, whatever mode an existing one has.
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn begin_private(path: &Path) -> io::Result<Self> {
        Self::with_mode(path, PRIVATE_MODE)
    }

    fn with_mode(path: &Path, mode: u32) -> io::Result<Self> {
        let target = linked(path);
        let make = |path: &Path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(mode);
            // The library's own way adds the name of the temporary file to errors, which is not the path that was typed.
            options.open(path)
        };
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(".segstream-");
        let file = builder.make_in(directory_of(&target), make)?;
        Ok(Self { file, target })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// If it cannot be written or renamed.
    pub fn finish(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.target)?;
        // So that the name is on the disk too; not every file system knows how.
        drop(File::open(directory_of(&self.target)).map(|directory| directory.sync_all()));
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// What a path leads to over links, also where that is not there yet.
fn linked(path: &Path) -> PathBuf {
    let mut target = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = target.read_link() else { break };
        target = directory_of(&target).join(next);
    }
    target.canonicalize().unwrap_or(target)
}

/// The directory that a file is in.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Whether a path is a device, a pipe or a socket, which nothing can take the place of.
#[must_use]
pub fn is_special(path: &Path) -> bool {
    let found = path.metadata();
    found.is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// The path without links, as far as it is there. A link to what is not there yet is followed too.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    let linked = linked(path);
    let absolute = std::path::absolute(&linked).unwrap_or(linked);
    let mut rest = Vec::new();
    for above in absolute.ancestors() {
        if let Ok(real) = above.canonicalize() {
            return rest.iter().rev().fold(real, |path, name| path.join(name));
        }
        rest.extend(above.file_name());
    }
    absolute
}
