//! The sections of an entry: what is behind the fixed header. Each has a kind, a length and its content; a section
//! whose content is the default one is left out.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::frame;
use crate::codec::frame::CodecError;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Section {
    /// Purchases by day.
    Ledger = 1,
    /// First and last purchase, and the greatest event day.
    Span = 2,
    /// What is known of the person.
    Profile = 3,
    /// Remembered events and the floor.
    Remembered = 4,
    /// Next offsets of the sources besides the events.
    Sources = 5,
}

const LENGTH_BYTES: usize = 4;

/// Appends a section, unless it is the default one.
pub(super) fn push<T: Serialize + Default + PartialEq>(
    mut bytes: Vec<u8>,
    section: Section,
    value: &T,
) -> Result<Vec<u8>, CodecError> {
    if *value == T::default() {
        return Ok(bytes);
    }
    bytes.push(section as u8);
    let length_at = bytes.len();
    bytes.extend_from_slice(&[0; LENGTH_BYTES]);
    let mut bytes = frame::push(bytes, value)?;
    let length = bytes.len() - length_at - LENGTH_BYTES;
    let length = u32::try_from(length).map_err(|_| CodecError::Content)?;
    if let Some(place) = bytes.get_mut(length_at..length_at + LENGTH_BYTES) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    Ok(bytes)
}

/// Calls `take` with the kind and the content of each section.
pub(super) fn each(
    mut bytes: &[u8],
    mut take: impl FnMut(u8, &[u8]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    while let Some((kind, rest)) = bytes.split_first() {
        let (length, rest) = rest
            .split_first_chunk::<LENGTH_BYTES>()
            .ok_or(CodecError::Content)?;
        let length =
            usize::try_from(u32::from_le_bytes(*length)).map_err(|_| CodecError::Content)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(CodecError::Content)?;
        take(*kind, content)?;
        bytes = rest;
    }
    Ok(())
}

/// The content of a section.
pub(super) fn read<T: DeserializeOwned>(content: &[u8]) -> Result<T, CodecError> {
    frame::whole(content)
}
