//! Format 3, the first one that is read: the bare customer id was a record's key, the empty key the checkpoint's, and
//! segments and model versions were texts in every record. Its encoder is kept for tests alone.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::stored::Group;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::aggregate::CustomerAggregate;
use crate::domain::churn::RiskBand;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::engine::state::applied::AppliedOffsets;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::definition::Definition;
use crate::engine::state::record::Assigned;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::record::RememberedIds;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::SegmentNumber;

/// The format byte.
pub const FORMAT: u8 = 3;
const DEADLINE_BYTES: usize = 8;
/// Stands for no deadline.
const NO_DEADLINE_MS: i64 = i64::MAX;

/// What format 3 says of a partition: where it goes on, and the model of its records.
#[derive(Clone, Debug, PartialEq)]
pub struct OldCheckpoint {
    /// The checkpoint, without a definition.
    pub checkpoint: Checkpoint,
    /// What the state says of how it was made.
    pub definition: Definition,
    /// The version of the model of all records.
    pub model_version: ModelVersion,
}

#[derive(Debug, Serialize, Deserialize)]
struct RecordBytes {
    offset_next: u64,
    evaluated_at: Timestamp,
    aggregate: CustomerAggregate,
    remembered: RememberedIds,
    sequence: u64,
    assignment: Option<AssignedBytes>,
    band: Option<RiskBand>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AssignedBytes {
    segment_id: SegmentId,
    model_version: ModelVersion,
    since: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct CheckpointBytes {
    offset_next: u64,
    clock: Option<Timestamp>,
    record_time_max: Option<Timestamp>,
    model_version: String,
    model_fingerprint: String,
    transactions: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct GroupBytes {
    segment_id: SegmentId,
    band: Option<RiskBand>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoreBytes {
    checkpoint: Option<CheckpointBytes>,
    changelog_next: u64,
    changelog_reach: u64,
    caught_up_at: Option<Timestamp>,
    lineage: String,
    records: u64,
    digest: u64,
    customers: Vec<(GroupBytes, u64)>,
    deadlines: u64,
}

/// Decodes a record.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_record(bytes: &[u8]) -> Result<CustomerRecord, CodecError> {
    let content = frame::checked(bytes, FORMAT)?;
    let (deadline, content) = content
        .split_first_chunk::<DEADLINE_BYTES>()
        .ok_or(CodecError::Content)?;
    let record: RecordBytes = frame::whole(content)?;
    let deadline = match i64::from_le_bytes(*deadline) {
        NO_DEADLINE_MS => None,
        milliseconds => {
            Some(Timestamp::from_milliseconds(milliseconds).ok_or(CodecError::Content)?)
        }
    };
    Ok(CustomerRecord {
        applied: AppliedOffsets::default().with(Source::Events, record.offset_next),
        evaluated_at: record.evaluated_at,
        aggregate: record.aggregate,
        remembered: record.remembered,
        sequence: record.sequence,
        assignment: record.assignment.map(|assigned| Assigned {
            segment_id: assigned.segment_id,
            model_version: assigned.model_version,
            since: assigned.since,
        }),
        band: record.band,
        deadline,
    })
}

/// Decodes a partition's checkpoint.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<OldCheckpoint, CodecError> {
    let checkpoint = frame::whole(frame::checked(bytes, FORMAT)?)?;
    Ok(checkpoint_of(&checkpoint))
}

fn checkpoint_of(checkpoint: &CheckpointBytes) -> OldCheckpoint {
    let version = checkpoint.model_version.as_str();
    let definition = Definition::of_format_3(version, &checkpoint.model_fingerprint);
    OldCheckpoint {
        checkpoint: Checkpoint {
            offsets: AppliedOffsets::default().with(Source::Events, checkpoint.offset_next),
            clock: checkpoint.clock,
            record_time_max: checkpoint.record_time_max,
            transactions: checkpoint.transactions,
            definition: definition.fingerprint(),
        },
        definition,
        model_version: ModelVersion::new(version),
    }
}

/// Decodes a store's checkpoint: a store of this format is not continued, but it can be read.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_store(bytes: &[u8]) -> Result<StoreCheckpoint, CodecError> {
    let stored: StoreBytes = frame::whole(frame::checked(bytes, FORMAT)?)?;
    let mut table = DefinitionTable::default();
    let old = stored.checkpoint.as_ref().map(checkpoint_of);
    if let Some(old) = &old {
        table.definition = old.definition.clone();
        table
            .add_model(&old.model_version)
            .map_err(|_| CodecError::Content)?;
    }
    let mut customers = BTreeMap::new();
    for (group, count) in stored.customers {
        table
            .add_segment(&group.segment_id)
            .map_err(|_| CodecError::Content)?;
        let group = Group {
            segment: SegmentNumber::of(&group.segment_id),
            band: group.band,
        };
        customers.insert(group, count);
    }
    Ok(StoreCheckpoint {
        checkpoint: old.map(|old| old.checkpoint),
        has_old_checkpoint: true,
        table,
        changelog_next: stored.changelog_next,
        changelog_reach: stored.changelog_reach,
        caught_up_at: stored.caught_up_at,
        lineage: stored.lineage,
        records: stored.records,
        digest: stored.digest,
        customers,
        deadlines: stored.deadlines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encoder of format 3.
    pub(crate) fn encode_record(record: &CustomerRecord) -> Vec<u8> {
        let deadline_ms = record
            .deadline
            .map_or(NO_DEADLINE_MS, Timestamp::as_milliseconds);
        let content = RecordBytes {
            offset_next: record.applied.next(Source::Events),
            evaluated_at: record.evaluated_at,
            aggregate: record.aggregate.clone(),
            remembered: record.remembered.clone(),
            sequence: record.sequence,
            assignment: record.assignment.as_ref().map(|assigned| AssignedBytes {
                segment_id: assigned.segment_id.clone(),
                model_version: assigned.model_version.clone(),
                since: assigned.since,
            }),
            band: record.band,
        };
        let mut bytes = vec![FORMAT, 0, 0, 0, 0];
        bytes.extend_from_slice(&deadline_ms.to_le_bytes());
        let mut bytes = postcard::to_extend(&content, bytes).unwrap();
        let checksum = crc32fast::hash(&bytes[5..]).to_le_bytes();
        bytes[1..5].copy_from_slice(&checksum);
        bytes
    }

    #[derive(Deserialize)]
    struct Line {
        key: String,
        value: String,
    }

    /// Records that version 0.1.0 wrote at commit 6631125: `tests/fixtures/format3`.
    #[test]
    fn what_was_written_in_format_3_is_read_and_written_back_to_the_byte() {
        let lines = include_str!("../../tests/fixtures/format3/changelog.jsonl").lines();
        let mut records = 0;
        for line in lines {
            let line: Line = serde_json::from_str(line).unwrap();
            let digits = line.value.as_bytes().chunks(2);
            let bytes: Vec<u8> = digits
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect();
            if line.key.is_empty() {
                let old = decode_checkpoint(&bytes).unwrap();
                assert_eq!(old.model_version, ModelVersion::new("retail-6"));
                assert!(old.checkpoint.offsets.next(Source::Events) > 0);
                continue;
            }
            let record = decode_record(&bytes).unwrap();
            assert_eq!(encode_record(&record), bytes, "{}", line.key);
            records += 1;
        }
        // The customers of export_before.jsonl.
        assert_eq!(records, 16);
    }
}
