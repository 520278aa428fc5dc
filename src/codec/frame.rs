//! What every value has in common: one format byte, the CRC-32 of the rest, and the rest.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Format of everything that is written.
pub const FORMAT: u8 = 5;
pub(super) const CHECKSUM_BYTES: usize = 4;
/// Bytes before the content.
pub(super) const PREFIX_BYTES: usize = 1 + CHECKSUM_BYTES;

/// Why bytes cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Written by a newer version.
    #[error(
        "it was written in format {found} by a newer version of segstream, and this one reads formats 3 to {FORMAT}: \
         run the newer version"
    )]
    Newer {
        /// Its format byte, or its key's kind.
        found: u8,
    },
    /// Written by a version whose format is not read any more, or not by segstream.
    #[error("the bytes are of format {found}, and formats 3 to {FORMAT} are read")]
    Format {
        /// Its format byte.
        found: u8,
    },
    /// Damaged.
    #[error("the bytes do not match their checksum")]
    Checksum,
    /// The checksum matches, but the content does not fit the format.
    #[error("the bytes do not decode")]
    Content,
    /// A part that an entry names is not there, or is an older one.
    #[error("a part that the entry names is missing")]
    Missing,
    /// An entry names a number that its partition's table does not have.
    #[error(
        "number {number} of a segment, model version or category is not in the partition's table"
    )]
    Unnamed {
        /// The number.
        number: u32,
    },
}

/// The error of a format byte that is not expected.
pub(super) fn unexpected(found: u8) -> CodecError {
    if found > FORMAT {
        CodecError::Newer { found }
    } else {
        CodecError::Format { found }
    }
}

/// An empty frame with room for the content; [`seal`] completes it.
pub(super) fn begin(content_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + content_bytes);
    bytes.extend_from_slice(&[FORMAT, 0, 0, 0, 0]);
    bytes
}

/// Writes the checksum.
pub(super) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let (prefix, content) = bytes.split_at_mut(PREFIX_BYTES);
    if let Some(checksum) = prefix.get_mut(1..) {
        checksum.copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    }
    // The bytes are kept for long, so unused capacity is given back.
    bytes.as_slice().to_vec()
}

/// What follows the checksum of a value of the current format, if it is right.
pub(super) fn checked(bytes: &[u8]) -> Result<&[u8], CodecError> {
    checked_of(bytes, FORMAT)
}

/// The same for a value of another format.
pub(super) fn checked_of(bytes: &[u8], format: u8) -> Result<&[u8], CodecError> {
    let (found, rest) = bytes.split_first().ok_or(CodecError::Content)?;
    if *found != format {
        return Err(unexpected(*found));
    }
    let (checksum, content) = rest
        .split_first_chunk::<CHECKSUM_BYTES>()
        .ok_or(CodecError::Content)?;
    if u32::from_le_bytes(*checksum) != crc32fast::hash(content) {
        return Err(CodecError::Checksum);
    }
    Ok(content)
}

/// Appends a value to a frame.
pub(super) fn push<T: Serialize>(bytes: Vec<u8>, value: &T) -> Result<Vec<u8>, CodecError> {
    postcard::serialize_with_flavor(value, Bytes(bytes)).map_err(|_| CodecError::Content)
}

/// A value that fills its content.
pub(super) fn whole<T: DeserializeOwned>(content: &[u8]) -> Result<T, CodecError> {
    let mut rest = content;
    let value = take(&mut rest)?;
    ended(rest)?;
    Ok(value)
}

/// Takes a value off the front.
pub(super) fn take<T: DeserializeOwned>(rest: &mut &[u8]) -> Result<T, CodecError> {
    let (value, left) = postcard::take_from_bytes(rest).map_err(|_| CodecError::Content)?;
    *rest = left;
    Ok(value)
}

/// Takes what a version appended to the content; `None` where an earlier one wrote it.
pub(super) fn take_appended<T: DeserializeOwned>(
    rest: &mut &[u8],
) -> Result<Option<T>, CodecError> {
    if rest.is_empty() {
        Ok(None)
    } else {
        take(rest).map(Some)
    }
}

/// Nothing is left of a content.
pub(super) fn ended(rest: &[u8]) -> Result<(), CodecError> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(CodecError::Content)
    }
}

/// Encodes one value as a frame.
pub(super) fn encode<T: Serialize>(value: &T, content_bytes: usize) -> Result<Vec<u8>, CodecError> {
    Ok(seal(push(begin(content_bytes), value)?))
}

/// Where postcard writes to.
struct Bytes(Vec<u8>);

impl postcard::ser_flavors::Flavor for Bytes {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}
