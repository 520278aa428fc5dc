//! An entry as a page holds it: its head and its parts.

use std::collections::BTreeMap;

use crate::codec::CodecError;
use crate::codec::part::Part;
use crate::engine::state::chunk::ChunkNumber;

/// What a part of an entry is.
const PROFILE: u8 = 0;
const CHUNK: u8 = 1;

/// Of the length before an entry, a head and a part.
pub(super) const RECORD_LENGTH_BYTES: usize = 4;

/// An entry as a page holds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored<'a> {
    /// The head; `None` while a restore has only read parts of the entry.
    pub(super) head: Option<&'a [u8]>,
    parts: &'a [u8],
}

impl<'a> Stored<'a> {
    /// An entry that is all in its head.
    pub(super) fn of_head(head: &'a [u8]) -> Self {
        Self {
            head: Some(head),
            parts: &[],
        }
    }

    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let (length, rest) = split_length::<RECORD_LENGTH_BYTES>(bytes)?;
        let (head, parts) = rest.split_at_checked(length).ok_or(CodecError::Content)?;
        let stored = Self {
            head: (!head.is_empty()).then_some(head),
            parts,
        };
        let mut rest = parts;
        while take_part(&mut rest)?.is_some() {}
        Ok(stored)
    }

    /// The parts; the bytes were checked when the entry was read.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Part, &'a [u8])> {
        let mut rest = self.parts;
        std::iter::from_fn(move || take_part(&mut rest).ok().flatten())
    }

    /// The bytes of a part.
    pub(super) fn part(&self, part: Part) -> Option<&'a [u8]> {
        let mut parts = self.parts();
        parts
            .find(|(known, _)| *known == part)
            .map(|(_, bytes)| bytes)
    }
}

/// Kind, number and length of a part precede its bytes.
fn take_part<'a>(rest: &mut &'a [u8]) -> Result<Option<(Part, &'a [u8])>, CodecError> {
    let Some((kind, after)) = rest.split_first() else {
        return Ok(None);
    };
    let (number, after) = after.split_first_chunk().ok_or(CodecError::Content)?;
    let number = u32::from_le_bytes(*number);
    let part = match (*kind, number) {
        (PROFILE, 0) => Part::Profile,
        (CHUNK, number) => Part::Chunk(ChunkNumber(number)),
        _ => return Err(CodecError::Content),
    };
    let (length, after) = split_length::<RECORD_LENGTH_BYTES>(after)?;
    let (bytes, after) = after.split_at_checked(length).ok_or(CodecError::Content)?;
    *rest = after;
    Ok(Some((part, bytes)))
}

/// The bytes of an entry; `None` where nothing is left of it.
pub(super) fn stored_bytes(
    head: Option<&[u8]>,
    parts: &BTreeMap<Part, &[u8]>,
) -> Result<Option<Vec<u8>>, CodecError> {
    if head.is_none() && parts.is_empty() {
        return Ok(None);
    }
    let head = head.unwrap_or_default();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| CodecError::Content);
    let mut stored = Vec::with_capacity(RECORD_LENGTH_BYTES + head.len());
    stored.extend_from_slice(&length(head)?.to_le_bytes());
    stored.extend_from_slice(head);
    for (part, bytes) in parts {
        let (kind, number) = match part {
            Part::Profile => (PROFILE, 0),
            Part::Chunk(number) => (CHUNK, number.0),
        };
        stored.push(kind);
        stored.extend_from_slice(&number.to_le_bytes());
        stored.extend_from_slice(&length(bytes)?.to_le_bytes());
        stored.extend_from_slice(bytes);
    }
    Ok(Some(stored))
}

/// Takes a length off the front.
pub(super) fn split_length<const BYTES: usize>(bytes: &[u8]) -> Result<(usize, &[u8]), CodecError> {
    let (length, rest) = bytes
        .split_first_chunk::<BYTES>()
        .ok_or(CodecError::Content)?;
    let length = length
        .iter()
        .rev()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    Ok((length, rest))
}
