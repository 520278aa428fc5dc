//! Keys and values of the embedded log's one tree. Keys sort by kind, partition and offset.

use std::borrow::Cow;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::log::OutputRecord;

/// Format of the whole log.
pub(super) const FORMAT: u8 = 1;
pub(super) const META_KEY: &[u8] = b"m";
/// Number of batches written, in every batch.
pub(super) const BATCHES_KEY: &[u8] = b"b";

/// What a key holds; the first byte of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Input records by offset.
    Input = b'i',
    /// Changes by offset.
    Change = b'c',
    /// Latest change by customer.
    Current = b'u',
    /// Dead letters by offset.
    DeadLetter = b'd',
    /// The state changelog by offset.
    State = b's',
    /// Where in the changelog the latest record of a key is.
    StateIndex = b'x',
    /// Ends of a partition's topics and the group's offset.
    Ends = b'e',
    /// How far a source was appended.
    Cursor = b'p',
}

/// Identity of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) partitions: u32,
    pub(super) lineage: String,
}

/// The next offsets of one partition, written in every batch that moves one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ends {
    pub(super) input: u64,
    pub(super) changes: u64,
    pub(super) dead_letters: u64,
    pub(super) state: u64,
    /// Records in the changelog after compaction.
    pub(super) state_records: u64,
    /// The group's committed input offset.
    pub(super) group: Option<u64>,
}

/// Where the log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// By partition.
    pub(super) ends: Vec<Ends>,
    /// Batches written since the log was made.
    pub(super) batches: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredInput<'a> {
    pub(super) timestamp: Option<i64>,
    #[serde(borrow)]
    pub(super) key: Option<&'a [u8]>,
    #[serde(borrow)]
    pub(super) payload: &'a [u8],
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredState<'a> {
    #[serde(borrow)]
    pub(super) key: &'a [u8],
    #[serde(borrow)]
    pub(super) value: Option<&'a [u8]>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredOutput {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

impl From<&OutputRecord> for StoredOutput {
    fn from(record: &OutputRecord) -> Self {
        Self {
            timestamp: record.timestamp.as_milliseconds(),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
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

/// The key of an offset.
pub(super) fn offset_key(kind: Kind, partition: Partition, offset: u64) -> Vec<u8> {
    let mut key = partition_key(kind, partition);
    key.extend_from_slice(&offset.to_be_bytes());
    key
}

/// The key of a record key, such as a customer's.
pub(super) fn named_key(kind: Kind, partition: Partition, name: &[u8]) -> Vec<u8> {
    let mut key = partition_key(kind, partition);
    key.extend_from_slice(name);
    key
}

/// What all keys of a kind in a partition begin with.
pub(super) fn partition_key(kind: Kind, partition: Partition) -> Vec<u8> {
    let mut key = Vec::with_capacity(16);
    key.push(kind as u8);
    key.extend_from_slice(&partition.0.to_be_bytes());
    key
}

/// The key of a source's cursor.
pub(super) fn cursor_key(source: &str) -> Vec<u8> {
    let mut key = vec![Kind::Cursor as u8];
    key.extend_from_slice(source.as_bytes());
    key
}

/// The offset at the end of a key.
pub(super) fn offset_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>()
        .map(|bytes| u64::from_be_bytes(*bytes))
}

/// Encodes a value: checksum, then postcard.
pub(super) fn encode<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let mut bytes = postcard::to_extend(value, vec![0; 4]).ok()?;
    let (head, content) = bytes.split_at_mut_checked(4)?;
    head.copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    Some(bytes)
}

/// Decodes a value; `None` where it is damaged.
pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let (checksum, content) = bytes.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*checksum) != crc32fast::hash(content) {
        return None;
    }
    postcard::from_bytes(content).ok()
}

/// The value matches its checksum.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    bytes
        .split_first_chunk::<4>()
        .is_some_and(|(checksum, content)| {
            u32::from_le_bytes(*checksum) == crc32fast::hash(content)
        })
}
