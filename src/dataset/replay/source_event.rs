//! One event to send, and the values that a file does not state.

use serde_json::Value;

use crate::domain::money::Currency;
use crate::domain::time::BusinessZone;
use crate::domain::time::Timestamp;

/// The values that a file does not state.
#[derive(Clone, Debug)]
pub struct Context {
    /// Currency of amounts without one.
    pub base: Currency,
    /// Zone of days.
    pub zone: BusinessZone,
    /// Instant of rows without one.
    pub as_of: Timestamp,
}

/// One event to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEvent {
    /// Record time.
    pub record_time: Timestamp,
    /// Its line in the file, from 1.
    pub line: u64,
    /// Record key.
    pub key: Option<Vec<u8>>,
    /// Record value.
    pub payload: Vec<u8>,
}

pub(super) fn event(
    customer_id: &str,
    occurred_at: Timestamp,
    line: u64,
    body: &Value,
) -> SourceEvent {
    SourceEvent {
        record_time: occurred_at,
        line,
        key: Some(customer_id.as_bytes().to_vec()),
        payload: body.to_string().into_bytes(),
    }
}
