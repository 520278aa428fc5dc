//! The input of a command, and its effects.

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
    /// The partition clock before the delivery: deadlines up to it are evaluated first.
    pub clock: Option<Timestamp>,
}

impl Delivered<'_> {
    /// Deadlines up to this instant are evaluated before the event.
    pub(super) fn due_by(&self) -> Timestamp {
        self.clock
            .max(Some(self.record_time))
            .unwrap_or(self.record_time)
    }
}

/// The effects of a command.
#[derive(Debug)]
pub struct Effects {
    /// What the customer's key holds now; the entry that came in unless the verdict is `Applied`.
    pub entry: Option<Entry>,
    /// The changes in their order: those by time alone that were due before, then that of the delivery, if any.
    pub changes: Vec<SegmentChange>,
    /// Evaluations of the customer because of time alone, before the delivery.
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
