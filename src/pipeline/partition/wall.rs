//! Whether the wall clock is trusted. A clock that was wrong for a moment would move customers for good, as the clock
//! of a partition never goes back. docs/TIME_AND_CHURN.md, The wall clock.

use std::time::Duration;

use crate::domain::time::Timestamp;
use crate::domain::time::milliseconds;

/// A wall time that agreed is what later ones are compared with for this long; then one that agrees takes its place. So
/// small corrections do not add up to a jump, and a clock cannot run away in small steps.
const RENEWAL: Duration = Duration::from_secs(3600);

/// The wall time, as far as it is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// What the wall clock says or, after it has jumped, would say if it had not.
    pub now: Timestamp,
    /// The wall clock has jumped, so the clocks of the partitions stand still.
    pub is_held: bool,
}

/// What changed about the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has jumped by this much, in milliseconds; back, if negative.
    Jumped {
        /// Ahead of where it should be.
        ahead_ms: i64,
    },
    /// It agrees again with the time that has passed.
    Agrees,
}

impl Turn {
    /// By how many seconds the clock is ahead; `None` where it agrees.
    #[must_use]
    pub fn ahead_seconds(self) -> Option<i64> {
        match self {
            Self::Jumped { ahead_ms } => Some(ahead_ms / 1000),
            Self::Agrees => None,
        }
    }
}

/// Compares the wall clock with the time that has passed since the machine was started, suspension included.
#[derive(Debug)]
pub struct WallWatch {
    jump_max_ms: i64,
    /// A wall time that is trusted, and the time since the start of the machine then.
    trusted: Option<(Timestamp, Duration)>,
    jumped_ms: Option<i64>,
    /// Whether it was said that the clock has jumped.
    is_said: bool,
}

impl WallWatch {
    /// A wall clock that may differ by at most `jump_max` from the time that has passed.
    #[must_use]
    pub fn new(jump_max: Duration) -> Self {
        Self {
            jump_max_ms: milliseconds(jump_max),
            trusted: None,
            jumped_ms: None,
            is_said: false,
        }
    }

    /// Compares the wall time with the time since the start of the machine, which was read with it. The first one is
    /// trusted.
    pub fn look(&mut self, wall: Timestamp, since_boot: Duration) -> WallTime {
        let (at, at_boot) = *self.trusted.get_or_insert((wall, since_boot));
        let passed = since_boot.saturating_sub(at_boot);
        let expected = at.plus_milliseconds(milliseconds(passed));
        let ahead_ms = wall.as_milliseconds() - expected.as_milliseconds();
        let is_held = ahead_ms.abs() > self.jump_max_ms;
        self.jumped_ms = is_held.then_some(ahead_ms);
        if !is_held && passed >= RENEWAL {
            self.trusted = Some((wall, since_boot));
        }
        WallTime {
            now: if is_held { expected } else { wall },
            is_held,
        }
    }

    /// What has changed since it was asked for last: each change is said once.
    pub fn turn(&mut self) -> Option<Turn> {
        let has_changed = self.jumped_ms.is_some() != self.is_said;
        self.is_said = self.jumped_ms.is_some();
        has_changed.then_some(match self.jumped_ms {
            Some(ahead_ms) => Turn::Jumped { ahead_ms },
            None => Turn::Agrees,
        })
    }
}

/// What the wall time at the start of a process may be, beside that of the last transaction.
#[derive(Clone, Copy, Debug)]
pub struct StartRules {
    /// How far it may be before it: clocks of two machines differ a little.
    pub jump_max: Duration,
    /// How long after it.
    pub downtime_max: Duration,
    /// The clock is right, whatever it says: a misfit is only said.
    pub is_trusted: bool,
}

/// The wall time at a start does not fit that of the last transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It is before it.
    #[error(
        "the wall clock says {wall}, before {last}, the wall time of the last transaction: one of them was wrong"
    )]
    Before {
        /// The wall time.
        wall: Timestamp,
        /// That of the last transaction.
        last: Timestamp,
    },
    /// It is long after it.
    #[error(
        "the wall clock says {wall}, more than time.downtime_max, {downtime_max:?}, after {last}, the wall time of the \
         last transaction"
    )]
    LongAfter {
        /// The wall time.
        wall: Timestamp,
        /// That of the last transaction.
        last: Timestamp,
        /// The setting.
        downtime_max: Duration,
    },
}

