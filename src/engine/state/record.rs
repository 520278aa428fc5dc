//! All the state of one customer: what is kept in the store and written to the changelog.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::churn::RiskBand;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::engine::state::table::SegmentNumber;

/// The record of one customer. Everything in it follows from the deliveries below its offsets
/// and the clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CustomerRecord {
    /// The next offset of every source; what is below has been folded.
    pub applied: AppliedOffsets,
    /// The instant as of which the record was evaluated last; never goes back.
    pub evaluated_at: Timestamp,
    /// What the features are computed from.
    pub aggregate: CustomerAggregate,
    /// De-duplication.
    pub remembered: RememberedIds,
    /// Number of the last change; 0 before the first.
    pub sequence: u64,
    /// The segment; `None` before the first assignment.
    pub assignment: Option<Assigned>,
    /// The band of churn risk; `None` where there is no score.
    pub band: Option<RiskBand>,
    /// The next instant at which time alone can change a result; after `evaluated_at`.
    pub deadline: Option<Timestamp>,
}

/// The part of an entry in the counts, and its deadline: readable without decoding all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSummary {
    /// Its segment; `None` before the first assignment, and for an alias or a suppression.
    pub segment: Option<SegmentNumber>,
    /// Its band of churn risk.
    pub band: Option<RiskBand>,
    /// Its deadline.
    pub deadline: Option<Timestamp>,
    /// The changelog still holds it under the key of an older format.
    pub has_old_key: bool,
}

/// The segment of a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// The segment.
    pub segment_id: SegmentId,
    /// The model that has this segment.
    pub model_version: ModelVersion,
    /// When the customer came into it.
    pub since: Timestamp,
}

/// One accepted event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RememberedId {
    /// When it happened; the oldest are forgotten first.
    pub occurred_at: Timestamp,
    /// Hash of its id.
    pub event_hash: u64,
    /// Hash of type, order id and refund id, where it has an order.
    pub order_hash: Option<u64>,
}

/// The accepted events that a record remembers, and the floor at and below which it has forgotten them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RememberedIds {
    /// Ascending.
    #[serde(with = "packed")]
    entries: VecDeque<RememberedId>,
    /// The newest instant of a forgotten event.
    floor: Option<Timestamp>,
}

impl RememberedIds {
    /// The event, or the same order under another event id, has been accepted before.
    #[must_use]
    pub fn contains(&self, event_hash: u64, order_hash: Option<u64>) -> bool {
        self.entries.iter().any(|entry| {
            entry.event_hash == event_hash
                || (order_hash.is_some() && entry.order_hash == order_hash)
        })
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Their encoded size, at most.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.len() * packed::ENTRY_BYTES
    }

    /// The instant at and below which a repeated event would not be recognised.
    #[must_use]
    pub fn floor(&self) -> Option<Timestamp> {
        self.floor
    }

    /// Remembers an accepted event and forgets the oldest beyond `limit`.
    pub fn insert(&mut self, entry: RememberedId, limit: usize) {
        let place = self.entries.partition_point(|known| *known < entry);
        self.entries.insert(place, entry);
        if self.entries.len() > limit {
            let forgotten = self.entries.pop_front().map(|entry| entry.occurred_at);
            self.floor = self.floor.max(forgotten);
        }
    }
}

impl CustomerRecord {
    /// The segment's id, if there is one.
    #[must_use]
    pub fn segment_id(&self) -> Option<&SegmentId> {
        self.assignment
            .as_ref()
            .map(|assigned| &assigned.segment_id)
    }
}

/// The remembered events as one run of bytes, so that a hot customer's hundreds are copied rather than
/// encoded: instant and hash, then whether there is an order, and its hash. Little-endian.
mod packed {
    use std::collections::VecDeque;
    use std::fmt;

    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;
    use serde::de::Visitor;

    use crate::domain::time::Timestamp;
    use crate::engine::state::record::RememberedId;

    /// Of an entry with an order.
    pub(super) const ENTRY_BYTES: usize = 25;

    pub(super) fn serialize<S: Serializer>(
        entries: &VecDeque<RememberedId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for entry in entries {
            bytes.extend_from_slice(&entry.occurred_at.as_milliseconds().to_le_bytes());
            bytes.extend_from_slice(&entry.event_hash.to_le_bytes());
            bytes.push(u8::from(entry.order_hash.is_some()));
            if let Some(order_hash) = entry.order_hash {
                bytes.extend_from_slice(&order_hash.to_le_bytes());
            }
        }
        serializer.serialize_bytes(&bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<VecDeque<RememberedId>, D::Error> {
        deserializer.deserialize_bytes(Entries)
    }

    struct Entries;

    impl Visitor<'_> for Entries {
        type Value = VecDeque<RememberedId>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("remembered events")
        }

        fn visit_bytes<E: Error>(self, mut bytes: &[u8]) -> Result<Self::Value, E> {
            let mut entries = VecDeque::with_capacity(bytes.len().div_ceil(ENTRY_BYTES));
            while !bytes.is_empty() {
                let entry = read_entry(&mut bytes);
                entries.push_back(entry.ok_or_else(|| E::custom("a cut entry"))?);
            }
            Ok(entries)
        }
    }

    fn read_entry(bytes: &mut &[u8]) -> Option<RememberedId> {
        let occurred_at_ms = i64::from_le_bytes(take(bytes)?);
        let event_hash = u64::from_le_bytes(take(bytes)?);
        let order_hash = match take(bytes)? {
            [0] => None,
            [1] => Some(u64::from_le_bytes(take(bytes)?)),
            [_] => return None,
        };
        Some(RememberedId {
            occurred_at: Timestamp::from_milliseconds(occurred_at_ms)?,
            event_hash,
            order_hash,
        })
    }

    fn take<const BYTES: usize>(bytes: &mut &[u8]) -> Option<[u8; BYTES]> {
        let (taken, rest) = bytes.split_first_chunk::<BYTES>()?;
        *bytes = rest;
        Some(*taken)
    }
}
