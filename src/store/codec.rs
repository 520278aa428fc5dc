//! The bytes of records and checkpoints, in the store and in the changelog alike. The only place
//! that knows them: one format byte, a CRC-32 of the rest, then postcard; a record has its deadline before
//! that, so that a page can be searched for what is due without decoding it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::churn::RiskBand;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;
use crate::engine::record::CustomerRecord;
use crate::engine::record::RecordSummary;

/// Format of everything written here; a store of another format is rebuilt from the log.
pub const FORMAT: u8 = 3;
const CHECKSUM_BYTES: usize = 4;
const DEADLINE_BYTES: usize = 8;
/// Stands for no deadline; later than any instant.
const NO_DEADLINE_MS: i64 = i64::MAX;
/// Most records are smaller.
const RECORD_BYTES_USUAL: usize = 512;

/// The end of a transaction for one partition, written to its changelog under the empty key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Where the input is read on.
    pub offset_next: u64,
    /// The partition clock; `None` before the first delivery.
    pub clock: Option<Timestamp>,
    /// The greatest valid record time.
    pub record_time_max: Option<Timestamp>,
    /// The model of the records.
    pub model_version: String,
    /// Fingerprint of that model's artifact.
    pub model_fingerprint: String,
    /// Transactions of the partition so far.
    pub transactions: u64,
}

/// What a store knows of itself; written in the same batch as its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreCheckpoint {
    /// The partition's checkpoint as of the batch; `None` before the first transaction.
    pub checkpoint: Option<Checkpoint>,
    /// Where the changelog is read on after a restart.
    pub changelog_next: u64,
    /// The furthest place in the changelog that any record here belongs to: beyond `changelog_next` while a
    /// flush is under way.
    pub changelog_reach: u64,
    /// When, by the wall clock, nothing of the changelog was missing last; `None`: never known.
    pub caught_up_at: Option<Timestamp>,
    /// Identity of the log the store was made from.
    pub lineage: String,
    /// Number of records.
    pub records: u64,
    /// Sum of the records' digests, wrapping: tells a lost or stale page from a whole store.
    pub digest: u64,
    /// Assigned customers by segment and band.
    pub customers: BTreeMap<Group, u64>,
    /// Records with a deadline.
    pub deadlines: u64,
}

/// Customers that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// Their segment.
    pub segment_id: SegmentId,
    /// Their band of churn risk; `None` where nothing tells.
    pub band: Option<RiskBand>,
}

impl Group {
    /// The group of a record that stands so; `None` before its first assignment.
    #[must_use]
    pub fn of(summary: &RecordSummary) -> Option<Self> {
        Some(Self {
            segment_id: summary.segment_id.clone()?,
            band: summary.band,
        })
    }
}

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Written by another version.
    #[error("the bytes are of format {found}, not {FORMAT}")]
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
}

/// Encodes a record.
///
/// # Errors
/// Never for a record made by the engine.
pub fn encode_record(record: &CustomerRecord) -> Result<Vec<u8>, CodecError> {
    let deadline_ms = record
        .deadline
        .map_or(NO_DEADLINE_MS, Timestamp::as_milliseconds);
    let estimated = RECORD_BYTES_USUAL + record.remembered.bytes();
    encode_about(record, &deadline_ms.to_le_bytes(), estimated)
}

/// Decodes a record.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_record(bytes: &[u8]) -> Result<CustomerRecord, CodecError> {
    let content = checked(bytes)?;
    let (deadline, content) = content
        .split_first_chunk::<DEADLINE_BYTES>()
        .ok_or(CodecError::Content)?;
    let mut record: CustomerRecord = from_content(content)?;
    record.deadline = deadline_of_bytes(*deadline)?;
    Ok(record)
}

