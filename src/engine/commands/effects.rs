//! What a command is given, and what it does.

use crate::domain::change::SegmentChange;
use crate::domain::event::CustomerEvent;
use crate::domain::ids::Position;
use crate::domain::time::Timestamp;
use crate::engine::state::entry::Entry;
use crate::engine::verdict::Verdict;

/// An admitted event, where and when it was delivered.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// The event.
    pub event: &'a CustomerEvent<'a>,
    /// Where it was delivered.
    pub position: Position,
    /// Its place in the input: the same, unless it was delivered as a transfer.
    pub origin: Position,
    /// The record time that it counts with.
    pub record_time: Timestamp,
    /// The partition clock before it: whatever was due by then comes first.
    pub clock: Option<Timestamp>,
}

/// What a command does.
#[derive(Debug)]
pub struct Effects {
    /// What the customer's key holds now; the entry that came in unless the verdict is `Applied`.
    pub entry: Option<Entry>,
    /// The moves in their order: those that time had brought by then, and the one of the delivery, if any.
    pub changes: Vec<SegmentChange>,
    /// How often the customer was evaluated for time alone before.
    pub time_evaluations: usize,
    /// How the delivery ended.
    pub verdict: Verdict,
}

impl Effects {
    /// The delivery changes nothing.
    pub(super) fn none(entry: Option<Entry>, verdict: Verdict) -> Self {
        Self {
            entry,
            changes: Vec::new(),
            time_evaluations: 0,
            verdict,
        }
    }
}
