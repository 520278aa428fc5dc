//! Format 3, the oldest one that is read. Its keys are bare customer ids, and the empty key for the checkpoint;
//! segments and model versions are texts in every record. Its encoder is kept for tests alone.

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
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
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

/// Decodes a store's checkpoint. A store of this format is read by commands, but a service makes it again.
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
    use crate::domain::churn::ChurnDefinition;
    use crate::domain::churn::ChurnPolicy;
    use crate::domain::event::parse::parse;
    use crate::domain::event::rules::IntakeRules;
    use crate::domain::ids::Partition;
    use crate::domain::ids::Position;
    use crate::domain::money::Currency;
    use crate::domain::money::Exchange;
    use crate::domain::money::Money;
    use crate::domain::time::BusinessZone;
    use crate::engine::commands::Delivered;
    use crate::engine::commands::decide;
    use crate::engine::policy::Policy;
    use crate::engine::policy::Rules;
    use crate::engine::state::entry::Entry;

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

    /// A customer of so many orders, one a day, in eight categories, with a profile.
    fn customer(orders: u32) -> CustomerRecord {
        let model = crate::model_files::shipped_model().unwrap();
        let policy = policy();
        let rules = Rules {
            policy: &policy,
            model: &model,
        };
        let intake = IntakeRules {
            exchange: Exchange {
                base: policy.base_currency,
                rates: Vec::new(),
                amount_max: Money(100_000_000_000),
            },
            earliest: Timestamp::parse_rfc3339("1990-01-01T00:00:00Z").unwrap(),
            customer_ids_ignored: Vec::new(),
        };
        let start = Timestamp::parse_rfc3339("2025-01-01T12:00:00Z").unwrap();
        let profile = format!(
            r#"{{"event_id":"p","type":"customer.updated","occurred_at":"{start}","customer_id":"c-1",
            "profile":{{"birth_year":1980,"income":"50000"}}}}"#
        );
        let purchases = (0..orders).map(|number| {
            let at = start.plus_milliseconds(i64::from(number) * 86_400_000);
            let category = number % 8;
            let payload = format!(
                r#"{{"event_id":"e-{number}","type":"order.completed","occurred_at":"{at}","customer_id":"c-1",
                "order_id":"o-{number}","currency":"USD","revenue":"19.90","channel":"web",
                "products":[{{"category":"category-{category}","quantity":1,"price":"19.90"}}]}}"#
            );
            (payload, at)
        });
        let deliveries = std::iter::once((profile, start)).chain(purchases);
        let entry = (0..)
            .zip(deliveries)
            .fold(None, |entry, (offset, (payload, at))| {
                let event = parse(payload.as_bytes(), at, &intake).unwrap();
                let position = Position {
                    source: Source::Events,
                    partition: Partition(0),
                    offset,
                };
                let delivered = Delivered {
                    event: &event,
                    position,
                    origin: position,
                    record_time: at,
                    clock: None,
                };
                decide(entry, "c-1", delivered, rules).entry
            });
        entry.and_then(Entry::into_record).unwrap()
    }

    fn policy() -> Policy {
        Policy {
            zone: BusinessZone::UTC,
            base_currency: Currency::parse("USD").unwrap(),
            ledger_days: 800,
            refund_days: 60,
            remembered_ids: 512,
            assign_prospects: false,
            horizon_days: 730,
            churn: ChurnPolicy {
                definition: ChurnDefinition::NoPurchaseWithin {
                    horizon_days: 273.0,
                },
                medium: 0.6,
                high: 0.8,
                publishes_bands: false,
            },
        }
    }

    /// The figures of ARCHITECTURE.md, State: format 3 by the encoder above.
    #[test]
    fn an_entry_is_about_as_large_as_the_record_of_format_3() {
        let sizes: Vec<(u32, usize, usize)> = [1, 10, 500]
            .into_iter()
            .map(|orders| {
                let record = customer(orders);
                let before = encode_record(&record).len();
                let after = crate::codec::entry::encode(&Entry::Live(record)).unwrap();
                (orders, before, after.bytes.len())
            })
            .collect();
        assert_eq!(
            sizes,
            [(1, 210, 224), (10, 703, 716), (500, 23_246, 23_258)]
        );
    }
}
