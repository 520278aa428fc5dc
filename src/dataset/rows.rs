//! A table with a header, read row by row.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::dataset::column::Column;
use crate::dataset::column::Others;
use crate::dataset::delimited;
use crate::dataset::error::Error;
use crate::dataset::found::Found;
use crate::dataset::header;
use crate::dataset::kinds;
use crate::dataset::options::Options;
use crate::dataset::options::Separator;
use crate::dataset::row::Row;
use crate::dataset::settle::settle;
use crate::dataset::shape::Shape;
use crate::dataset::source::Content;
use crate::dataset::source::Source;
use crate::dataset::source::shown;
use crate::dataset::spool::Record;
use crate::dataset::spool::Spool;
use crate::dataset::text;
use crate::dataset::workbook;

/// A table with a header, read row by row: CSV and its like, or a sheet of a workbook, compressed or not, from a file, a pipe or
/// standard input (`-`). It is read to its end when it is opened, so all rows are of one moment and may be read again.
///
/// Open it, say with [`Rows::expect`] which columns there must be and what their values are, then take row after row.
#[derive(Debug)]
pub struct Rows {
    shape: Shape,
    spool: Spool,
    record: Record,
    found: Found,
    fingerprint: String,
}

impl Rows {
    /// Opens a file (`-` is standard input) and reads it to its end.
    ///
    /// # Errors
    /// If it cannot be read, is not a table, or has a row with more or fewer fields than the header.
    pub fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let mut found = Found::default();
        let Source { bytes, fingerprint } = Source::read(path, Content::Table, &mut found)?;
        let path = &shown(path);
        kinds::refuse_others(path, &bytes)?;
        let is_workbook = workbook::is_workbook(&bytes);
        refuse_flags(path, is_workbook, options)?;
        let mut sheet = None;
        let (header, spool, has_semicolons) = if is_workbook {
            let (header, spool, taken) = workbook::read(path, bytes, options, &mut found)?;
            sheet = Some(taken);
            (header, spool, false)
        } else {
            let text = text::text(path, bytes, options.encoding, &mut found)?;
            let (header, spool, separator) = delimited::read(path, &text, options, &mut found)?;
            (header, spool, separator == Separator(';'))
        };
        let (path, other_sheets) = match sheet {
            Some(sheet) => (sheet.path(path), sheet.others()),
            None => (path.to_owned(), String::new()),
        };
        let (names, joined) = header::names(&path, &header, &options.columns)?;
        Ok(Self {
            shape: Shape {
                path,
                options: options.clone(),
                names,
                joined,
                other_sheets,
                header,
                has_semicolons,
                expected: Vec::new(),
                others: Others::Ignored,
                conventions: BTreeMap::new(),
            },
            spool,
            record: Record::default(),
            found,
            fingerprint,
        })
    }

    /// Says what the format expects, and settles from all rows how dates and numbers of these columns are written. Call it once, before the
    /// first row.
    ///
    /// # Errors
    /// Names a required column that is missing, with a guess at `--columns`; a name in `--columns` that neither the format nor the file has;
    /// a column that is there twice; dates or amounts that can be read in two ways.
    pub fn expect(&mut self, columns: &[Column], others: Others) -> Result<(), Error> {
        header::check(&self.shape, columns, others)?;
        self.shape.expect(columns);
        self.shape.others = others;
        settle(&mut self.shape, &mut self.spool, &mut self.found)
    }

    /// The names of the columns: those of `--columns` where it names them, else those of the header. Columns without a name are left out.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.shape.names.iter().map(|name| name.name.as_str())
    }

    pub(super) fn found_mut(&mut self) -> &mut Found {
        &mut self.found
    }

    /// Whether there is a column of this name.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.shape.place(column).is_some()
    }

    /// The next row.
    ///
    /// # Errors
    /// If the temporary file cannot be read.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        let read = self.spool.next(&mut self.record);
        if !read.map_err(|source| Error::Spool { source })? {
            return Ok(None);
        }
        self.shape.join(&mut self.record);
        Ok(Some(Row::new(&self.shape, &self.record)))
    }

    /// The first row is the next one again.
    ///
    /// # Errors
    /// If the temporary file cannot be read.
    pub fn rewind(&mut self) -> Result<(), Error> {
        let rewound = self.spool.rewind();
        rewound.map_err(|source| Error::Spool { source })
    }

    /// How many rows there are below the header.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.spool.rows()
    }

    /// What was found about the file; complete after [`Rows::expect`].
    #[must_use]
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The SHA-256 of the bytes that were read (of a compressed text file, of the text), in hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The path for messages, as it was typed, with the sheet of a workbook.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.shape.path
    }
}

/// A flag that does not apply to a kind of file is not ignored silently.
fn refuse_flags(path: &Path, is_workbook: bool, options: &Options) -> Result<(), Error> {
    let (flags, what) = if is_workbook {
        let encoding = ("--encoding", options.encoding.is_some());
        let separator = ("--separator", options.separator.is_some());
        (vec![encoding, separator], "workbook")
    } else {
        (vec![("--sheet", options.sheet.is_some())], "text file")
    };
    match flags.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => Err(Error::OtherKind {
            path: path.to_owned(),
            flag,
            what,
        }),
    }
}
