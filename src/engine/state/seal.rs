//! Seals what lies in the head of a record.

use crate::engine::state::chunk::ChunkNumber;
use crate::engine::state::record::CustomerRecord;

/// When the head of a record is sealed, and chunks are merged. What a record is does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// What lies in a head is sealed when it takes more room than this; an event of an order takes about 26 bytes. More:
    /// larger heads. Fewer: more chunks.
    pub tail_bytes_max: usize,
    /// A level is merged when it would have so many chunks. More: fewer bytes are written, and more keys are read.
    pub chunks_of_a_level: usize,
}

impl Default for Sealing {
    fn default() -> Self {
        Self {
            tail_bytes_max: 112,
            chunks_of_a_level: 8,
        }
    }
}

/// The number of a new chunk for what lies in the head of an abridged record, which the caller moves into it; `None` where
/// other chunks are to be merged into it.
pub fn seal_alone(record: &mut CustomerRecord, sealing: Sealing) -> Option<ChunkNumber> {
    if record.layout.merges_next(sealing.chunks_of_a_level) {
        return None;
    }
    let (chunk, _) = record.layout.next_chunk(sealing.chunks_of_a_level);
    Some(chunk.number)
}

/// Moves everything that lies in the head of a record into a new chunk, and with it the chunks of each level that is full;
/// the number of the chunk.
pub fn seal(record: &mut CustomerRecord, sealing: Sealing) -> ChunkNumber {
    let (chunk, merged) = record.layout.next_chunk(sealing.chunks_of_a_level);
    record.remembered.move_into(chunk.number, &merged);
    record.layout.move_sums(chunk.number, &merged);
    record.layout.needs_chunk = false;
    chunk.number
}
