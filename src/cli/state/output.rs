//! Where an export goes: standard output, or a file that is there whole or not at all.

use std::io;
use std::io::BufWriter;
use std::io::StdoutLock;
use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::cli::output_file::Named;
use crate::cli::output_file::OutputFile;

/// The output of an export.
#[derive(Debug)]
pub(super) enum Output {
    /// Standard output.
    Standard(BufWriter<StdoutLock<'static>>),
    /// A file, which only its owner may use.
    File(BufWriter<OutputFile>),
}

impl Output {
    /// Opens the output before anything is read, so that what cannot be written is said at once.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Standard(BufWriter::new(io::stdout().lock())));
        };
        let file = OutputFile::begin_private(Named::new("--out", path))?;
        Ok(Self::File(BufWriter::new(file)))
    }

    /// Writes what is left, and puts a new file in its place.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Standard(mut out) => out.flush()?,
            Self::File(mut out) => {
                let flushed = out.flush();
                flushed.with_context(|| out.get_ref().cannot_write())?;
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.finish()?;
            }
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(buffer),
            Self::File(out) => out.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(out) => out.flush(),
        }
    }
}
