//! A sheet of a workbook (.xlsx).

use std::io::Cursor;
use std::path::Path;
use std::path::PathBuf;

use calamine::CellErrorType;
use calamine::DataRef;
use calamine::ExcelDateTime;
use calamine::ExcelDateTimeType;
use calamine::Reader;
use calamine::SheetType;
use calamine::SheetVisible;
use calamine::Xlsx;
use calamine::XlsxError;
use calamine::XlsxFormulaMetadata;

use crate::dataset::archive;
use crate::dataset::archive::PARTS_BYTES_MAX;
use crate::dataset::error::Error;
use crate::dataset::fields::is_blank;
use crate::dataset::found::Found;
use crate::dataset::limited::ROW_BYTES_MAX;
use crate::dataset::options::Options;
use crate::dataset::spool::Cell;
use crate::dataset::spool::Record;
use crate::dataset::spool::Spool;
use crate::dataset::spool::SpoolWriter;
use crate::dataset::spool::Tag;
use crate::domain::counted::counted;
use crate::domain::nearest::did_you_mean;

/// More rows of one value are no title, but a table of one column.
const TITLE_ROWS_MAX: usize = 10;
const ZIP: &[u8] = b"PK\x03\x04";
/// The container of Excel's files before 2007.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0";

/// Whether a file begins as a workbook does.
pub(super) fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(ZIP) || bytes.starts_with(COMPOUND)
}

/// Reads header and rows of a sheet.
///
/// # Errors
/// If it is no workbook of the kind .xlsx, is too large, or has no such sheet.
pub(super) fn read(
    path: &Path,
    bytes: Vec<u8>,
    options: &Options,
    found: &mut Found,
) -> Result<(Vec<String>, Spool, Sheet), Error> {
    let refused = |detail: String| Error::Workbook {
        path: path.to_owned(),
        detail,
    };
    if bytes.starts_with(COMPOUND) {
        let detail = "it is a workbook of the kind .xls, or has a password: save it as .xlsx without one, or as CSV";
        return Err(refused(detail.to_owned()));
    }
    archive::check(&bytes).map_err(&refused)?;
    let opened: Result<Xlsx<_>, XlsxError> = calamine::open_workbook_from_rs(Cursor::new(bytes));
    let mut workbook = opened.map_err(|error| refused(error.to_string()))?;
    let sheets = workbook.sheets_metadata().iter();
    let sheets: Vec<(String, bool)> = sheets
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .map(|sheet| (sheet.name.clone(), sheet.visible == SheetVisible::Visible))
        .collect();
    let names: Vec<String> = sheets.iter().map(|(name, _)| name.clone()).collect();
    for name in candidates(path, &sheets, options)? {
        let failed = |error: XlsxError| refused(format!("sheet {name:?}: {error}"));
        let mut cells = workbook.worksheet_cells_reader(&name).map_err(failed)?;
        let mut table = Table::new();
        let mut row: Option<Record> = None;
        // One text may stand in many cells, so the limit of the parts is none of what the cells hold.
        let mut texts = Texts::default();
        while let Some(read) = cells.next_cell_with_formula_metadata().map_err(failed)? {
            let (line, place) = read.pos;
            let line = 1 + u64::from(line);
            if let Some(ended) = row.take_if(|row| row.line != line) {
                table.push(ended)?;
            }
            let row = row.get_or_insert_with(|| Record {
                line,
                cells: Vec::new(),
            });
            let place = place as usize;
            if row.cells.len() <= place {
                row.cells.resize_with(place + 1, Cell::default);
            }
            if let Some(slot) = row.cells.get_mut(place) {
                *slot = cell(&read.value, read.formula.as_ref());
                texts.add(path, line, slot.text.len())?;
            }
        }
        if let Some(ended) = row {
            table.push(ended)?;
        }
        if table.is_empty() && options.sheet.is_none() {
            continue;
        }
        say_sheet(&name, &names, found);
        let sheet = Sheet { name, names };
        let (header, spool) = table.finish(&sheet.path(path), found)?;
        return Ok((header, spool, sheet));
    }
    Err(Error::Empty {
        path: path.to_owned(),
    })
}

/// Bytes of the texts of cells.
#[derive(Debug, Default)]
struct Texts {
    line: u64,
    of_row: u64,
    of_sheet: u64,
}

