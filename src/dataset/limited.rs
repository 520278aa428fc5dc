//! Reads a file row by row in bounded memory: a row that never ends is an error and does not fill the memory.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

/// Most bytes of a row, quoted line breaks included. What is read ahead may let a little more pass.
pub const ROW_BYTES_MAX: u64 = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const CHUNK_BYTES: usize = 64 * 1024;

/// A file without its byte order mark.
#[derive(Debug)]
pub struct Limited {
    /// The beginning, up to the end of the first line at least.
    head: Vec<u8>,
    head_read: usize,
    file: File,
    /// Read since the last row ended.
    since_row: Cell<u64>,
}

impl Limited {
    /// Opens a file and reads its first line.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        while !head.contains(&b'\n') && within(head.len() as u64) {
            let before = head.len();
            file.by_ref()
                .take(CHUNK_BYTES as u64)
                .read_to_end(&mut head)?;
            if head.len() == before {
                break;
            }
        }
        let head_read = if head.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        Ok(Self {
            head,
            head_read,
            file,
            since_row: Cell::new(0),
        })
    }

    /// The first line, or as much of it as a row may have.
    #[must_use]
    pub fn first_line(&self) -> &[u8] {
        self.head
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default()
    }

    /// A row has ended.
    pub fn next_row(&self) {
        self.since_row.set(0);
    }
}

fn within(bytes: u64) -> bool {
    bytes <= ROW_BYTES_MAX
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !within(self.since_row.get()) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut rest = self.head.get(self.head_read..).unwrap_or_default();
        let read = if rest.is_empty() {
            self.file.read(buffer)?
        } else {
            let read = rest.read(buffer)?;
            self.head_read += read;
            read
        };
        self.since_row.set(self.since_row.get() + read as u64);
        Ok(read)
    }
}
