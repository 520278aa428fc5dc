//! What a worker has in hand: the outputs of the deliveries since the last commit. Records are
//! staged beside it, by partition; nothing of either is visible before the commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::domain::change::ChangeReason;
use crate::domain::change::SegmentChange;
use crate::domain::event::RejectReason;
use crate::domain::event::UnknownFields;
use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::time::Timestamp;
use crate::engine::verdict::Verdict;
use crate::log::Delivery;
use crate::log::OutputRecord;
use crate::pipeline::Limits;
use crate::pipeline::Shared;
use crate::pipeline::control::Counts;
use crate::pipeline::findings::Findings;
use crate::pipeline::journal::Recent;
use crate::pipeline::partition::wall::WallTime;

/// Memory of a change until it is committed, estimated: itself, its record, and the client's copies of it
/// for two topics.
const CHANGE_BYTES: usize = 5 * 1024;

/// Commit intervals of a transaction while the log is read behind its end. What a transaction costs besides its records,
/// most of it in the broker, is then shared by more of them, and its changes are late by more than that anyway.
const INTERVALS_BEHIND: u32 = 3;

/// So many transactions in a row must succeed before larger ones are tried again.
const SUCCESSES_TO_GROW: u32 = 16;
/// No transaction is divided further.
const DIVISOR_MAX: usize = 1 << 20;

/// What the limits of a transaction's size are divided by. It doubles when a transaction fails, so that one which was too
/// much for the log is not tried again as it was, and halves after a number that succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divisor {
    divisor: usize,
    successes: u32,
}

impl Default for Divisor {
    fn default() -> Self {
        Self {
            divisor: 1,
            successes: 0,
        }
    }
}

impl Divisor {
    /// A limit, divided; at least 1.
    #[must_use]
    pub fn of(self, limit: usize) -> usize {
        (limit / self.divisor).max(1)
    }

    /// A transaction failed.
    pub fn failed(&mut self) {
        self.divisor = (self.divisor * 2).min(DIVISOR_MAX);
        self.successes = 0;
    }

    /// A transaction succeeded.
    pub fn succeeded(&mut self) {
        self.successes = self.successes.saturating_add(1);
        if self.successes >= SUCCESSES_TO_GROW && self.divisor > 1 {
            self.divisor /= 2;
            self.successes = 0;
        }
    }
}

/// When deliveries were polled.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// By the wall clock.
    pub wall: WallTime,
    /// By the monotonic one.
    pub at: Instant,
    /// How long the oldest of them had waited in the log; `None` where it is not known, or where the log is
    /// read behind its end.
    pub waited: Option<Duration>,
    /// The log is read behind its end; `None` where that is not known.
    pub is_behind: Option<bool>,
}

impl Poll {
    /// Now, for what no delivery has caused.
    #[must_use]
    pub fn without_deliveries(shared: &Shared) -> Self {
        Self {
            wall: shared.look_at_wall(),
            at: shared.monotonic.now(),
            waited: None,
            is_behind: None,
        }
    }
}

/// The transaction in the making.
#[derive(Debug, Default)]
pub struct Batch {
    /// Changes by the partition of their customers, in the order of their steps. A topic keyed by customer mostly has
    /// the partitions of the input, so that a partition's records go to the log together.
    pub changes: BTreeMap<Partition, Vec<SegmentChange>>,
    /// Dead letters.
    pub dead_letters: Vec<Arc<OutputRecord>>,
    /// Deliveries by type and outcome.
    pub verdicts: BTreeMap<(&'static str, &'static str), u64>,
    /// Totals, for the tally.
    pub counts: Counts,
    /// Deliveries that changed no customer.
    pub findings: Findings,
    /// Those of them that are no lines of the file that is the input.
    pub findings_elsewhere: Findings,
    /// How the last deliveries ended.
    pub recent: Recent,
    /// The first delivery.
    first: Option<Position>,
    /// Time alone has caused some of it.
    has_fired: bool,
    /// When each applied delivery arrived, for the time until its change is visible.
    pub arrived_at: Vec<Timestamp>,
    due_at: Option<Instant>,
    /// When it is due once the end of the log is read; `None` where the end was being read already.
    due_at_end: Option<Instant>,
    bytes: usize,
    /// What the limits of size are divided by.
    divisor: Divisor,
}

