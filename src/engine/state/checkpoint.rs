//! The end of a transaction for one partition.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::engine::state::last_record::LastRecords;

/// Where a partition continues after a restart. Every transaction writes one for each partition that it moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The next offset of each source.
    pub offsets: AppliedOffsets,
    /// The partition clock; `None` before the first delivery.
    pub clock: Option<Timestamp>,
    /// The greatest valid record time.
    pub record_time_max: Option<Timestamp>,
    /// Transactions of the partition so far.
    pub transactions: u64,
    /// Fingerprint of the definition that the state was made under; its fields are in the partition's table.
    pub definition: u64,
    /// The wall time of the transaction; `None` in a checkpoint of a version that did not write it. `codec` writes it, and
    /// what follows, after the other fields.
    #[serde(skip)]
    pub wall: Option<Timestamp>,
    /// The last folded record of each source; none in a checkpoint of a version that did not write them.
    #[serde(skip)]
    pub last_records: LastRecords,
}
