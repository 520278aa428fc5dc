//! Keys of the state changelog. The first byte is a kind from 0xF8 on; no UTF-8 text begins so. Format 3 had
//! the bare customer ids as keys, and the empty key for the checkpoint: no such key begins so either.

use crate::codec::frame::CodecError;
use crate::codec::part::Part;
use crate::domain::ids::CustomerId;
use crate::engine::state::chunk::ChunkNumber;

/// The partition's checkpoint.
const CHECKPOINT: u8 = 0xF8;
/// The partition's definition table.
const TABLE: u8 = 0xF9;
/// A customer's entry: its id, with its length before it.
const HEAD: u8 = 0xFA;
/// A chunk of a customer: its id, with its length before it, and its number.
const CHUNK: u8 = 0xFB;
/// A customer's profile: its id, with its length before it.
const PROFILE: u8 = 0xFC;
// 0xFD histories, 0xFE suppressions and 0xFF for further kinds are not written yet.
const KIND_MIN: u8 = 0xF8;
const LENGTH_BYTES: usize = 2;

/// What a key of the changelog stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateKey {
    /// The partition's checkpoint.
    Checkpoint,
    /// The partition's definition table.
    Table,
    /// The head of a customer's entry.
    Head(CustomerId),
    /// A part of a customer's entry.
    Part(CustomerId, Part),
    /// The checkpoint in format 3.
    OldCheckpoint,
    /// A customer's record in format 3.
    OldRecord(CustomerId),
}

impl StateKey {
    /// The key's bytes. The length of an id precedes it, so that what follows an id in other kinds cannot be mistaken
    /// for a part of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Checkpoint => vec![CHECKPOINT],
            Self::Table => vec![TABLE],
            Self::Head(customer_id) => of_customer(HEAD, customer_id, &[]),
            Self::Part(customer_id, Part::Profile) => of_customer(PROFILE, customer_id, &[]),
            Self::Part(customer_id, Part::Chunk(number)) => {
                of_customer(CHUNK, customer_id, &number.0.to_be_bytes())
            }
            Self::OldCheckpoint => Vec::new(),
            Self::OldRecord(customer_id) => customer_id.as_str().as_bytes().to_vec(),
        }
    }

    /// Reads a key.
    ///
    /// # Errors
    /// If it is of a newer kind, or not a key of the state.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        match bytes.split_first() {
            None => Ok(Self::OldCheckpoint),
            Some((&CHECKPOINT, [])) => Ok(Self::Checkpoint),
            Some((&TABLE, [])) => Ok(Self::Table),
            Some((&HEAD, rest)) => match split_customer(rest)? {
                (customer_id, []) => Ok(Self::Head(customer_id)),
                _ => Err(CodecError::Content),
            },
            Some((&PROFILE, rest)) => match split_customer(rest)? {
                (customer_id, []) => Ok(Self::Part(customer_id, Part::Profile)),
                _ => Err(CodecError::Content),
            },
            Some((&CHUNK, rest)) => {
                let (customer_id, number) = split_customer(rest)?;
                let number = number.try_into().map_err(|_| CodecError::Content)?;
                let number = ChunkNumber(u32::from_be_bytes(number));
                Ok(Self::Part(customer_id, Part::Chunk(number)))
            }
            Some((found, _)) if *found >= KIND_MIN => Err(CodecError::Newer { found: *found }),
            Some(_) => customer(bytes).map(Self::OldRecord),
        }
    }
}

fn of_customer(kind: u8, customer_id: &CustomerId, rest: &[u8]) -> Vec<u8> {
    let id = customer_id.as_str().as_bytes();
    let length = u16::try_from(id.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(1 + LENGTH_BYTES + id.len() + rest.len());
    bytes.push(kind);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(rest);
    bytes
}

fn split_customer(bytes: &[u8]) -> Result<(CustomerId, &[u8]), CodecError> {
    let (length, rest) = bytes
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or(CodecError::Content)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (id, rest) = rest.split_at_checked(length).ok_or(CodecError::Content)?;
    Ok((customer(id)?, rest))
}

fn customer(id: &[u8]) -> Result<CustomerId, CodecError> {
    let text = std::str::from_utf8(id).map_err(|_| CodecError::Content)?;
    if text.is_empty() {
        return Err(CodecError::Content);
    }
    Ok(CustomerId::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back() {
        let id = || CustomerId::new("ä-1\u{10ffff}");
        for key in [
            StateKey::Checkpoint,
            StateKey::Table,
            StateKey::Head(id()),
            StateKey::Part(id(), Part::Profile),
            StateKey::Part(id(), Part::Chunk(ChunkNumber(u32::MAX))),
            StateKey::OldCheckpoint,
            StateKey::OldRecord(id()),
        ] {
            assert_eq!(StateKey::decode(&key.encode()), Ok(key));
        }
    }

    #[test]
    fn keys_of_newer_kinds_and_broken_ones_are_refused() {
        for kind in 0xFD..=0xFF {
            let newer = StateKey::decode(&[kind, 0, 1, b'x']);
            assert_eq!(newer, Err(CodecError::Newer { found: kind }));
        }
        for broken in [
            &[HEAD][..],
            &[HEAD, 0],
            &[HEAD, 0, 2, b'x'],
            &[HEAD, 0, 1, b'x', b'y'],
            &[HEAD, 0, 0],
            &[0xC3],
        ] {
            assert_eq!(
                StateKey::decode(broken),
                Err(CodecError::Content),
                "{broken:?}"
            );
        }
        assert_eq!(
            StateKey::decode(&[CHECKPOINT, 0]),
            Err(CodecError::Newer { found: CHECKPOINT })
        );
    }
}
