//! Where an export goes: standard output, or a file that is there whole or not at all.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::StdoutLock;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::cli::exit::CallError;

/// The output of an export.
#[derive(Debug)]
pub(super) enum Output {
    /// Standard output.
    Standard(BufWriter<StdoutLock<'static>>),
    /// A pipe or a device.
    Stream(BufWriter<File>),
    /// A new file, which takes the place of `path` at the end. It is removed if that does not come.
    New {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
}

impl Output {
    /// Opens the output before anything is read, so that what cannot be written is said at once.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Standard(BufWriter::new(io::stdout().lock())));
        };
        let problem = || format!("cannot write --out {}", path.display());
        match path.metadata() {
            Ok(found) if found.is_dir() => {
                let problem = format!("--out {} is a directory, not a file", path.display());
                return Err(CallError(problem).into());
            }
            Ok(found) if !found.is_file() => {
                let stream = File::options().write(true).open(path);
                return Ok(Self::Stream(BufWriter::new(stream.with_context(problem)?)));
            }
            Ok(_) | Err(_) => {}
        }
        // A link stays, and what it leads to is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        let file = tempfile::Builder::new()
            .prefix(".segstream-export-")
            .tempfile_in(parent.unwrap_or(Path::new(".")))
            .with_context(problem)?;
        Ok(Self::New {
            file: BufWriter::new(file),
            path,
        })
    }

    /// Writes what is left, and puts a new file in its place.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Standard(mut out) => out.flush()?,
            Self::Stream(mut out) => out.flush()?,
            Self::New { file, path } => {
                let problem = || format!("cannot write --out {}", path.display());
                let file = file.into_inner().map_err(io::IntoInnerError::into_error);
                let file = file.with_context(problem)?;
                file.as_file().sync_all().with_context(problem)?;
                file.persist(&path)
                    .map_err(|failed| failed.error)
                    .with_context(problem)?;
            }
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(buffer),
            Self::Stream(out) => out.write(buffer),
            Self::New { file, .. } => file.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::Stream(out) => out.flush(),
            Self::New { file, .. } => file.flush(),
        }
    }
}