/// The deadline of an encoded record, whose checksum is not looked at.
///
/// # Errors
/// If the bytes are of another format or too short.
pub fn deadline_of(bytes: &[u8]) -> Result<Option<Timestamp>, CodecError> {
    let (format, rest) = bytes.split_first().ok_or(CodecError::Content)?;
    if *format != FORMAT {
        return Err(CodecError::Format { found: *format });
    }
    let deadline = rest
        .get(CHECKSUM_BYTES..)
        .and_then(|content| content.first_chunk::<DEADLINE_BYTES>())
        .ok_or(CodecError::Content)?;
    deadline_of_bytes(*deadline)
}

fn deadline_of_bytes(bytes: [u8; DEADLINE_BYTES]) -> Result<Option<Timestamp>, CodecError> {
    match i64::from_le_bytes(bytes) {
        NO_DEADLINE_MS => Ok(None),
        deadline_ms => Timestamp::from_milliseconds(deadline_ms)
            .ok_or(CodecError::Content)
            .map(Some),
    }
}

/// Encodes a partition's checkpoint.
///
/// # Errors
/// Never in practice.
pub fn encode_checkpoint(checkpoint: &Checkpoint) -> Result<Vec<u8>, CodecError> {
    encode(checkpoint)
}

/// Decodes a partition's checkpoint.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, CodecError> {
    decode(bytes)
}

/// Encodes a store's checkpoint.
///
/// # Errors
/// Never in practice.
pub fn encode_store_checkpoint(checkpoint: &StoreCheckpoint) -> Result<Vec<u8>, CodecError> {
    encode(checkpoint)
}

/// Decodes a store's checkpoint.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_store_checkpoint(bytes: &[u8]) -> Result<StoreCheckpoint, CodecError> {
    decode(bytes)
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    encode_about(value, &[], RECORD_BYTES_USUAL)
}

/// Into a buffer that need not grow if the estimate is enough.
fn encode_about<T: Serialize>(
    value: &T,
    before: &[u8],
    bytes_estimated: usize,
) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(bytes_estimated);
    bytes.extend_from_slice(&[FORMAT, 0, 0, 0, 0]);
    bytes.extend_from_slice(before);
    let mut bytes =
        postcard::serialize_with_flavor(value, Bytes(bytes)).map_err(|_| CodecError::Content)?;
    let (head, content) = bytes.split_at_mut(1 + CHECKSUM_BYTES);
    if let Some(checksum) = head.get_mut(1..) {
        checksum.copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    }
    // Kept for long: without the room that was left.
    Ok(bytes.as_slice().to_vec())
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

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    from_content(checked(bytes)?)
}

fn from_content<T: DeserializeOwned>(content: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(content) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(CodecError::Content),
    }
}

/// What follows the checksum, if it is right.
fn checked(bytes: &[u8]) -> Result<&[u8], CodecError> {
    let (format, rest) = bytes.split_first().ok_or(CodecError::Content)?;
    if *format != FORMAT {
        return Err(CodecError::Format { found: *format });
    }
    let (checksum, content) = rest
        .split_first_chunk::<CHECKSUM_BYTES>()
        .ok_or(CodecError::Content)?;
    if u32::from_le_bytes(*checksum) != crc32fast::hash(content) {
        return Err(CodecError::Checksum);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_record_is_noticed() {
        let record = CustomerRecord {
            sequence: 7,
            offset_next: 300,
            deadline: Timestamp::from_milliseconds(1_770_000_000_000),
            ..CustomerRecord::default()
        };
        let bytes = encode_record(&record).unwrap();
        assert_eq!(deadline_of(&bytes), Ok(record.deadline));
        assert_eq!(decode_record(&bytes), Ok(record));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_record(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn bytes_cut_short_or_grown_are_refused() {
        let bytes = encode_record(&CustomerRecord::default()).unwrap();
        for length in 0..bytes.len() {
            assert!(decode_record(&bytes[..length]).is_err(), "{length}");
        }
        let grown = [bytes.as_slice(), &[0]].concat();
        assert!(decode_record(&grown).is_err());
    }
}
