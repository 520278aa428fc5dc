//! The bytes of a partition's checkpoint, its definition table, and the checkpoint of its store.

use crate::codec::format_3;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::frame::FORMAT;
use crate::codec::stored::StoreCheckpoint;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::table::DefinitionTable;

const CONTENT_BYTES_USUAL: usize = 256;

/// Encodes a partition's checkpoint.
///
/// # Errors
/// Never in practice.
pub fn encode_checkpoint(checkpoint: Checkpoint) -> Result<Vec<u8>, CodecError> {
    frame::encode(&checkpoint, CONTENT_BYTES_USUAL)
}

/// Decodes a partition's checkpoint of format 4.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, CodecError> {
    frame::whole(frame::checked(bytes, FORMAT)?)
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
    frame::encode(stored, CONTENT_BYTES_USUAL)
}

/// Decodes a store's checkpoint of format 4 or 3.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_store(bytes: &[u8]) -> Result<StoreCheckpoint, CodecError> {
    if bytes.first() == Some(&format_3::FORMAT) {
        return format_3::decode_store(bytes);
    }
    frame::whole(frame::checked(bytes, FORMAT)?)
}
