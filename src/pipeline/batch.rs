//! What a worker has in hand: the outputs of the deliveries since the last commit. Records are
//! staged beside it, by partition; nothing of either is visible before the commit.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::bus::OutputRecord;
use crate::domain::change::SegmentChange;
use crate::domain::time::Timestamp;
use crate::engine::verdict::Verdict;
use crate::pipeline::Limits;
use crate::pipeline::control::Counts;

/// Estimated bytes of a change on the wire.
const CHANGE_BYTES: usize = 1024;

/// The transaction in the making.
#[derive(Debug, Default)]
pub struct Batch {
    /// When its first delivery was taken.
    pub started: Option<Instant>,
    /// Changes in the order of their steps.
    pub changes: Vec<SegmentChange>,
    /// Dead letters.
    pub dead_letters: Vec<OutputRecord>,
    /// Deliveries by type and outcome.
    pub verdicts: BTreeMap<(&'static str, &'static str), u64>,
    /// Totals, for the tally.
    pub counts: Counts,
    /// The latest event instant, for the latency from purchase to visible change.
    pub occurred_at_max: Option<Timestamp>,
    bytes: usize,
}

impl Batch {
    /// Counts a delivery and its verdict.
    pub fn count(
        &mut self,
        event_type: &'static str,
        verdict: &Verdict,
        bytes: usize,
        now: Instant,
    ) {
        self.started.get_or_insert(now);
        self.bytes += bytes;
        let outcome = verdict.outcome();
        *self
            .verdicts
            .entry((event_type, outcome.as_str()))
            .or_default() += 1;
        *self.counts.verdicts.entry(outcome).or_default() += 1;
        self.counts.events += 1;
        if let Some(reason) = verdict.reject_reason() {
            *self.counts.rejected.entry(reason.as_str()).or_default() += 1;
        }
    }

    /// Adds a change.
    pub fn push_change(&mut self, change: SegmentChange) {
        self.bytes += CHANGE_BYTES;
        self.counts.changes += 1;
        self.changes.push(change);
    }

    /// Adds a dead letter.
    pub fn push_dead_letter(&mut self, letter: OutputRecord) {
        self.bytes += letter.value.len();
        self.dead_letters.push(letter);
    }

    /// No delivery was taken since the last commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.started.is_none()
    }

    /// One of the limits is reached.
    #[must_use]
    pub fn is_due(&self, limits: &Limits, now: Instant) -> bool {
        let waited = self.started.is_some_and(|started| {
            now.saturating_duration_since(started) >= limits.commit_interval
        });
        waited || self.is_full(limits)
    }

    /// A limit of size is reached.
    #[must_use]
    pub fn is_full(&self, limits: &Limits) -> bool {
        let records = usize::try_from(self.counts.events).unwrap_or(usize::MAX);
        records >= limits.commit_records || self.bytes >= limits.commit_bytes
    }
}
