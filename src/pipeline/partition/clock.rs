//! Record times and the partition clock. The clock only says which deadlines are due; it never
//! goes back. docs/TIME_AND_CHURN.md, The clock of a partition.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::domain::time::Timestamp;
use crate::domain::time::milliseconds;
use crate::pipeline::partition::wall::StartRules;
use crate::pipeline::partition::wall::Turn;
use crate::pipeline::partition::wall::WallTime;
use crate::pipeline::partition::wall::WallWatch;

/// Two clocks that are read together lie at most this far apart, or they are read again.
const READ_APART_MAX: Duration = Duration::from_secs(1);
/// How often they are read again.
const READS_MAX: u32 = 3;

/// Reads the wall clock; the one place of the service that does.
#[derive(Clone)]
pub struct WallClock {
    read: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    watched: Option<Arc<Watched>>,
}

/// The time that has passed since the machine was started, and what it says about the wall clock.
struct Watched {
    since_boot: Box<dyn Fn() -> Duration + Send + Sync>,
    watch: Mutex<WallWatch>,
}

impl WallClock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::manual(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the wall clock"
            )]
            let now = jiff::Timestamp::now();
            Timestamp::from_milliseconds(now.as_millisecond()).unwrap_or(Timestamp::MAX)
        })
    }

    /// The system's clock, compared with the time since the machine was started.
    #[must_use]
    pub fn system_watched(jump_max: Duration) -> Self {
        Self::system().watched(since_boot, jump_max)
    }

    /// A clock of the caller's.
    #[must_use]
    pub fn manual(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            read: Arc::new(read),
            watched: None,
        }
    }

    /// The same, compared with the time since the machine was started; it has jumped if it differs by more than
    /// `jump_max`.
    #[must_use]
    pub fn watched(
        self,
        since_boot: impl Fn() -> Duration + Send + Sync + 'static,
        jump_max: Duration,
    ) -> Self {
        let watched = Watched {
            since_boot: Box::new(since_boot),
            watch: Mutex::new(WallWatch::new(jump_max)),
        };
        let clock = Self {
            watched: Some(Arc::new(watched)),
            ..self
        };
        // The time at the start is the one that later ones are compared with.
        clock.look();
        clock
    }

    /// The time now, as far as it is trusted.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.look().now
    }

    /// The time now, and whether the clocks of the partitions are held.
    pub fn look(&self) -> WallTime {
        match &self.watched {
            Some(watched) => watched.look(&*self.read),
            None => WallTime {
                now: (self.read)(),
                is_held: false,
            },
        }
    }

    /// What has changed about it since it was asked for last.
    #[must_use]
    pub fn turn(&self) -> Option<Turn> {
        self.watched.as_ref()?.lock().turn()
    }
}

impl Watched {
    fn look(&self, read: &dyn Fn() -> Timestamp) -> WallTime {
        let mut watch = self.lock();
        let mut before = (self.since_boot)();
        let mut wall = read();
        let mut after = (self.since_boot)();
        // Between the two readings the process may have been stopped.
        for _ in 0..READS_MAX {
            if after.saturating_sub(before) <= READ_APART_MAX {
                break;
            }
            before = after;
            wall = read();
            after = (self.since_boot)();
        }
        watch.look(wall, after)
    }

    fn lock(&self) -> MutexGuard<'_, WallWatch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time since the machine was started, also while it was suspended.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// The time since this was first asked for. Where it does not go on while the machine is suspended, the wall clock seems to
/// have jumped afterwards.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    STARTED.get_or_init(Instant::now).elapsed()
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

/// No event is sent or replayed with a record time further ahead of the wall clock, and on Kafka's event clock none moves
/// a clock: a record time that far ahead is a mistake.
pub const RECORD_TIME_AHEAD_MAX: Duration = Duration::from_secs(86_400);

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
    /// On the wall clock, a record time further ahead of it than this is not valid.
    pub skew: Duration,
    /// The same on the event clock; `None`: every record time is valid.
    pub event_ahead_max: Option<Duration>,
    /// Disorder of record times within a partition.
    pub disorder: Duration,
    /// What may still be on its way once a partition has caught up.
    pub grace: Duration,
    /// What the wall clock may be at the start; `None`: anything.
    pub start: Option<StartRules>,
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

