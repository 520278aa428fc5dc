//! The characters of a text file.

use std::path::Path;

use encoding_rs::UTF_16BE;
use encoding_rs::UTF_16LE;
use encoding_rs::WINDOWS_1252;

use crate::dataset::error::Error;
use crate::dataset::found::Found;
use crate::dataset::options::Encoding;

const MARK_OF_UTF_8: &[u8] = b"\xef\xbb\xbf";
const MARK_OF_UTF_16_LITTLE: &[u8] = b"\xff\xfe";
const MARK_OF_UTF_16_BIG: &[u8] = b"\xfe\xff";
/// As many first bytes show whether a file without a mark is UTF-16.
const BYTES_LOOKED_AT: usize = 4096;

/// The encoding that the first bytes show, and the length of its mark; `None`: nothing shows it.
fn encoding_of(bytes: &[u8]) -> Option<(Encoding, usize)> {
    let marks = [
        (MARK_OF_UTF_8, Encoding::Utf8),
        (MARK_OF_UTF_16_LITTLE, Encoding::Utf16LittleEndian),
        (MARK_OF_UTF_16_BIG, Encoding::Utf16BigEndian),
    ];
    let marked = marks.iter().find(|(mark, _)| bytes.starts_with(mark));
    if let Some((mark, encoding)) = marked {
        return Some((*encoding, mark.len()));
    }
    let looked_at = bytes.len().min(BYTES_LOOKED_AT) / 2;
    let zeros = |odd: usize| {
        let halves = bytes.iter().skip(odd).step_by(2).take(looked_at);
        halves.filter(|byte| **byte == 0).count()
    };
    // Every second byte of Latin text in UTF-16 is zero; a text in UTF-8 has none.
    let (even, odd) = (zeros(0), zeros(1));
    if odd > 0 && odd * 2 > looked_at && even == 0 {
        Some((Encoding::Utf16LittleEndian, 0))
    } else if even > 0 && even * 2 > looked_at && odd == 0 {
        Some((Encoding::Utf16BigEndian, 0))
    } else {
        None
    }
}

/// The bytes without a byte order mark, as UTF-8. Bytes of no valid character stay as they are.
pub(super) fn plain_bytes(
    path: &Path,
    bytes: Vec<u8>,
    asked: Option<Encoding>,
    found: &mut Found,
) -> Result<Vec<u8>, Error> {
    let (encoding, mark) = chosen(path, &bytes, asked)?;
    found.plain("encoding", encoding.shown());
    let rest = bytes.get(mark..).unwrap_or_default();
    match encoding {
        Encoding::Utf8 if mark == 0 => Ok(bytes),
        Encoding::Utf8 => Ok(rest.to_vec()),
        Encoding::Latin1 => Ok(WINDOWS_1252
            .decode_without_bom_handling(rest)
            .0
            .into_owned()
            .into_bytes()),
        Encoding::Utf16LittleEndian | Encoding::Utf16BigEndian => {
            let coder = if encoding == Encoding::Utf16LittleEndian {
                UTF_16LE
            } else {
                UTF_16BE
            };
            let decoded = coder.decode_without_bom_handling_and_without_replacement(rest);
            match decoded {
                Some(text) if rest.len() % 2 == 0 => Ok(text.into_owned().into_bytes()),
                Some(_) | None => Err(Error::NotUtf16 {
                    path: path.to_owned(),
                    encoding: encoding.shown(),
                }),
            }
        }
    }
}

fn chosen(path: &Path, bytes: &[u8], asked: Option<Encoding>) -> Result<(Encoding, usize), Error> {
    match (asked, encoding_of(bytes)) {
        (None, shown) => Ok(shown.unwrap_or((Encoding::Utf8, 0))),
        (Some(asked), Some((shown, mark))) if asked == shown => Ok((asked, mark)),
        (Some(asked), Some((shown, mark))) if mark > 0 => Err(Error::OtherEncoding {
            path: path.to_owned(),
            asked: asked.shown(),
            shown: shown.shown(),
        }),
        (Some(asked), Some(_) | None) => Ok((asked, 0)),
    }
}

/// The characters of a text file.
///
/// # Errors
/// Names the line and the byte that is no character.
pub(super) fn text(
    path: &Path,
    bytes: Vec<u8>,
    asked: Option<Encoding>,
    found: &mut Found,
) -> Result<String, Error> {
    let bytes = plain_bytes(path, bytes, asked, found)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = bytes.get(..valid).unwrap_or_default();
        let line_start = before.iter().rposition(|byte| b"\r\n".contains(byte));
        let of_line = before.get(line_start.map_or(0, |at| at + 1)..);
        Error::NotUtf8 {
            path: path.to_owned(),
            line: 1 + line_ends(before),
            place: 1 + of_line.map_or(0, |bytes| String::from_utf8_lossy(bytes).chars().count()),
            byte: bytes.get(valid).copied().unwrap_or_default(),
            is_utf8_before: has_characters(before),
        }
    })?;
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        return Err(Error::NotText {
            path: path.to_owned(),
            line: 1 + line_ends(before),
        });
    }
    // DOS marked the end of a text so.
    let text = match text.strip_suffix('\u{1a}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    // Some programs write the mark again when they add to a file.
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.trim_start_matches('\u{feff}').to_owned()),
        None => Ok(text),
    }
}

/// Whether valid UTF-8 has a character of several bytes behind the mark that it may begin with.
fn has_characters(valid: &[u8]) -> bool {
    let text = valid.strip_prefix(b"\xef\xbb\xbf").unwrap_or(valid);
    !text.is_ascii()
}

/// Line ends of any kind: `\n`, `\r\n` or `\r`.
fn line_ends(bytes: &[u8]) -> u64 {
    let before = std::iter::once(&0).chain(bytes);
    let pairs = before.zip(bytes);
    pairs
        .filter(|(before, byte)| **byte == b'\r' || **byte == b'\n' && **before != b'\r')
        .count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_show_the_encoding() {
        let utf_16 =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let swapped = |bytes: &[u8]| -> Vec<u8> {
            bytes
                .chunks(2)
                .flat_map(|pair| [pair[1], pair[0]])
                .collect()
        };
        let little = utf_16("id;name\n1;Zoë\n");
        for (bytes, expected) in [
            (little.clone(), Some((Encoding::Utf16LittleEndian, 0))),
            (swapped(&little), Some((Encoding::Utf16BigEndian, 0))),
            (
                [b"\xff\xfe".to_vec(), little].concat(),
                Some((Encoding::Utf16LittleEndian, 2)),
            ),
            (b"\xef\xbb\xbfid".to_vec(), Some((Encoding::Utf8, 3))),
            (b"id,name".to_vec(), None),
            // One zero byte is a fault of the file, and no UTF-16.
            (b"id,na\0me,a,b,c,d".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(encoding_of(&bytes), expected, "{bytes:?}");
        }
    }
}
