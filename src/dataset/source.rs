//! The bytes of a file, of standard input or of a pipe, decompressed.

use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Cursor;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use sha2::Digest;
use sha2::Sha256;

use crate::dataset::error::Error;
use crate::dataset::found::Found;
use crate::dataset::limited::ROW_BYTES_MAX;
use crate::dataset::workbook::is_workbook;

/// Most bytes of a file, decompressed. A compressed file may be a thousand times as large as it looks.
const BYTES_MAX: u64 = 4 << 30;
const STANDARD_INPUT: &str = "-";
/// What the library says of a frame that wants more memory than is given to it.
const TOO_MUCH_MEMORY: &str = "too much memory";
const CHUNK_BYTES: u64 = 1 << 20;
/// As many bytes show the compression.
const HEAD_BYTES: u64 = 4;
/// What is compressed more often stays as it is.
const LAYERS_MAX: usize = 3;
const GZIP_NAME: &str = "gzip";
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// What is read, which decides how long a line may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Rows of a table: one that never ends does not fill the memory.
    Table,
    /// A file whose lines are judged one by one later.
    Whole,
}

/// The path of a file for messages: as it was typed, but that of standard input in words.
#[must_use]
pub fn shown(path: &Path) -> PathBuf {
    if path == Path::new(STANDARD_INPUT) {
        PathBuf::from("standard input")
    } else {
        path.to_owned()
    }
}

/// The bytes of a file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) bytes: Vec<u8>,
    /// The SHA-256 of `bytes`, in hexadecimal digits.
    pub(super) fingerprint: String,
}

impl Source {
    /// Reads a file (`-` is standard input) to its end. What begins like gzip or Zstandard is decompressed, whatever its name.
    ///
    /// # Errors
    /// If it cannot be read, or ends within compressed data.
    pub(super) fn read(path: &Path, content: Content, found: &mut Found) -> Result<Self, Error> {
        let io_error = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let bytes = if path == Path::new(STANDARD_INPUT) {
            decompressed(&shown(path), Box::new(io::stdin()), content, found)?
        } else {
            let file = File::open(path).map_err(io_error)?;
            decompressed(path, Box::new(BufReader::new(file)), content, found)?
        };
        let digest = Sha256::digest(&bytes);
        Ok(Self {
            fingerprint: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            bytes,
        })
    }
}

fn decompressed(
    path: &Path,
    mut input: Box<dyn Read>,
    content: Content,
    found: &mut Found,
) -> Result<Vec<u8>, Error> {
    let mut compression = "";
    for _ in 0..LAYERS_MAX {
        // A pipe may give its bytes one by one.
        let mut head = Vec::new();
        let read = input.by_ref().take(HEAD_BYTES).read_to_end(&mut head);
        read.map_err(|source| unreadable(path, compression, source))?;
        let of_head = compression_of(&head);
        input = Box::new(Cursor::new(head).chain(input));
        let Some(name) = of_head else {
            break;
        };
        found.plain("compression", name);
        compression = name;
        input = if name == GZIP_NAME {
            Box::new(flate2::read::MultiGzDecoder::new(input))
        } else {
            let decoder = zstd::Decoder::new(input);
            Box::new(decoder.map_err(|source| unreadable(path, compression, source))?)
        };
    }
    limited(path, input, compression, content)
}

fn compression_of(head: &[u8]) -> Option<&'static str> {
    let is_skippable = matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18]);
    if head.starts_with(GZIP) {
        Some(GZIP_NAME)
    } else {
        (head.starts_with(ZSTANDARD) || is_skippable).then_some("Zstandard")
    }
}

fn limited(
    path: &Path,
    mut input: impl Read,
    compression: &'static str,
    content: Content,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let (mut line, mut of_line) = (1_u64, 0_u64);
    loop {
        let before = bytes.len();
        let read = input.by_ref().take(CHUNK_BYTES).read_to_end(&mut bytes);
        let read = read.map_err(|source| unreadable(path, compression, source))?;
        if read == 0 {
            return Ok(bytes);
        }
        if bytes.len() as u64 > BYTES_MAX {
            return Err(Error::LargeFile {
                path: path.to_owned(),
                limit: BYTES_MAX,
            });
        }
        if content == Content::Whole || is_workbook(&bytes) {
            continue;
        }
        for byte in bytes.iter().skip(before) {
            of_line += 1;
            if matches!(byte, b'\n' | b'\r') {
                line += u64::from(*byte == b'\n');
                of_line = 0;
            }
        }
        // The last line of the chunk may go on, and characters of UTF-16 have two bytes.
        if of_line > 2 * ROW_BYTES_MAX {
            return Err(Error::LongRow {
                path: path.to_owned(),
                line,
                limit: ROW_BYTES_MAX,
            });
        }
    }
}

fn unreadable(path: &Path, compression: &'static str, source: io::Error) -> Error {
    let path = path.to_owned();
    if compression.is_empty() {
        Error::Io { path, source }
    } else if source.to_string().contains(TOO_MUCH_MEMORY) {
        Error::LongWindow { path }
    } else {
        Error::Compression {
            path,
            compression,
            source,
        }
    }
}
