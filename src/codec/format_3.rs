//! Format 3, the oldest one that is read. Its keys are bare customer ids, and the empty key for the checkpoint;
//! segments and model versions are texts in every record. Its encoder is kept for tests alone.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::codec::format_4::AggregateBytes;
use crate::codec::format_4::Parts;
use crate::codec::format_4::RememberedBytes;
use crate::codec::frame;
use crate::codec::frame::CodecError;
use crate::codec::stored::Group;
use crate::codec::stored::StoreCheckpoint;
use crate::domain::churn::RiskBand;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::definition::Definition;
use crate::engine::state::last_record::LastRecords;
use crate::engine::state::record::Assigned;
use crate::engine::state::record::CustomerRecord;
use crate::engine::state::table::DefinitionTable;
use crate::engine::state::table::SegmentNumber;

/// The format byte.
pub const FORMAT: u8 = 3;
const DEADLINE_BYTES: usize = 8;
/// Stands for no deadline.
const NO_DEADLINE_MS: i64 = i64::MAX;

/// The state of a partition in format 3: its checkpoint, and the model of its records.
#[derive(Clone, Debug, PartialEq)]
pub struct OldCheckpoint {
    /// The checkpoint, without a definition.
    pub checkpoint: Checkpoint,
    /// The definition, as far as this format holds it.
    pub definition: Definition,
    /// The version of the model of all records.
    pub model_version: ModelVersion,
}

#[derive(Debug, Serialize, Deserialize)]
struct RecordBytes {
    offset_next: u64,
    evaluated_at: Timestamp,
    aggregate: AggregateBytes,
    remembered: RememberedBytes,
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
    let content = frame::checked_of(bytes, FORMAT)?;
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
    let mut restored = CustomerRecord {
        applied: AppliedOffsets::default().with(Source::Events, record.offset_next),
        evaluated_at: record.evaluated_at,
        sequence: record.sequence,
        assignment: record.assignment.map(|assigned| Assigned {
            segment_id: assigned.segment_id,
            model_version: assigned.model_version,
            since: assigned.since,
        }),
        band: record.band,
        deadline,
        ..CustomerRecord::default()
    };
    let parts = Parts {
        aggregate: record.aggregate,
        remembered: record.remembered,
    };
    parts.restore(&mut restored)?;
    Ok(restored)
}

/// Decodes a partition's checkpoint.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<OldCheckpoint, CodecError> {
    let checkpoint = frame::whole(frame::checked_of(bytes, FORMAT)?)?;
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
            wall: None,
            last_records: LastRecords::default(),
        },
        definition,
        model_version: ModelVersion::new(version),
    }
}

/// Decodes a store's checkpoint. A store of this format is read by commands, but a service makes it again.
///
/// # Errors
/// If the bytes are of another format or damaged.
pub fn decode_store(bytes: &[u8]) -> Result<StoreCheckpoint, CodecError> {
    let stored: StoreBytes = frame::whole(frame::checked_of(bytes, FORMAT)?)?;
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

    #[derive(Deserialize)]
    struct Line {
        key: String,
        value: String,
    }

    /// Records that version 0.1.0 wrote at commit 6631125: `tests/fixtures/format3`. What is read of them makes the
    /// same bytes again, so nothing is passed over.
    #[test]
    fn what_was_written_in_format_3_is_read_to_the_last_byte() {
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
            decode_record(&bytes).unwrap();
            let content = &bytes[frame::PREFIX_BYTES + DEADLINE_BYTES..];
            let read: RecordBytes = postcard::from_bytes(content).unwrap();
            assert_eq!(
                postcard::to_extend(&read, Vec::new()).unwrap(),
                content,
                "{}",
                line.key
            );
            records += 1;
        }
        // The customers of export_before.jsonl.
        assert_eq!(records, 16);
    }
}