impl Texts {
    /// Adds a cell.
    ///
    /// # Errors
    /// If the row or the sheet has more than it may have.
    fn add(&mut self, path: &Path, line: u64, bytes: usize) -> Result<(), Error> {
        if self.line != line {
            (self.line, self.of_row) = (line, 0);
        }
        self.of_row += bytes as u64;
        self.of_sheet += bytes as u64;
        if self.of_row > ROW_BYTES_MAX {
            return Err(Error::LongRow {
                path: path.to_owned(),
                line,
                limit: ROW_BYTES_MAX,
            });
        }
        if self.of_sheet > PARTS_BYTES_MAX {
            return Err(Error::Workbook {
                path: path.to_owned(),
                detail: format!(
                    "the texts of its cells have more than {PARTS_BYTES_MAX} bytes: save it as CSV"
                ),
            });
        }
        Ok(())
    }
}

/// The sheet that is read, and all of the workbook.
pub(super) struct Sheet {
    name: String,
    names: Vec<String>,
}

impl Sheet {
    /// The path of the file, with the sheet if there are others.
    pub(super) fn path(&self, file: &Path) -> PathBuf {
        if self.names.len() < 2 {
            return file.to_owned();
        }
        PathBuf::from(format!("{}, sheet {:?}", file.display(), self.name))
    }

    /// The other sheets, as a sentence that may end a message; empty if there are none.
    pub(super) fn others(&self) -> String {
        let others = self.names.iter().filter(|name| **name != self.name);
        let others: Vec<String> = others.map(|name| format!("{name:?}")).collect();
        if others.is_empty() {
            return String::new();
        }
        format!(
            ". Other sheets, which --sheet chooses: {}",
            others.join(", ")
        )
    }
}

/// The sheet that is asked for; else those that are not hidden, of which the first with a value is read.
fn candidates(
    path: &Path,
    sheets: &[(String, bool)],
    options: &Options,
) -> Result<Vec<String>, Error> {
    let names = || sheets.iter().map(|(name, _)| name);
    let Some(asked) = &options.sheet else {
        let visible = sheets.iter().filter(|(_, is_visible)| *is_visible);
        let visible: Vec<String> = visible.map(|(name, _)| name.clone()).collect();
        let is_all_hidden = visible.is_empty();
        return Ok(if is_all_hidden {
            names().cloned().collect()
        } else {
            visible
        });
    };
    if names().any(|name| name == asked) {
        return Ok(vec![asked.clone()]);
    }
    Err(Error::NoSheet {
        path: path.to_owned(),
        asked: asked.clone(),
        similar: did_you_mean(asked, names().map(String::as_str)),
        found: names().cloned().collect::<Vec<String>>().join(", "),
    })
}

fn say_sheet(sheet: &str, sheets: &[String], found: &mut Found) {
    if sheets.len() > 1 {
        let (count, all) = (sheets.len(), sheets.join(", "));
        found.notable("sheet", &format!("{sheet:?}, of {count} sheets: {all}"));
    } else {
        found.plain("sheet", &format!("{sheet:?}"));
    }
}

/// The rows of a sheet. The header is the first row that has two values: what stands above is a title. Where the first rows all have one
/// value, there is one column, and the first of them is the header.
struct Table {
    header: Vec<String>,
    /// Rows of one value before a header is found.
    above: Vec<Record>,
    /// Rows above the header, if one of them is a title.
    rows_above: u64,
    spool: SpoolWriter,
    /// Values right of the header.
    beside: u64,
}

impl Table {
    fn new() -> Self {
        Self {
            header: Vec::new(),
            above: Vec::new(),
            rows_above: 0,
            spool: SpoolWriter::new(),
            beside: 0,
        }
    }

    /// Whether there was no value at all.
    fn is_empty(&self) -> bool {
        self.header.is_empty() && self.above.is_empty()
    }

    fn push(&mut self, record: Record) -> Result<(), Error> {
        let values = record.cells.iter().filter(|cell| !cell.text.is_empty());
        match (self.header.is_empty(), values.count()) {
            (_, 0) => Ok(()),
            (true, 1) => {
                self.above.push(record);
                if self.above.len() > TITLE_ROWS_MAX {
                    self.take_first_as_header()?;
                }
                Ok(())
            }
            (true, _) => {
                if !self.above.is_empty() {
                    self.rows_above = record.line - 1;
                }
                self.above.clear();
                self.header = texts(record);
                Ok(())
            }
            (false, _) => self.push_row(record),
        }
    }

