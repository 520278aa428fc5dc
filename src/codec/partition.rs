//! The bytes of a partition's checkpoint, its definition table, and the checkpoint of its store.

use crate::codec::format_3;
use crate::codec::format_4;
use crate::codec::frame;
use crate::codec::frame::CodecError;
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

/// Decodes a partition's checkpoint of format 5 or 4, which is the same.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, CodecError> {
    if bytes.first() == Some(&format_4::FORMAT) {
        return frame::whole(frame::checked_of(bytes, format_4::FORMAT)?);
    }
    frame::whole(frame::checked(bytes)?)
}

/// Encodes a partition's definition table.
///
/// # Errors
/// Never in practice.
pub fn encode_table(table: &DefinitionTable) -> Result<Vec<u8>, CodecError> {
    frame::encode(table, CONTENT_BYTES_USUAL)
}

/// Decodes a partition's definition table of format 5 or 4.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_table(bytes: &[u8]) -> Result<DefinitionTable, CodecError> {
    if bytes.first() == Some(&format_4::FORMAT) {
        return format_4::decode_table(bytes);
    }
    frame::whole(frame::checked(bytes)?)
}

/// Encodes a store's checkpoint.
///
/// # Errors
/// Never in practice.
pub fn encode_store(stored: &StoreCheckpoint) -> Result<Vec<u8>, CodecError> {
    frame::encode(stored, CONTENT_BYTES_USUAL)
}

/// Decodes a store's checkpoint of format 5, 4 or 3.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_store(bytes: &[u8]) -> Result<StoreCheckpoint, CodecError> {
    match bytes.first() {
        Some(&format_3::FORMAT) => format_3::decode_store(bytes),
        Some(&format_4::FORMAT) => format_4::decode_store(bytes),
        Some(_) | None => frame::whole(frame::checked(bytes)?),
    }
}
