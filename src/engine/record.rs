//! All the state of one customer: what is kept in the store and written to the changelog.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;

/// The record of one customer. Everything in it follows from the deliveries below `offset_next`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CustomerRecord {
    /// The input offset after the delivery that was applied last; what is below has been folded.
    pub offset_next: u64,
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
}

/// The segment of a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// Which.
    pub segment_id: SegmentId,
    /// The model that has this segment.
    pub model_version: ModelVersion,
    /// When the customer came into it.
    pub since: Timestamp,
}

/// One accepted event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RememberedId {
    /// When it happened; the eldest are forgotten first.
    pub occurred_at: Timestamp,
    /// Hash of its id.
    pub event_hash: u64,
    /// Hash of type, order id and refund id, where it has an order.
    pub order_hash: Option<u64>,
}

/// The events a record can still recognise, and the floor below which it cannot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RememberedIds {
    /// Ascending.
    entries: Vec<RememberedId>,
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

    /// The instant at and below which a repeated event would not be recognised.
    #[must_use]
    pub fn floor(&self) -> Option<Timestamp> {
        self.floor
    }

    /// Remembers an accepted event and forgets the eldest beyond `limit`.
    pub fn insert(&mut self, entry: RememberedId, limit: usize) {
        let place = self.entries.partition_point(|known| *known < entry);
        self.entries.insert(place, entry);
        if self.entries.len() > limit {
            let forgotten = self.entries.remove(0);
            self.floor = self.floor.max(Some(forgotten.occurred_at));
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
