//! The value of a dead letter's record: whole, or compressed or cut so that it fits a topic.

use std::io::Read;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

/// How much of a value was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadState {
    /// All of it, as it came.
    Whole,
    /// All of it, compressed.
    Compressed,
    /// Its beginning.
    Cut,
    /// The value is null.
    Null,
}

impl PayloadState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Compressed => "compressed",
            Self::Cut => "cut",
            Self::Null => "null",
        }
    }

    /// `encoding` is the header `value_encoding`. One that this version does not know cannot be undone.
    pub(super) fn of(value: Option<&[u8]>, encoding: Option<&str>) -> Self {
        match (value, encoding) {
            (None, _) => Self::Null,
            (Some(_), None) => Self::Whole,
            (Some(_), Some("zstd")) => Self::Compressed,
            (Some(_), Some(_)) => Self::Cut,
        }
    }
}

/// Why there is no payload.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// It does not fit.
    TooLarge,
    /// What was kept is not what came.
    Damaged(String),
}

/// The value as it came, or its beginning where it was cut, if it is at most so many bytes. Length and hash of what came are
/// known where it was compressed.
pub(super) fn payload_of(
    value: Option<&[u8]>,
    state: PayloadState,
    (length, hash): (Option<u64>, Option<&str>),
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, Failed> {
    let Some(value) = value else { return Ok(None) };
    if value.len() > bytes_max {
        return Err(Failed::TooLarge);
    }
    if state != PayloadState::Compressed {
        return Ok(Some(value.to_vec()));
    }
    let damaged = |problem: &str| Failed::Damaged(format!("the compressed payload {problem}"));
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    if length.is_some_and(|length| length > limit) {
        return Err(Failed::TooLarge);
    }
    let mut payload = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(value);
    let read = decoder.and_then(|decoder| {
        let mut bounded = decoder.take(limit.saturating_add(1));
        bounded.read_to_end(&mut payload)
    });
    read.map_err(|error| damaged(&format!("cannot be decompressed: {error}")))?;
    if payload.len() > bytes_max {
        return Err(Failed::TooLarge);
    }
    let found = format!("{:x}", Sha256::digest(&payload));
    if hash.is_some_and(|hash| hash != found) {
        return Err(damaged("does not have the hash of value_sha256"));
    }
    Ok(Some(payload))
}
