//! The bytes of what a partition knows of itself: its checkpoint and its definition table, and the checkpoint of its
//! store.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::codec::format_3;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::frame::FORMAT;
use crate::codec::stored::Group;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::time::Timestamp;
use crate::engine::state::applied::AppliedOffsets;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::table::DefinitionTable;

const CONTENT_BYTES_USUAL: usize = 256;

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
