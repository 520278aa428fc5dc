//! Records as sections hold them: how many offsets lie between a record and the one before, the record's length, and the
//! record. A record of length 0 is an empty slot, in which another one was once.

use std::borrow::Cow;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

use crate::domain::time::Timestamp;
use crate::log::Header;
use crate::log::OutputRecord;
use crate::log::embedded::frame::Section;
use crate::log::embedded::frame::Stream;

/// A record to append to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRecord {
    /// Its record time.
    pub timestamp: Option<Timestamp>,
    /// Its key; decides the partition.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is null.
    pub payload: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<Header>,
}

impl InputRecord {
    /// A record without headers.
    #[must_use]
    pub fn new(timestamp: Option<Timestamp>, key: Option<Vec<u8>>, payload: Vec<u8>) -> Self {
        Self {
            timestamp,
            key,
            payload: Some(payload),
            headers: Vec::new(),
        }
    }
}

/// Bytes, which are written at once. A slice of bytes is written as a list of numbers, one by one, to the same effect.
#[derive(Clone, Copy, Debug)]
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'a [u8]>::deserialize(deserializer).map(Self)
    }
}

/// A record of any stream. State has no headers and no timestamp.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored<'a> {
    timestamp: Option<i64>,
    #[serde(borrow)]
    key: Option<Bytes<'a>>,
    #[serde(borrow)]
    value: Option<Bytes<'a>>,
    #[serde(borrow)]
    headers: Vec<(&'a str, Option<Bytes<'a>>)>,
}

impl<'a> Stored<'a> {
    /// `None` if these are not the bytes of a record.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    pub(super) fn key(&self) -> Option<&'a [u8]> {
        self.key.map(|key| key.0)
    }

    pub(super) fn value(&self) -> Option<&'a [u8]> {
        self.value.map(|value| value.0)
    }

    /// A record of the state changelog.
    pub(super) fn state(key: &'a [u8], value: Option<&'a [u8]>) -> Self {
        Self {
            timestamp: None,
            key: Some(Bytes(key)),
            value: value.map(Bytes),
            headers: Vec::new(),
        }
    }

    fn own_headers(&self) -> Vec<Header> {
        let headers = self.headers.iter();
        headers
            .map(|(name, value)| {
                let value = value.map(|value| value.0.to_vec());
                (Cow::Owned((*name).to_owned()), value)
            })
            .collect()
    }
}

fn borrowed(headers: &[Header]) -> Vec<(&str, Option<Bytes<'_>>)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (&**name, value.as_deref().map(Bytes)))
        .collect()
}

impl<'a> From<&'a InputRecord> for Stored<'a> {
    fn from(record: &'a InputRecord) -> Self {
        Self {
            timestamp: record.timestamp.map(Timestamp::as_milliseconds),
            key: record.key.as_deref().map(Bytes),
            value: record.payload.as_deref().map(Bytes),
            headers: borrowed(&record.headers),
        }
    }
}

impl<'a> From<&'a OutputRecord> for Stored<'a> {
    fn from(record: &'a OutputRecord) -> Self {
        Self {
            timestamp: Some(record.timestamp.as_milliseconds()),
            key: record.key.as_deref().map(Bytes),
            value: record.value.as_deref().map(Bytes),
            headers: borrowed(&record.headers),
        }
    }
}

impl From<Stored<'_>> for InputRecord {
    fn from(stored: Stored<'_>) -> Self {
        Self {
            timestamp: stored.timestamp.and_then(Timestamp::from_milliseconds),
            headers: stored.own_headers(),
            key: stored.key().map(<[u8]>::to_vec),
            payload: stored.value().map(<[u8]>::to_vec),
        }
    }
}

impl From<Stored<'_>> for OutputRecord {
    fn from(stored: Stored<'_>) -> Self {
        let timestamp = stored.timestamp.and_then(Timestamp::from_milliseconds);
        Self {
            timestamp: timestamp.unwrap_or_default(),
            headers: stored.own_headers(),
            key: stored.key().map(<[u8]>::to_vec),
            value: stored.value().map(<[u8]>::to_vec),
        }
    }
}

/// The content of a section that is being made.
#[derive(Debug, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    records: u32,
    /// The offset after the last record, counted from the first one.
    next: u64,
}

impl Content {
    /// Bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Offsets so far.
    pub(super) fn offsets(&self) -> u64 {
        self.next
    }

    /// Adds a record at the next offset. `None` if it cannot be encoded.
    pub(super) fn push(&mut self, record: &Stored<'_>) -> Option<()> {
        let record = postcard::to_allocvec(record).ok()?;
        self.push_bytes(0, &record)
    }

    /// Adds the bytes of a record, or none for an empty slot, so many offsets after the next one.
    pub(super) fn push_bytes(&mut self, gap: u64, record: &[u8]) -> Option<()> {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(&(gap, Bytes(record)), bytes).ok()?;
        self.records = self.records.checked_add(1)?;
        self.next += gap + 1;
        Some(())
    }

    /// The section of a stream; `None` if it is too large for one.
    pub(super) fn into_section(self, stream: Stream) -> Option<Section> {
        Section::new(stream, self.bytes, self.records, self.next)
    }
}

/// Takes a record off the front of a section's content: the gap before it, and its bytes. `None` where that is no record.
pub(super) fn take<'a>(content: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    let ((gap, record), rest): ((u64, Bytes<'a>), _) = postcard::take_from_bytes(content).ok()?;
    *content = rest;
    Some((gap, record.0))
}
