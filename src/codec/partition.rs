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
    let bytes = frame::push(frame::begin(CONTENT_BYTES_USUAL), &checkpoint)?;
    Ok(frame::seal(push_appended(bytes, &checkpoint)?))
}

/// Decodes a partition's checkpoint of format 5 or 4, which is the same but for what was appended since.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, CodecError> {
    if bytes.first() == Some(&format_4::FORMAT) {
        return frame::whole(frame::checked_of(bytes, format_4::FORMAT)?);
    }
    let mut rest = frame::checked(bytes)?;
    let mut checkpoint = frame::take(&mut rest)?;
    take_appended(&mut rest, &mut checkpoint)?;
    frame::ended(rest)?;
    Ok(checkpoint)
}

/// Appends the fields that a checkpoint did not have from the beginning, in the order in which they came: an earlier
/// version ends before one of them.
fn push_appended(bytes: Vec<u8>, checkpoint: &Checkpoint) -> Result<Vec<u8>, CodecError> {
    let bytes = frame::push(bytes, &checkpoint.wall)?;
    frame::push(bytes, &checkpoint.last_records)
}

/// Takes them. What an earlier version did not write stays as it is.
fn take_appended(rest: &mut &[u8], checkpoint: &mut Checkpoint) -> Result<(), CodecError> {
    checkpoint.wall = frame::take_appended(rest)?.flatten();
    checkpoint.last_records = frame::take_appended(rest)?.unwrap_or_default();
    Ok(())
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
    let bytes = frame::push(frame::begin(CONTENT_BYTES_USUAL), stored)?;
    let bytes = match &stored.checkpoint {
        Some(checkpoint) => push_appended(bytes, checkpoint)?,
        None => bytes,
    };
    Ok(frame::seal(bytes))
}

/// Decodes a store's checkpoint of format 5, 4 or 3.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_store(bytes: &[u8]) -> Result<StoreCheckpoint, CodecError> {
    match bytes.first() {
        Some(&format_3::FORMAT) => format_3::decode_store(bytes),
        Some(&format_4::FORMAT) => format_4::decode_store(bytes),
        Some(_) | None => {
            let mut rest = frame::checked(bytes)?;
            let mut stored: StoreCheckpoint = frame::take(&mut rest)?;
            if let Some(checkpoint) = &mut stored.checkpoint {
                take_appended(&mut rest, checkpoint)?;
            }
            frame::ended(rest)?;
            Ok(stored)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Partition;
    use crate::domain::ids::Position;
    use crate::domain::ids::Source;
    use crate::domain::offsets::AppliedOffsets;
    use crate::domain::time::Timestamp;
    use crate::engine::state::last_record::LastRecord;
    use crate::engine::state::last_record::LastRecords;

    /// What a version without wall time and last records wrote of the checkpoint and of the store below.
    const CHECKPOINT: &str =
        "05280cba6e0200ac0201070180b083c5986801c0d98ac598682aef9bafcdf8acd19101";
    const STORE: &str = "05d2ed03fa010200ac0201070180b083c5986801c0d98ac598682aef9bafcdf8acd19101000000000009000003\
                         6c6f6705060002";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    }

    fn checkpoint(wall: Option<Timestamp>) -> Checkpoint {
        let offsets = AppliedOffsets::default().with(Source::Events, 300);
        Checkpoint {
            offsets: offsets.with(Source::Transfers, 7),
            clock: Timestamp::from_milliseconds(1_790_000_000_000),
            record_time_max: Timestamp::from_milliseconds(1_790_000_060_000),
            transactions: 42,
            definition: 0x0123_4567_89AB_CDEF,
            wall,
            last_records: LastRecords::default(),
        }
    }

    fn store(wall: Option<Timestamp>) -> StoreCheckpoint {
        StoreCheckpoint {
            checkpoint: Some(checkpoint(wall)),
            changelog_next: 9,
            lineage: "log".to_owned(),
            records: 5,
            digest: 6,
            deadlines: 2,
            ..StoreCheckpoint::default()
        }
    }

    #[test]
    fn a_checkpoint_of_a_version_without_wall_time_is_read_without_one() {
        assert_eq!(decode_checkpoint(&bytes(CHECKPOINT)), Ok(checkpoint(None)));
        assert_eq!(decode_store(&bytes(STORE)), Ok(store(None)));
    }

    #[test]
    fn wall_time_and_last_records_of_a_checkpoint_read_back() {
        for wall in [None, Timestamp::from_milliseconds(1_790_000_070_000)] {
            let mut with_record = checkpoint(wall);
            let position = Position {
                source: Source::Events,
                partition: Partition(3),
                offset: 299,
            };
            let last = LastRecord::of(299, wall, Some(b"key"), None);
            with_record.last_records.folded(position, last);
            let encoded = encode_checkpoint(with_record).unwrap();
            assert_eq!(decode_checkpoint(&encoded), Ok(with_record));
            let encoded = encode_checkpoint(checkpoint(wall)).unwrap();
            assert_eq!(decode_checkpoint(&encoded), Ok(checkpoint(wall)));
            let encoded = encode_store(&store(wall)).unwrap();
            assert_eq!(decode_store(&encoded), Ok(store(wall)));
        }
        let empty = StoreCheckpoint::default();
        let encoded = encode_store(&empty).unwrap();
        assert_eq!(decode_store(&encoded), Ok(empty));
    }

    #[test]
    fn a_checkpoint_that_goes_on_after_its_last_field_is_refused() {
        let encoded = encode_checkpoint(checkpoint(None)).unwrap();
        let mut longer = frame::begin(encoded.len());
        longer.extend_from_slice(&encoded[frame::PREFIX_BYTES..]);
        longer.push(0);
        let decoded = decode_checkpoint(&frame::seal(longer));
        assert_eq!(decoded, Err(CodecError::Content));
    }
}
