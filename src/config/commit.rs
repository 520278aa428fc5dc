//! Settings of transactions.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::config::units::MILLISECOND;
use crate::config::units::MINUTE;

/// When a transaction is committed.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// This long after its first delivery.
    pub interval: Duration,
    /// After this many deliveries.
    pub records: usize,
    /// After this many bytes.
    pub bytes: usize,
}

pub(super) fn commit(reader: &mut Reader) -> Option<Commit> {
    let interval = reader.duration("commit.interval", MILLISECOND, MINUTE);
    let records = reader
        .integer("commit.records", 1, 1_000_000)
        .and_then(small);
    let bytes = reader.bytes("commit.bytes", 1024).and_then(small);
    Some(Commit {
        interval: interval?,
        records: records?,
        bytes: bytes?,
    })
}
