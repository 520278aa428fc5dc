//! What a file is by its first bytes.

use std::path::Path;

use crate::dataset::error::Error;
use crate::dataset::workbook::is_workbook;

const JSON: &str = "JSON, not a table: events are read with --format jsonl, one a line";
const NOT_TEXT: [(&[u8], &str); 10] = [
    (b"PAR1", "a Parquet file: write it as CSV"),
    (b"%PDF", "a PDF"),
    (b"BZh91AY", "compressed with bzip2: gzip and zstd are read"),
    (b"\xfd7zXZ\0", "compressed with xz: gzip and zstd are read"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (
        b"\x04\x22\x4d\x18",
        "compressed with lz4: gzip and zstd are read",
    ),
    (
        b"SQLite format 3\0",
        "an SQLite database: write the table as CSV",
    ),
    (b"[{", JSON),
    (b"{\"", JSON),
    (b"<?xml", "XML, not a table: save it as .xlsx or CSV"),
];
const HTML: [&str; 3] = ["<!doctype html", "<html", "<table"];

/// Refuses what is no text, of a format whose lines are judged one by one later.
///
/// # Errors
/// Says what it is.
pub(super) fn refuse_all_but_text(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if is_workbook(bytes) {
        return Err(Error::NotATable {
            path: path.to_owned(),
            what: "a workbook or an archive, and the format is one of text: unpack it, or give the format of its table",
        });
    }
    match refuse_others(path, bytes) {
        Err(Error::NotATable { what, .. }) if what == JSON => Ok(()),
        judged => judged,
    }
}

/// Refuses what is neither a text nor a workbook, with what to do.
///
/// # Errors
/// Says what it is.
pub(super) fn refuse_others(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = text.trim_ascii_start();
    let lower: Vec<u8> = text.iter().take(20).map(u8::to_ascii_lowercase).collect();
    let is_html = HTML.iter().any(|tag| lower.starts_with(tag.as_bytes()));
    let known = NOT_TEXT.iter().find(|(magic, _)| text.starts_with(magic));
    let what = match known {
        Some((_, what)) => what,
        None if is_html => "an HTML page, whatever its name: save it as .xlsx or CSV",
        None => return Ok(()),
    };
    Err(Error::NotATable {
        path: path.to_owned(),
        what,
    })
}
