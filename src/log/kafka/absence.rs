//! Topics that the cluster does not know.
//!
//! While brokers restart or their metadata spreads, a broker may answer that there is no such topic. So no error of a
//! client is proof that a topic is gone. A worker that has not committed for a while, or whose transaction failed, asks for
//! the topics themselves, and it ends where the cluster says for a minute that one of them is not there.

use std::time::Duration;
use std::time::Instant;

/// A worker whose last commit is longer ago than this asks for the topics, and asks again this much later.
const ASK_INTERVAL: Duration = Duration::from_secs(10);
/// A topic that is missing for so long in all answers is gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the worker asks next, and since when a topic is missing.
#[derive(Debug)]
pub(super) struct AbsenceWatch {
    ask_at: Instant,
    /// A transaction failed since the last question.
    has_failed: bool,
    missing_since: Option<Instant>,
}

impl AbsenceWatch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ask_at: now + ASK_INTERVAL,
            has_failed: false,
            missing_since: None,
        }
    }

    /// A transaction was committed. The topics that it did not need may be missing all the same.
    pub(super) fn committed(&mut self, now: Instant) {
        if !self.has_failed && self.missing_since.is_none() {
            self.ask_at = now + ASK_INTERVAL;
        }
    }

    /// A transaction failed, and a missing topic may be why.
    pub(super) fn failed(&mut self) {
        self.has_failed = true;
    }

    /// Whether the worker asks now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.ask_at
    }

    /// Takes the cluster's answer: whether a topic is missing; `None` if it does not answer. `true` once a topic has been
    /// missing for too long.
    pub(super) fn answered(&mut self, is_missing: Option<bool>, now: Instant) -> bool {
        self.ask_at = now + ASK_INTERVAL;
        self.has_failed = false;
        if is_missing != Some(true) {
            self.missing_since = None;
            return false;
        }
        let since = *self.missing_since.get_or_insert(now);
        now.saturating_duration_since(since) >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds since the start of each answer, what it was, and whether the topic is gone.
    #[test]
    fn only_a_topic_that_is_missing_in_every_answer_of_a_minute_is_gone() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = AbsenceWatch::new(start);
        for (seconds, is_missing, is_gone) in [
            (10, Some(true), false),
            (69, Some(true), false),
            // No answer is no proof: the minute begins anew.
            (70, None, false),
            (80, Some(true), false),
            (139, Some(true), false),
            (140, Some(true), true),
            (150, Some(false), false),
            (160, Some(true), false),
        ] {
            let now = at(seconds);
            assert_eq!(
                watch.answered(is_missing, now),
                is_gone,
                "after {seconds} s"
            );
            assert!(!watch.is_due(now + ASK_INTERVAL - Duration::from_millis(1)));
            assert!(watch.is_due(now + ASK_INTERVAL));
        }
        // What is committed without the topic does not end the minute.
        watch.committed(at(165));
        assert!(watch.is_due(at(170)));
        assert!(watch.answered(Some(true), at(220)));
    }

    #[test]
    fn a_worker_asks_when_it_commits_nothing_or_a_transaction_has_failed() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = AbsenceWatch::new(start);
        for seconds in 1..30 {
            watch.committed(at(seconds));
            assert!(!watch.is_due(at(seconds + 9)));
        }
        assert!(watch.is_due(at(39)));
        watch.failed();
        watch.committed(at(38));
        assert!(
            watch.is_due(at(39)),
            "a commit after the failure says nothing of it"
        );
        assert!(!watch.answered(Some(false), at(39)));
        watch.committed(at(40));
        assert!(!watch.is_due(at(49)));
    }
}
