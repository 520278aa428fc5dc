//! The rate of a replay.

use std::time::Duration;
use std::time::Instant;

/// The most events that are sent to the log at a time.
pub(super) const CHUNK_EVENTS: usize = 2048;
/// With a rate, a chunk holds at most the events of this time.
const CHUNK_DURATION: Duration = Duration::from_millis(20);
pub(super) const WAIT_FOR_WORKERS: Duration = Duration::from_millis(1);

/// Limits events to a rate. After a stall there is no burst to catch up.
pub(super) struct Pace {
    pub(super) rate: f64,
    due: f64,
    asked_at: Instant,
}

impl Pace {
    pub(super) fn new(rate: f64) -> Self {
        Self {
            rate,
            due: 0.0,
            asked_at: Instant::now(),
        }
    }

    /// Events that may be sent now.
    pub(super) fn take(&mut self) -> usize {
        let now = Instant::now();
        let since = now
            .saturating_duration_since(self.asked_at)
            .min(CHUNK_DURATION);
        self.asked_at = now;
        self.due += since.as_secs_f64() * self.rate;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of events, zero or more, cut to whole ones"
        )]
        let whole = self.due as usize;
        self.due = self.due.fract();
        whole.min(CHUNK_EVENTS)
    }
}
