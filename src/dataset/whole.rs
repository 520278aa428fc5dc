//! A whole file that is not a table, such as JSON Lines.

use std::path::Path;

use crate::dataset::error::Error;
use crate::dataset::found::Found;
use crate::dataset::kinds;
use crate::dataset::options::Options;
use crate::dataset::source::Content;
use crate::dataset::source::Source;
use crate::dataset::source::shown;
use crate::dataset::text;

/// A whole file that is not a table, such as JSON Lines, in UTF-8, decompressed and without a byte order mark.
#[derive(Debug)]
pub struct Whole {
    /// What it has. Bytes of no valid character stay as they are: a bad line is for the engine to reject.
    pub bytes: Vec<u8>,
    /// What was found about it.
    pub found: Found,
    /// The SHA-256 of the bytes that were read (decompressed), in hexadecimal digits.
    pub fingerprint: String,
}

impl Whole {
    /// Reads a file (`-` is standard input) to its end; of `options` only the encoding matters.
    ///
    /// # Errors
    /// If it cannot be read, or is a workbook, an archive or another file that is no text.
    pub fn read(path: &Path, options: &Options) -> Result<Self, Error> {
        let mut found = Found::default();
        let Source { bytes, fingerprint } = Source::read(path, Content::Whole, &mut found)?;
        let path = &shown(path);
        kinds::refuse_all_but_text(path, &bytes)?;
        Ok(Self {
            bytes: text::plain_bytes(path, bytes, options.encoding, &mut found)?,
            found,
            fingerprint,
        })
    }
}