impl Batch {
    /// A transaction whose limits of size are divided.
    #[must_use]
    pub fn divided(divisor: Divisor) -> Self {
        Self {
            divisor,
            ..Self::default()
        }
    }

    /// Adds bytes of state that the transaction writes.
    pub fn add_state(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Counts a delivery and its verdict.
    pub fn count(&mut self, delivery: &Delivery, event_type: &'static str, verdict: &Verdict) {
        self.bytes += delivery.bytes();
        self.first.get_or_insert(delivery.position);
        let outcome = verdict.outcome();
        *self
            .verdicts
            .entry((event_type, outcome.as_str()))
            .or_default() += 1;
        *self.counts.verdicts.entry(outcome).or_default() += 1;
        self.counts.events += 1;
        self.recent.push(verdict.lost_as());
        if let Some(reason) = verdict.reject_reason().map(RejectReason::as_str) {
            *self.counts.rejected.entry(reason).or_default() += 1;
        }
    }

    /// Counts a delivery with fields that no event has, if it has any.
    pub fn count_unknown(&mut self, fields: UnknownFields) {
        self.counts.unknown_fields += u64::from(!fields.is_empty());
    }

    /// Time alone has caused some of it.
    pub fn fired(&mut self) {
        self.has_fired = true;
    }

    /// The delivery that alone has caused all of it.
    #[must_use]
    pub fn only_delivery(&self) -> Option<Position> {
        self.first
            .filter(|_| self.counts.events == 1 && !self.has_fired)
    }

    /// It cannot be divided.
    #[must_use]
    pub fn is_single(&self, limits: &Limits) -> bool {
        self.only_delivery().is_some() || self.divisor.of(limits.commit_records) == 1
    }

    /// Counts a delivery whose record time is too far ahead of the wall clock, if it is.
    pub fn count_ahead(&mut self, is_ahead: bool) {
        self.counts.record_times_ahead += u64::from(is_ahead);
    }

    /// Counts evaluations that time alone caused.
    pub fn count_evaluations(&mut self, evaluations: usize) {
        self.counts.time_evaluations += u64::try_from(evaluations).unwrap_or(u64::MAX);
    }

    /// Adds a change of a customer of this partition.
    pub fn push_change(&mut self, partition: Partition, change: SegmentChange) {
        self.bytes += CHANGE_BYTES;
        self.counts.changes += 1;
        self.counts.time_changes += u64::from(change.reason == ChangeReason::TimePassed);
        self.changes.entry(partition).or_default().push(change);
    }

    /// Adds a dead letter.
    pub fn push_dead_letter(&mut self, letter: OutputRecord) {
        self.bytes += letter.bytes();
        self.dead_letters.push(Arc::new(letter));
    }

    /// A delivery of this poll is taken; the first one decides when the transaction is due. The time that it waited
    /// in the log counts towards the interval, at most three quarters of it, so that records stamped long ago do
    /// not end in a transaction each. While the log is read behind its end, the interval is longer.
    pub fn start(&mut self, limits: &Limits, poll: Poll) {
        let interval = limits.commit_interval;
        if self.due_at.is_none() {
            let waited = poll.waited.unwrap_or_default();
            let due_at = poll.at + (interval - waited.min(interval / 4 * 3));
            self.due_at = Some(due_at);
            if poll.is_behind == Some(true) {
                self.due_at = Some(poll.at + interval * INTERVALS_BEHIND);
                self.due_at_end = Some(due_at);
            }
        } else if poll.is_behind == Some(false) {
            self.reached_end();
        }
    }

    /// The end of the log is being read.
    pub fn reached_end(&mut self) {
        self.due_at = self.due_at_end.take().or(self.due_at);
    }

    /// Nothing was taken since the last commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due_at.is_none()
    }

    /// Until it must be committed; `None` where nothing waits.
    #[must_use]
    pub fn due_in(&self, now: Instant) -> Option<Duration> {
        let due_at = self.due_at?;
        Some(due_at.saturating_duration_since(now))
    }

    /// One of the limits is reached.
    #[must_use]
    pub fn is_due(&self, limits: &Limits, now: Instant) -> bool {
        self.due_at.is_some_and(|due_at| now >= due_at) || self.is_full(limits)
    }

