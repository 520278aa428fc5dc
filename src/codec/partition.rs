//! The bytes of what a partition knows of itself: its checkpoint and its definition table, and the checkpoint of its
//! store.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::codec::format_3;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::frame::FORMAT;
use crate::domain::churn::RiskBand;
use crate::domain::time::Timestamp;
use crate::engine::state::applied::AppliedOffsets;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::SegmentNumber;

const CONTENT_BYTES_USUAL: usize = 256;

/// Customers that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// Their segment.
    pub segment: SegmentNumber,
    /// Their band of churn risk; `None` where there is none.
    pub band: Option<RiskBand>,
}

impl Group {
    /// The group of an entry; `None` before its first assignment.
    #[must_use]
    pub fn of(summary: &RecordSummary) -> Option<Self> {
        Some(Self {
            segment: summary.segment?,
            band: summary.band,
        })
    }
}

/// What a store knows of itself; written in the same batch as its entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreCheckpoint {
    /// The partition's checkpoint as of the batch; `None` before the first transaction.
    pub checkpoint: Option<Checkpoint>,
    /// The changelog still holds a checkpoint under the key of an older format.
    pub has_old_checkpoint: bool,
    /// What the numbers in the entries mean.
    pub table: DefinitionTable,
    /// Where the changelog is read on after a restart.
    pub changelog_next: u64,
    /// The furthest place in the changelog that any entry here belongs to: beyond `changelog_next` while a
    /// flush is under way.
    pub changelog_reach: u64,
    /// When, by the wall clock, nothing of the changelog was missing last; `None`: never known.
    pub caught_up_at: Option<Timestamp>,
    /// Identity of the log the store was made from.
    pub lineage: String,
    /// Number of entries.
    pub records: u64,
    /// Sum of the pages' digests, wrapping: tells a lost or stale page from a whole store.
    pub digest: u64,
    /// Assigned customers by segment and band.
    pub customers: BTreeMap<Group, u64>,
    /// Entries with a deadline.
    pub deadlines: u64,
}

#[derive(Serialize, Deserialize)]
struct CheckpointBytes {
    offsets: AppliedOffsets,
    clock: Option<Timestamp>,
    record_time_max: Option<Timestamp>,
    transactions: u64,
    definition: u64,
}

impl From<Checkpoint> for CheckpointBytes {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            offsets: checkpoint.offsets,
            clock: checkpoint.clock,
            record_time_max: checkpoint.record_time_max,
            transactions: checkpoint.transactions,
            definition: checkpoint.definition,
        }
    }
}

impl From<CheckpointBytes> for Checkpoint {
    fn from(bytes: CheckpointBytes) -> Self {
        Self {
            offsets: bytes.offsets,
            clock: bytes.clock,
            record_time_max: bytes.record_time_max,
            transactions: bytes.transactions,
            definition: bytes.definition,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoreCheckpointBytes {
    checkpoint: Option<CheckpointBytes>,
    has_old_checkpoint: bool,
    table: DefinitionTable,
    changelog_next: u64,
    changelog_reach: u64,
    caught_up_at: Option<Timestamp>,
    lineage: String,
    records: u64,
    digest: u64,
    customers: BTreeMap<Group, u64>,
    deadlines: u64,
}

/// Encodes a partition's checkpoint.
///
/// # Errors
/// Never in practice.
pub fn encode_checkpoint(checkpoint: Checkpoint) -> Result<Vec<u8>, CodecError> {
    frame::encode(&CheckpointBytes::from(checkpoint), CONTENT_BYTES_USUAL)
}

/// Decodes a partition's checkpoint of format 4.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, CodecError> {
    frame::whole::<CheckpointBytes>(frame::checked(bytes, FORMAT)?).map(Checkpoint::from)
}

/// Encodes a partition's definition table.
///
/// # Errors
/// Never in practice.
pub fn encode_table(table: &DefinitionTable) -> Result<Vec<u8>, CodecError> {
    frame::encode(table, CONTENT_BYTES_USUAL)
}

/// Decodes a partition's definition table.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_table(bytes: &[u8]) -> Result<DefinitionTable, CodecError> {
    frame::whole(frame::checked(bytes, FORMAT)?)
}

/// Encodes a store's checkpoint.
///
/// # Errors
/// Never in practice.
pub fn encode_store(stored: &StoreCheckpoint) -> Result<Vec<u8>, CodecError> {
    let stored = stored.clone();
    let bytes = StoreCheckpointBytes {
        checkpoint: stored.checkpoint.map(CheckpointBytes::from),
        has_old_checkpoint: stored.has_old_checkpoint,
        table: stored.table,
        changelog_next: stored.changelog_next,
        changelog_reach: stored.changelog_reach,
        caught_up_at: stored.caught_up_at,
        lineage: stored.lineage,
        records: stored.records,
        digest: stored.digest,
        customers: stored.customers,
        deadlines: stored.deadlines,
    };
    frame::encode(&bytes, CONTENT_BYTES_USUAL)
}

/// Decodes a store's checkpoint of format 4 or 3.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_store(bytes: &[u8]) -> Result<StoreCheckpoint, CodecError> {
    if bytes.first() == Some(&format_3::FORMAT) {
        return format_3::decode_store(bytes);
    }
    let stored: StoreCheckpointBytes = frame::whole(frame::checked(bytes, FORMAT)?)?;
    Ok(StoreCheckpoint {
        checkpoint: stored.checkpoint.map(Checkpoint::from),
        has_old_checkpoint: stored.has_old_checkpoint,
        table: stored.table,
        changelog_next: stored.changelog_next,
        changelog_reach: stored.changelog_reach,
        caught_up_at: stored.caught_up_at,
        lineage: stored.lineage,
        records: stored.records,
        digest: stored.digest,
        customers: stored.customers,
        deadlines: stored.deadlines,
    })
}
