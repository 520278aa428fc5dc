//! The directory of a ZIP archive, which a workbook is: what is in it, and how large that is, before anything is taken into memory.

use std::io;
use std::io::Read;

/// Most bytes of the parts of a workbook, decompressed.
pub(super) const PARTS_BYTES_MAX: u64 = 1 << 30;
const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;
/// Numbers of four and of two bytes that stand elsewhere, as they need more (ZIP64).
const ELSEWHERE: usize = 0xffff_ffff;
const COUNT_ELSEWHERE: usize = 0xffff;
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const LONG_END: &[u8] = b"PK\x06\x06";
/// The field of an entry that has its long numbers.
const LONG_FIELD: usize = 1;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
const DEFLATED: usize = 8;
/// The beginning of a part, which says how many strings it has.
const HEAD_BYTES: usize = 4096;
const COUNT_OF_STRINGS: &str = "uniqueCount=\"";

/// A part of an archive.
struct Entry<'a> {
    name: String,
    is_deflated: bool,
    data: &'a [u8],
}

/// Refuses an archive that is no workbook of the kind .xlsx, and one that would fill the memory, whatever its directory says of the sizes.
///
/// # Errors
/// Says why, and what to do.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let damaged = || "its ZIP directory is damaged, or it is cut off".to_owned();
    let entries = entries(bytes).ok_or_else(damaged)?;
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    let is_workbook = entries.iter().any(|entry| entry.name.starts_with("xl/"));
    if has("xl/workbook.bin") {
        return Err("it is of the kind .xlsb: save it as .xlsx or CSV".to_owned());
    }
    if has("content.xml") {
        return Err("it is an OpenDocument file: save it as .xlsx or CSV".to_owned());
    }
    if !is_workbook {
        return Err("it is a ZIP archive without a workbook in it: unpack it".to_owned());
    }
    let mut total = 0;
    for entry in &entries {
        let (size, head) = measured(entry, PARTS_BYTES_MAX - total).map_err(|_| damaged())?;
        total += size;
        if total > PARTS_BYTES_MAX {
            return Err(format!(
                "it has more than {PARTS_BYTES_MAX} bytes when it is decompressed: save it as CSV"
            ));
        }
        if stated_strings(&head).is_some_and(|count| count > size) {
            return Err(format!("its part {} is damaged", entry.name));
        }
    }
    Ok(())
}

/// The size of a part, up to a byte more than `limit`, and its beginning.
fn measured(entry: &Entry<'_>, limit: u64) -> io::Result<(u64, Vec<u8>)> {
    if !entry.is_deflated {
        let head = entry.data.get(..HEAD_BYTES).unwrap_or(entry.data);
        return Ok((entry.data.len() as u64, head.to_vec()));
    }
    let mut reader = flate2::read::DeflateDecoder::new(entry.data);
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    let rest = io::copy(&mut reader.take(limit + 1), &mut io::sink())?;
    Ok((head.len() as u64 + rest, head))
}

/// The count for which the reader of a workbook makes room at once.
fn stated_strings(head: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(head);
    let (_, rest) = text.split_once(COUNT_OF_STRINGS)?;
    let (digits, _) = rest.split_once('"')?;
    Some(digits.trim().parse().unwrap_or(u64::MAX))
}

fn entries(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let from = bytes.len().saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
    let tail = bytes.get(from..)?;
    let end = from + tail.windows(END.len()).rposition(|window| window == END)?;
    let (count, mut at) = directory(bytes, end)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        if bytes.get(at..at.checked_add(ENTRY.len())?)? != ENTRY {
            return None;
        }
        let name_bytes = number(bytes, at + 28, 2)?;
        let name = bytes.get(at + ENTRY_BYTES..at + ENTRY_BYTES + name_bytes)?;
        let (size, local) = extent(bytes, at, name_bytes)?;
        let header = local.checked_add(LOCAL_BYTES)?;
        let data = header + number(bytes, local + 26, 2)? + number(bytes, local + 28, 2)?;
        entries.push(Entry {
            name: String::from_utf8_lossy(name).into_owned(),
            is_deflated: number(bytes, at + 10, 2)? == DEFLATED,
            data: bytes.get(data..data.checked_add(size)?)?,
        });
        at += ENTRY_BYTES + name_bytes + number(bytes, at + 30, 2)? + number(bytes, at + 32, 2)?;
    }
    Some(entries)
}

/// How many entries the directory has, and where it begins.
fn directory(bytes: &[u8], end: usize) -> Option<(usize, usize)> {
    let (count, at) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    if count != COUNT_ELSEWHERE && at != ELSEWHERE {
        return Some((count, at));
    }
    let locator = end.checked_sub(LOCATOR_BYTES)?;
    if bytes.get(locator..locator + LOCATOR.len())? != LOCATOR {
        return Some((count, at));
    }
    let end = number(bytes, locator + 8, 8)?;
    if bytes.get(end..end.checked_add(LONG_END.len())?)? != LONG_END {
        return None;
    }
    Some((number(bytes, end + 32, 8)?, number(bytes, end + 48, 8)?))
}

/// The compressed size of an entry, and where its part begins.
fn extent(bytes: &[u8], entry: usize, name_bytes: usize) -> Option<(usize, usize)> {
    let unpacked = number(bytes, entry + 24, 4)?;
    let (size, local) = (number(bytes, entry + 20, 4)?, number(bytes, entry + 42, 4)?);
    if size != ELSEWHERE && local != ELSEWHERE {
        return Some((size, local));
    }
    let from = entry + ENTRY_BYTES + name_bytes;
    let fields = bytes.get(from..from + number(bytes, entry + 30, 2)?)?;
    let mut at = 0;
    while number(fields, at, 2)? != LONG_FIELD {
        at += 4 + number(fields, at + 2, 2)?;
    }
    // It has those of the three numbers that stand elsewhere.
    let mut next = at + 4;
    let mut long = |short: usize| {
        if short != ELSEWHERE {
            return Some(short);
        }
        next += 8;
        number(fields, next - 8, 8)
    };
    long(unpacked)?;
    Some((long(size)?, long(local)?))
}

/// A number, the low byte first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let places = bytes.iter().rev();
    Some(places.fold(0, |number, byte| number << 8 | usize::from(*byte)))
}