    /// A limit of size is reached.
    #[must_use]
    pub fn is_full(&self, limits: &Limits) -> bool {
        let records = self
            .counts
            .events
            .saturating_add(self.counts.time_evaluations);
        let records = usize::try_from(records).unwrap_or(usize::MAX);
        records >= self.divisor.of(limits.commit_records)
            || self.bytes >= self.divisor.of(limits.commit_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::state::seal::Sealing;

    /// Intervals of 100 ms; in milliseconds since the first poll.
    #[test]
    fn a_transaction_is_due_after_an_interval_or_three_while_the_log_is_read_behind_its_end() {
        let limits = Limits {
            commit_interval: Duration::from_millis(100),
            ..small()
        };
        let begun = Instant::now();
        // By hand: of each poll, when it was, how long it waited, and whether it was behind.
        let (ahead, behind) = (Some(false), Some(true));
        type Polled = (u64, u64, Option<bool>);
        let cases: [(&[Polled], u64); 8] = [
            (&[(0, 0, ahead)], 100),
            (&[(0, 30, ahead)], 70),
            (&[(0, 900, ahead)], 25),
            (&[(0, 0, None)], 100),
            (&[(0, 0, behind)], 300),
            (&[(0, 0, behind), (40, 0, behind), (60, 0, None)], 300),
            (&[(0, 0, behind), (40, 0, behind), (80, 0, ahead)], 100),
            (&[(0, 0, ahead), (40, 0, behind)], 100),
        ];
        for (polls, due_ms) in cases {
            let mut batch = Batch::default();
            for (at_ms, waited_ms, is_behind) in polls {
                batch.start(
                    &limits,
                    Poll {
                        wall: WallTime {
                            now: Timestamp::default(),
                            is_held: false,
                        },
                        at: begun + Duration::from_millis(*at_ms),
                        waited: Some(Duration::from_millis(*waited_ms)),
                        is_behind: *is_behind,
                    },
                );
            }
            let due_in = batch.due_in(begun).unwrap();
            assert_eq!(due_in, Duration::from_millis(due_ms), "{polls:?}");
        }
    }

    fn small() -> Limits {
        Limits {
            commit_interval: Duration::from_secs(1),
            commit_records: 10,
            commit_bytes: 12,
            flush_interval: Duration::from_secs(1),
            flush_records: 1,
            flush_bytes: 1,
            flush_pages: 1,
            flushes_in_background: false,
            record_cache_bytes: 1,
            sealing: Sealing::default(),
            checkpoint_interval: Duration::from_secs(1),
        }
    }

    #[test]
    fn state_fills_a_batch_as_what_it_was_made_of_does() {
        let limits = small();
        let mut batch = Batch::default();
        batch.add_state(11);
        assert!(!batch.is_full(&limits));
        batch.add_state(1);
        assert!(batch.is_full(&limits));
    }

    /// By hand: 12 bytes or 10 records become 3 or 2 after two failures, and 6 or 5 after 16 successes in a row.
    #[test]
    fn the_limits_are_halved_by_a_failure_and_doubled_by_sixteen_successes() {
        let mut divisor = Divisor::default();
        let limits = |divisor: Divisor| (divisor.of(12), divisor.of(10));
        divisor.succeeded();
        assert_eq!(limits(divisor), (12, 10));
        divisor.failed();
        divisor.failed();
        assert_eq!(limits(divisor), (3, 2));
        for _ in 0..15 {
            divisor.succeeded();
        }
        assert_eq!(limits(divisor), (3, 2));
        divisor.succeeded();
        assert_eq!(limits(divisor), (6, 5));
        for _ in 0..40 {
            divisor.failed();
        }
        assert_eq!(limits(divisor), (1, 1));
        let mut batch = Batch::divided(divisor);
        batch.add_state(1);
        assert!(batch.is_full(&small()));
    }

    #[test]
    fn a_dead_letter_fills_a_batch_by_its_key_its_value_and_its_headers() {
        let limits = small();
        let is_full = |key: &[u8], value: &[u8], header: &[u8]| {
            let mut batch = Batch::default();
            batch.push_dead_letter(OutputRecord {
                key: Some(key.to_vec()),
                value: Some(value.to_vec()),
                headers: vec![("name".into(), Some(header.to_vec()))],
                timestamp: Timestamp::default(),
            });
            batch.is_full(&limits)
        };
        assert!(is_full(b"key", b"val", b"he"));
        assert!(!is_full(b"ke", b"val", b"he"));
        assert!(!is_full(b"key", b"va", b"he"));
        assert!(!is_full(b"key", b"val", b"h"));
    }
}
