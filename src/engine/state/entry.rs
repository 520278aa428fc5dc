//! What a key of the state holds. An unknown customer has no entry.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::ids::CustomerId;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::engine::state::record::CustomerRecord;

/// What a customer's key holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A customer with a state of its own. In a box, because an event moves its entry about ten times.
    Live(Box<CustomerRecord>),
    /// An alias: the customer was merged into another one.
    Moved(Moved),
    /// The customer was erased; later events are not folded.
    Suppressed(Suppressed),
}

/// Where a merged customer's events go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The surviving customer.
    pub to: CustomerId,
    /// The next offsets of the alias's own events.
    pub applied: AppliedOffsets,
    /// The newest instant of an event whose id is no longer remembered.
    pub floor: Option<Timestamp>,
}

/// What is kept of an erased customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// The next offset of every source.
    pub applied: AppliedOffsets,
    /// Number of the last change; later changes continue from it.
    pub sequence: u64,
    /// When the erasure happened.
    pub erased_at: Timestamp,
    /// Hash of the erasure's event id.
    pub event_hash: u64,
}

impl Entry {
    /// The record of a live customer.
    #[must_use]
    pub fn record(&self) -> Option<&CustomerRecord> {
        match self {
            Self::Live(record) => Some(record),
            Self::Moved(_) | Self::Suppressed(_) => None,
        }
    }

    /// The record of a live customer, taken out.
    #[must_use]
    pub fn into_record(self) -> Option<CustomerRecord> {
        match self {
            Self::Live(record) => Some(*record),
            Self::Moved(_) | Self::Suppressed(_) => None,
        }
    }
}