    /// Whether a record time is not too far ahead of the wall clock.
    #[must_use]
    pub fn is_valid(&self, record_time: Timestamp, wall: Timestamp) -> bool {
        let ahead_max = match self.rules.mode {
            ClockMode::Event => self.rules.event_ahead_max,
            ClockMode::Wall => Some(self.rules.skew),
        };
        ahead_max
            .is_none_or(|ahead_max| record_time <= wall.plus_milliseconds(milliseconds(ahead_max)))
    }

    /// A delivery that was not rejected moves the clock, unless it follows the wall clock and that is held.
    pub fn observe(&mut self, stated: Option<Timestamp>, wall: WallTime) {
        let Some(record_time) = self.valid(stated, wall.now) else {
            return;
        };
        self.record_time_max = self.record_time_max.max(Some(record_time));
        if wall.is_held && self.rules.mode == ClockMode::Wall {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ClockRules = ClockRules {
        mode: ClockMode::Wall,
        skew: Duration::from_secs(300),
        disorder: Duration::from_secs(60),
        grace: Duration::from_secs(10),
        event_ahead_max: None,
        start: None,
    };

    fn wall(seconds: i64) -> WallTime {
        WallTime {
            now: at(seconds),
            is_held: false,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(seconds * 1000).unwrap()
    }

    #[test]
    fn a_record_time_ahead_of_the_wall_clock_moves_nothing() {
        let mut clock = PartitionClock::resume(RULES, None, None);
        assert_eq!(clock.effective_record_time(Some(at(1301)), at(1000)), None);
        clock.observe(Some(at(900)), wall(1000));
        clock.observe(Some(at(1301)), wall(1000));
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
        clock.observe(Some(at(100)), wall(1000));
        assert_eq!(clock.now(), Some(at(500)));
        clock.caught_up(at(2000));
        assert_eq!(clock.now(), Some(at(1990)));
        clock.caught_up(at(1500));
        clock.observe(Some(at(1900)), wall(2000));
        assert_eq!(clock.now(), Some(at(1990)));
    }

    #[test]
    fn the_event_clock_is_the_greatest_record_time_and_has_no_cap() {
        let rules = ClockRules {
            mode: ClockMode::Event,
            ..RULES
        };
        let mut clock = PartitionClock::resume(rules, None, None);
        clock.observe(Some(at(5_000_000)), wall(1000));
        clock.caught_up(at(9_000_000));
        assert_eq!(clock.now(), Some(at(5_000_000)));
    }
    #[test]
    fn while_the_wall_clock_is_held_record_times_move_no_clock_that_follows_it() {
        let held = WallTime {
            is_held: true,
            ..wall(1000)
        };
        let mut clock = PartitionClock::resume(RULES, None, Some(at(500)));
        clock.observe(Some(at(900)), held);
        assert_eq!(clock.now(), Some(at(500)));
        assert_eq!(clock.record_time_max(), Some(at(900)));
        clock.observe(Some(at(901)), wall(1000));
        assert_eq!(clock.now(), Some(at(841)));
        let rules = ClockRules {
            mode: ClockMode::Event,
            ..RULES
        };
        let mut clock = PartitionClock::resume(rules, None, Some(at(500)));
        clock.observe(Some(at(900)), held);
        assert_eq!(clock.now(), Some(at(900)));
    }

    #[test]
    fn on_the_event_clock_a_record_time_far_beyond_the_wall_clock_moves_nothing() {
        let rules = ClockRules {
            mode: ClockMode::Event,
            event_ahead_max: Some(Duration::from_secs(86_400)),
            ..RULES
        };
        let mut clock = PartitionClock::resume(rules, None, None);
        clock.observe(Some(at(900)), wall(1000));
        clock.observe(Some(at(1000 + 86_401)), wall(1000));
        assert_eq!(clock.now(), Some(at(900)));
        clock.observe(Some(at(1000 + 86_400)), wall(1000));
        assert_eq!(clock.now(), Some(at(1000 + 86_400)));
    }
}
