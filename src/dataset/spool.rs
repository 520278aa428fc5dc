//! The rows of a file in a temporary file without a name, so that they can be read more than once, and so that what is read is
//! what the file had when it was opened.

use std::io;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;

use tempfile::SpooledTempFile;

/// Smaller ones stay in memory.
const MEMORY_BYTES_MAX: usize = 8 << 20;

/// One cell of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) tag: Tag,
    /// Without spaces around it.
    pub(super) text: String,
}

/// What a cell is. All cells of a text file are texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tag {
    #[default]
    Text,
    /// A number of a workbook, written with a point and without an exponent.
    Number,
    /// A date of a workbook, in ISO 8601, with a time if it has one.
    Date,
    /// A time of the day of a workbook, such as `08:26:00`.
    Time,
    /// An error of a workbook's formula, such as `#REF!`.
    Broken,
    /// A formula of a workbook that no program has computed.
    Uncomputed,
}

/// A row with its line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// From 1.
    pub(super) line: u64,
    pub(super) cells: Vec<Cell>,
}

/// Takes rows.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    file: BufWriter<SpooledTempFile>,
    rows: u64,
}

/// Gives them back, as often as asked.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufReader<SpooledTempFile>,
    rows: u64,
    rows_left: u64,
}

impl SpoolWriter {
    pub(super) fn new() -> Self {
        Self {
            file: BufWriter::new(SpooledTempFile::new(MEMORY_BYTES_MAX)),
            rows: 0,
        }
    }

    pub(super) fn push(&mut self, record: &Record) -> io::Result<()> {
        self.rows += 1;
        self.file.write_all(&record.line.to_le_bytes())?;
        self.number(record.cells.len())?;
        for cell in &record.cells {
            self.file.write_all(&[cell.tag.byte()])?;
            self.number(cell.text.len())?;
            self.file.write_all(cell.text.as_bytes())?;
        }
        Ok(())
    }

    fn number(&mut self, number: usize) -> io::Result<()> {
        let number = u32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.file.write_all(&number.to_le_bytes())
    }

    pub(super) fn finish(self) -> io::Result<Spool> {
        let mut file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Spool {
            file: BufReader::new(file),
            rows: self.rows,
            rows_left: self.rows,
        })
    }
}

impl Spool {
    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The first row is the next one again.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.rows_left = self.rows;
        self.file.seek(SeekFrom::Start(0)).map(|_| ())
    }

    /// Reads the next row into `record`; `false` after the last one.
    pub(super) fn next(&mut self, record: &mut Record) -> io::Result<bool> {
        if self.rows_left == 0 {
            return Ok(false);
        }
        self.rows_left -= 1;
        let mut line = [0; 8];
        self.file.read_exact(&mut line)?;
        record.line = u64::from_le_bytes(line);
        let cells = self.number()?;
        record.cells.resize_with(cells, Cell::default);
        for cell in &mut record.cells {
            let mut tag = [0; 1];
            self.file.read_exact(&mut tag)?;
            cell.tag = Tag::of(tag);
            let mut bytes = std::mem::take(&mut cell.text).into_bytes();
            bytes.resize(read_number(&mut self.file)?, 0);
            self.file.read_exact(&mut bytes)?;
            cell.text = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        }
        Ok(true)
    }

    fn number(&mut self) -> io::Result<usize> {
        read_number(&mut self.file)
    }
}

fn read_number(file: &mut impl Read) -> io::Result<usize> {
    let mut number = [0; 4];
    file.read_exact(&mut number)?;
    usize::try_from(u32::from_le_bytes(number)).map_err(|_| io::ErrorKind::InvalidData.into())
}

impl Tag {
    fn byte(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Number => 1,
            Self::Date => 2,
            Self::Broken => 3,
            Self::Time => 4,
            Self::Uncomputed => 5,
        }
    }

    fn of([byte]: [u8; 1]) -> Self {
        match byte {
            1 => Self::Number,
            2 => Self::Date,
            3 => Self::Broken,
            4 => Self::Time,
            5 => Self::Uncomputed,
            _ => Self::Text,
        }
    }
}