    fn take_first_as_header(&mut self) -> Result<(), Error> {
        let mut rows = std::mem::take(&mut self.above).into_iter();
        if let Some(first) = rows.next() {
            self.header = texts(first);
        }
        rows.try_for_each(|row| self.push_row(row))
    }

    fn push_row(&mut self, mut record: Record) -> Result<(), Error> {
        let beside = record.cells.iter().skip(self.header.len());
        self.beside += beside.filter(|cell| !cell.text.is_empty()).count() as u64;
        record.cells.resize_with(self.header.len(), Cell::default);
        if record.cells.iter().all(|cell| cell.text.is_empty()) {
            return Ok(());
        }
        let pushed = self.spool.push(&record);
        pushed.map_err(|source| Error::Spool { source })
    }

    fn finish(mut self, path: &Path, found: &mut Found) -> Result<(Vec<String>, Spool), Error> {
        if self.header.is_empty() {
            self.take_first_as_header()?;
        }
        if self.header.is_empty() {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
        match self.rows_above {
            0 => {}
            1 => found.notable("title", "row 1, above the header, was left out"),
            last => {
                let what = format!("rows 1 to {last}, above the header, were left out");
                found.notable("title", &what);
            }
        }
        if self.beside > 0 {
            let what = format!(
                "{} left out",
                counted(
                    self.beside,
                    "value right of the header was",
                    "values right of the header were"
                )
            );
            found.notable("cells", &what);
        }
        let spool = self.spool.finish();
        Ok((
            self.header,
            spool.map_err(|source| Error::Spool { source })?,
        ))
    }
}

/// The texts of a header, without the empty cells at its end.
fn texts(record: Record) -> Vec<String> {
    let cells = record.cells.into_iter();
    let mut texts: Vec<String> = cells.map(|cell| cell.text).collect();
    let last = texts.iter().rposition(|text| !text.is_empty());
    texts.truncate(last.map_or(0, |last| last + 1));
    texts
}

fn cell(data: &DataRef<'_>, formula: Option<&XlsxFormulaMetadata>) -> Cell {
    let (tag, text) = match data {
        DataRef::Empty => match formula {
            None => (Tag::Text, String::new()),
            Some(formula) => (Tag::Uncomputed, shown(formula)),
        },
        DataRef::String(text) => (Tag::Text, text.trim_matches(is_blank).to_owned()),
        DataRef::SharedString(text) => (Tag::Text, text.trim_matches(is_blank).to_owned()),
        DataRef::Bool(value) => (Tag::Text, value.to_string()),
        DataRef::Int(number) => (Tag::Number, number.to_string()),
        // The shortest decimal that reads back to the same number, without an exponent.
        DataRef::Float(number) => (Tag::Number, number.to_string()),
        DataRef::DateTime(at) if at.is_datetime() => date(*at),
        DataRef::DateTime(duration) => (Tag::Number, duration.as_f64().to_string()),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => (Tag::Date, text.clone()),
        // What a formula has not found is missing.
        DataRef::Error(CellErrorType::NA) => (Tag::Text, String::new()),
        DataRef::Error(error) => (Tag::Broken, error.to_string()),
    };
    Cell { tag, text }
}

/// A formula, for a message.
fn shown(formula: &XlsxFormulaMetadata) -> String {
    match formula {
        XlsxFormulaMetadata::Normal { formula } | XlsxFormulaMetadata::Shared { formula, .. } => {
            format!("={formula}")
        }
        XlsxFormulaMetadata::SharedDerived { .. } | _ => "=...".to_owned(),
    }
}

/// The time of the day that a number of a workbook is as a part of the day, which spreadsheets show in a format such as `[h]:mm`.
pub(super) fn time_of_day(number: &str) -> Option<String> {
    let part = number.parse::<f64>().ok();
    let part = part.filter(|part| (0.0..1.0).contains(part))?;
    let at = ExcelDateTime::new(part, ExcelDateTimeType::DateTime, false);
    Some(date(at).1)
}

fn date(at: ExcelDateTime) -> (Tag, String) {
    let (year, month, day, hour, minute, second, millisecond) = at.to_ymd_hms_milli();
    if at.as_f64() < 1.0 {
        return (Tag::Time, format!("{hour:02}:{minute:02}:{second:02}"));
    }
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second, millisecond) != (0, 0, 0, 0) {
        text.push_str(&format!(
            " {hour:02}:{minute:02}:{second:02}.{millisecond:03}"
        ));
    }
    (Tag::Date, text)
}
