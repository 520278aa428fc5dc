//! Records of sources and outputs as they are stored, in this format and in format 1.

use std::borrow::Cow;

use serde::Deserialize;

use crate::domain::time::Timestamp;
use crate::log::Header;
use crate::log::OutputRecord;
use crate::log::embedded::former::layout::Encoding;
use crate::log::embedded::former::layout::decode;
use crate::log::embedded::records::InputRecord;

#[derive(Debug, Deserialize)]
struct StoredInput<'a> {
    timestamp: Option<i64>,
    #[serde(borrow)]
    key: Option<&'a [u8]>,
    #[serde(borrow)]
    payload: Option<&'a [u8]>,
    #[serde(borrow)]
    headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// As format 1 has it.
#[derive(Deserialize)]
struct OldInput<'a> {
    timestamp: Option<i64>,
    #[serde(borrow)]
    key: Option<&'a [u8]>,
    #[serde(borrow)]
    payload: &'a [u8],
}

impl<'a> From<OldInput<'a>> for StoredInput<'a> {
    fn from(old: OldInput<'a>) -> Self {
        Self {
            timestamp: old.timestamp,
            key: old.key,
            payload: Some(old.payload),
            headers: Vec::new(),
        }
    }
}

impl From<StoredInput<'_>> for InputRecord {
    fn from(stored: StoredInput<'_>) -> Self {
        let headers = stored.headers.into_iter();
        Self {
            timestamp: stored.timestamp.and_then(Timestamp::from_milliseconds),
            key: stored.key.map(<[u8]>::to_vec),
            payload: stored.payload.map(<[u8]>::to_vec),
            headers: headers
                .map(|(name, value)| (Cow::Owned(name.to_owned()), value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }
}

/// Decodes a record of a source; `None` where it is damaged.
pub(super) fn decode_input(bytes: &[u8]) -> Option<InputRecord> {
    let old = || decode::<OldInput<'_>>(Encoding::One, bytes).map(StoredInput::from);
    let stored: Option<StoredInput<'_>> = decode(Encoding::Two, bytes);
    stored.or_else(old).map(InputRecord::from)
}

#[derive(Debug, Deserialize)]
struct StoredOutput {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

/// As format 1 has it.
#[derive(Deserialize)]
struct OldOutput {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

impl From<OldOutput> for StoredOutput {
    fn from(old: OldOutput) -> Self {
        let headers = old.headers.into_iter();
        Self {
            timestamp: old.timestamp,
            key: old.key,
            value: Some(old.value),
            headers: headers.map(|(name, value)| (name, Some(value))).collect(),
        }
    }
}

impl From<StoredOutput> for OutputRecord {
    fn from(stored: StoredOutput) -> Self {
        Self {
            timestamp: Timestamp::from_milliseconds(stored.timestamp).unwrap_or_default(),
            key: stored.key,
            value: stored.value,
            headers: stored.headers,
        }
    }
}

/// Decodes a record of an output; `None` where it is damaged.
pub(super) fn decode_output(bytes: &[u8]) -> Option<OutputRecord> {
    let old = || decode::<OldOutput>(Encoding::One, bytes).map(StoredOutput::from);
    let stored: Option<StoredOutput> = decode(Encoding::Two, bytes);
    stored.or_else(old).map(OutputRecord::from)
}
