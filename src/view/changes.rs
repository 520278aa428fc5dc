//! Published changes by partition and offset.

use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

/// A part of the changes of one partition.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChangesView {
    /// The partition.
    pub partition: u32,
    /// How many partitions there are.
    pub partitions: u32,
    /// Where to read on.
    pub offset_next: u64,
    /// Where the partition ends now: everything was read once `offset_next` is there.
    pub end: u64,
    /// In offset order.
    pub changes: Vec<ChangeAt>,
}

/// A change and where it stands.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChangeAt {
    /// Its offset.
    pub offset: u64,
    /// The change record as it was published.
    pub change: Box<RawValue>,
}