impl StartRules {
    /// Compares the wall time at the start with that of the last transaction.
    ///
    /// # Errors
    /// If it is more than `jump_max` before it or more than `downtime_max` after it.
    pub fn check(&self, wall: Timestamp, last: Timestamp) -> Result<(), Misfit> {
        let after_ms = wall.as_milliseconds() - last.as_milliseconds();
        if after_ms < -milliseconds(self.jump_max) {
            return Err(Misfit::Before { wall, last });
        }
        if after_ms > milliseconds(self.downtime_max) {
            let downtime_max = self.downtime_max;
            return Err(Misfit::LongAfter {
                wall,
                last,
                downtime_max,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const DAY: i64 = 86_400_000;
    const YEAR: i64 = 365 * DAY;
    /// 2026-09-21T13:06:40Z.
    const START_MS: i64 = 1_790_000_000_000;

    fn wall(after_start_ms: i64) -> Timestamp {
        Timestamp::from_milliseconds(START_MS + after_start_ms).unwrap()
    }

    fn boot(after_start_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(1_000_000 + after_start_ms).unwrap())
    }

    /// Each look: milliseconds that have passed, by how much the wall clock is ahead, and whether it is held.
    fn looks(steps: &[(i64, i64, bool)]) {
        let mut watch = WallWatch::new(Duration::from_secs(600));
        let mut was_held = false;
        for (passed_ms, ahead_ms, is_held) in steps.iter().copied() {
            let step = (passed_ms, ahead_ms);
            let found = watch.look(wall(passed_ms + ahead_ms), boot(passed_ms));
            assert_eq!(found.is_held, is_held, "{step:?}");
            let now = if is_held {
                passed_ms
            } else {
                passed_ms + ahead_ms
            };
            assert_eq!(found.now, wall(now), "{step:?}");
            let turn = match (was_held, is_held) {
                (false, true) => Some(Turn::Jumped { ahead_ms }),
                (true, false) => Some(Turn::Agrees),
                (false, false) | (true, true) => None,
            };
            assert_eq!(watch.turn(), turn, "{step:?}");
            assert_eq!(watch.turn(), None, "it is said once");
            was_held = is_held;
        }
    }

    #[test]
    fn ten_years_ahead_for_15_seconds_are_held_and_agree_again() {
        looks(&[
            (0, 0, false),
            (1_000, 0, false),
            (2_000, 10 * YEAR, true),
            (16_000, 10 * YEAR, true),
            (17_000, 0, false),
        ]);
    }

    #[test]
    fn a_leap_to_1970_is_held_and_agrees_again() {
        looks(&[
            (0, 0, false),
            (1_000, -START_MS, true),
            (2_000, -START_MS, true),
            (3_000, 0, false),
        ]);
    }

    #[test]
    fn a_step_of_nine_minutes_agrees_and_one_of_eleven_does_not() {
        looks(&[(0, 0, false), (1_000, 9 * MINUTE, false), (2_000, 0, false)]);
        looks(&[(0, 0, false), (1_000, -9 * MINUTE, false)]);
        looks(&[(0, 0, false), (1_000, 10 * MINUTE, false)]);
        looks(&[(0, 0, false), (1_000, 10 * MINUTE + 1, true)]);
        looks(&[(0, 0, false), (1_000, 11 * MINUTE, true)]);
        looks(&[(0, 0, false), (1_000, -11 * MINUTE, true)]);
    }

    #[test]
    fn steps_of_nine_minutes_within_an_hour_are_a_jump() {
        looks(&[
            (0, 0, false),
            (10 * MINUTE, 9 * MINUTE, false),
            (20 * MINUTE, 18 * MINUTE, true),
            (30 * MINUTE, 27 * MINUTE, true),
            (40 * MINUTE, 9 * MINUTE, false),
        ]);
    }

    #[test]
    fn a_clock_that_drifts_is_held_once_it_is_ten_minutes_off_and_agrees_when_it_comes_back() {
        // A minute ahead every five.
        looks(&[
            (0, 0, false),
            (25 * MINUTE, 5 * MINUTE, false),
            (50 * MINUTE, 10 * MINUTE, false),
            (55 * MINUTE, 11 * MINUTE, true),
            (70 * MINUTE, 14 * MINUTE, true),
            (80 * MINUTE, 3 * MINUTE, false),
        ]);
        // A minute ahead every hour: a correction of the time that is taken over in the end.
        let drift: Vec<_> = (0..100)
            .map(|hour| (hour * 60 * MINUTE, hour * MINUTE))
            .collect();
        let mut watch = WallWatch::new(Duration::from_secs(600));
        for (passed_ms, ahead_ms) in drift {
            let found = watch.look(wall(passed_ms + ahead_ms), boot(passed_ms));
            assert!(!found.is_held, "{passed_ms}");
        }
    }

    /// CLOCK_BOOTTIME goes on while the machine sleeps, as the wall clock does.
    #[test]
    fn a_machine_that_was_suspended_for_a_week_is_not_held() {
        looks(&[(0, 0, false), (1_000, 0, false), (7 * DAY, 2_000, false)]);
    }

    /// Both clocks stand while a virtual machine is paused; then the wall clock is set. The other one cannot know why.
    #[test]
    fn a_virtual_machine_that_was_paused_for_three_hours_is_held() {
        looks(&[(0, 0, false), (1_000, 180 * MINUTE, true)]);
    }

    #[test]
    fn at_a_start_the_wall_time_is_from_ten_minutes_before_the_last_transaction_to_60_days_after_it()
     {
        let rules = StartRules {
            jump_max: Duration::from_secs(600),
            downtime_max: Duration::from_secs(60 * 86_400),
            is_trusted: false,
        };
        let last = wall(0);
        let before = |wall| Err(Misfit::Before { wall, last });
        let long_after = |wall| {
            Err(Misfit::LongAfter {
                wall,
                last,
                downtime_max: rules.downtime_max,
            })
        };
        for (after_ms, expected) in [
            (0, Ok(())),
            (-10 * MINUTE, Ok(())),
            (-10 * MINUTE - 1, before(wall(-10 * MINUTE - 1))),
            (-START_MS, before(wall(-START_MS))),
            (60 * DAY, Ok(())),
            (60 * DAY + 1, long_after(wall(60 * DAY + 1))),
            (10 * YEAR, long_after(wall(10 * YEAR))),
        ] {
            assert_eq!(rules.check(wall(after_ms), last), expected, "{after_ms}");
        }
    }
}
