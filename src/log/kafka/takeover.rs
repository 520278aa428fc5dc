//! Whether a worker goes on whose producer, or whose member of the group, the broker has ended.
//!
//! The broker ends a producer, by a new epoch, where another process takes the transactional id, and also where a
//! transaction was open for longer than its timeout. The client reports both as fenced. How long the transaction was
//! open tells them apart, but not always: a clock that does not count the time of a suspended machine makes it too short.
//! The same holds for a member whose session ended while the process did not run.

use std::time::Duration;
use std::time::Instant;

/// When the broker last ended one for no reason that the worker knows.
#[derive(Debug, Default)]
pub(super) struct Takeovers {
    unexplained_at: Option<Instant>,
}

impl Takeovers {
    /// Whether the worker may make another one, given whether it knows why: the transaction was open for as long as its
    /// timeout, or the process did not run for as long as a session. Without that it may do so once within `quiet`:
    /// another process that has the id ends the new one too.
    pub(super) fn may_return(&mut self, is_explained: bool, now: Instant, quiet: Duration) -> bool {
        if is_explained {
            return true;
        }
        let last = self.unexplained_at.replace(now);
        last.is_none_or(|at| now.saturating_duration_since(at) >= quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(60);

    #[test]
    fn a_producer_that_another_process_ends_comes_back_once() {
        let mut takeovers = Takeovers::default();
        let first = Instant::now();
        assert!(takeovers.may_return(false, first, QUIET));
        let second = first + QUIET - Duration::from_millis(1);
        assert!(!takeovers.may_return(false, second, QUIET));
        // The second one counts too, so that two processes do not take turns.
        let third = second + QUIET - Duration::from_millis(1);
        assert!(!takeovers.may_return(false, third, QUIET));
        assert!(takeovers.may_return(false, third + QUIET, QUIET));
    }

    #[test]
    fn a_transaction_that_was_open_for_too_long_is_no_takeover_however_often_it_happens() {
        let mut takeovers = Takeovers::default();
        let now = Instant::now();
        for _ in 0..3 {
            assert!(takeovers.may_return(true, now, QUIET));
        }
        assert!(takeovers.may_return(false, now, QUIET));
        assert!(takeovers.may_return(true, now, QUIET));
        assert!(!takeovers.may_return(false, now, QUIET));
    }
}
