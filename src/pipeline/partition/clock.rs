//! Record times and the partition clock. The clock only says which deadlines are due; it never
//! goes back. docs/TIME_AND_CHURN.md, The clock of a partition.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::domain::time::Timestamp;

/// Reads the wall clock; the one place of the service that does.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl WallClock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the wall clock"
            )]
            let now = jiff::Timestamp::now();
            Timestamp::from_milliseconds(now.as_millisecond()).unwrap_or(Timestamp::MAX)
        }))
    }

    /// A clock of the caller's.
    #[must_use]
    pub fn manual(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WallClock")
    }
}

/// Reads the monotonic clock, which decides when commits, flushes and checkpoints are due. Tests move their own.
#[derive(Clone)]
pub struct MonotonicClock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl MonotonicClock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Instant::now))
    }

    /// A clock of the caller's; it must not go back.
    #[must_use]
    pub fn manual(read: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Instant {
        (self.0)()
    }
}

impl fmt::Debug for MonotonicClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MonotonicClock")
    }
}

/// Which clock moves the partitions on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMode {
    /// Record times while a partition lags, wall time once it has caught up.
    Wall,
    /// Record times alone: the log decides.
    Event,
}

/// How record times are judged.
#[derive(Clone, Copy, Debug)]
pub struct ClockRules {
    /// Which clock.
    pub mode: ClockMode,
    /// A record time this far ahead of the wall clock is not valid.
    pub skew: Duration,
    /// Disorder of record times within a partition.
    pub disorder: Duration,
    /// What may still be on its way once a partition has caught up.
    pub grace: Duration,
}

/// The clock of one partition.
#[derive(Clone, Debug)]
pub struct PartitionClock {
    rules: ClockRules,
    record_time_max: Option<Timestamp>,
    clock: Option<Timestamp>,
}

impl PartitionClock {
    /// Goes on from a checkpoint.
    #[must_use]
    pub fn resume(
        rules: ClockRules,
        record_time_max: Option<Timestamp>,
        clock: Option<Timestamp>,
    ) -> Self {
        Self {
            rules,
            record_time_max,
            clock,
        }
    }

    /// The record time a delivery counts with: its own where it is valid, else the greatest valid
    /// one of the partition so far; `None` where there is neither.
    #[must_use]
    pub fn effective_record_time(
        &self,
        stated: Option<Timestamp>,
        wall: Timestamp,
    ) -> Option<Timestamp> {
        self.valid(stated, wall).or(self.record_time_max)
    }

    /// Whether a record time is at most `time.skew` ahead of the wall clock; on the event clock every one is valid.
    #[must_use]
    pub fn is_valid(&self, record_time: Timestamp, wall: Timestamp) -> bool {
        match self.rules.mode {
            ClockMode::Event => true,
            ClockMode::Wall => record_time <= wall.plus_milliseconds(milliseconds(self.rules.skew)),
        }
    }

    /// A delivery that was not rejected moves the clock.
    pub fn observe(&mut self, stated: Option<Timestamp>, wall: Timestamp) {
        let Some(record_time) = self.valid(stated, wall) else {
            return;
        };
        self.record_time_max = self.record_time_max.max(Some(record_time));
        let lagging = match self.rules.mode {
            ClockMode::Event => self.record_time_max,
            ClockMode::Wall => self
                .record_time_max
                .map(|greatest| greatest.plus_milliseconds(-milliseconds(self.rules.disorder))),
        };
        self.clock = self.clock.max(lagging);
    }

    /// A query begun at `wall` found nothing unread in the partition.
    pub fn caught_up(&mut self, wall: Timestamp) {
        match self.rules.mode {
            ClockMode::Event => {}
            ClockMode::Wall => {
                let safe = wall.plus_milliseconds(-milliseconds(self.rules.grace));
                self.clock = self.clock.max(Some(safe));
            }
        }
    }

    /// Moves the clock to an instant: everything before it is due.
    pub fn advance(&mut self, to: Timestamp) {
        self.clock = self.clock.max(Some(to));
    }

    /// Everything due up to this instant is due.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        self.clock
    }

    /// The greatest valid record time so far.
    #[must_use]
    pub fn record_time_max(&self) -> Option<Timestamp> {
        self.record_time_max
    }

    fn valid(&self, stated: Option<Timestamp>, wall: Timestamp) -> Option<Timestamp> {
        stated.filter(|record_time| self.is_valid(*record_time, wall))
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ClockRules = ClockRules {
        mode: ClockMode::Wall,
        skew: Duration::from_secs(300),
        disorder: Duration::from_secs(60),
        grace: Duration::from_secs(10),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(seconds * 1000).unwrap()
    }

    #[test]
    fn a_record_time_ahead_of_the_wall_clock_moves_nothing() {
        let mut clock = PartitionClock::resume(RULES, None, None);
        assert_eq!(clock.effective_record_time(Some(at(1301)), at(1000)), None);
        clock.observe(Some(at(900)), at(1000));
        clock.observe(Some(at(1301)), at(1000));
        assert_eq!(clock.now(), Some(at(840)));
        assert_eq!(
            clock.effective_record_time(Some(at(1301)), at(1000)),
            Some(at(900))
        );
        assert_eq!(clock.effective_record_time(None, at(1000)), Some(at(900)));
        assert_eq!(
            clock.effective_record_time(Some(at(1300)), at(1000)),
            Some(at(1300))
        );
    }

    #[test]
    fn the_clock_never_goes_back() {
        let mut clock = PartitionClock::resume(RULES, None, Some(at(500)));
        clock.observe(Some(at(100)), at(1000));
        assert_eq!(clock.now(), Some(at(500)));
        clock.caught_up(at(2000));
        assert_eq!(clock.now(), Some(at(1990)));
        clock.caught_up(at(1500));
        clock.observe(Some(at(1900)), at(2000));
        assert_eq!(clock.now(), Some(at(1990)));
    }

    #[test]
    fn the_event_clock_is_the_greatest_record_time_and_has_no_cap() {
        let rules = ClockRules {
            mode: ClockMode::Event,
            ..RULES
        };
        let mut clock = PartitionClock::resume(rules, None, None);
        clock.observe(Some(at(5_000_000)), at(1000));
        clock.caught_up(at(9_000_000));
        assert_eq!(clock.now(), Some(at(5_000_000)));
    }
}
