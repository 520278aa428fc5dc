//! How long a deadline has been due without being evaluated.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::domain::time::Timestamp;
use crate::pipeline::partition::clock::ClockMode;

/// Looks that are remembered; about ten minutes of one a second.
const LOOKS_MAX: usize = 600;

/// Where a partition's clock stood at the last looks. On the event clock a second of the shop may be a moment
/// of ours, so what counts there is how long ago the clock passed the deadline, not by how much.
#[derive(Debug, Default)]
pub struct Lateness {
    looks: VecDeque<(Instant, Timestamp)>,
}

impl Lateness {
    /// Looks at the clock and the earliest deadline that is still there, in seconds.
    pub fn look(
        &mut self,
        mode: ClockMode,
        now: Instant,
        clock: Option<Timestamp>,
        earliest: Option<Timestamp>,
    ) -> Duration {
        let Some(clock) = clock else {
            return Duration::ZERO;
        };
        self.looks.push_back((now, clock));
        if self.looks.len() > LOOKS_MAX {
            self.looks.pop_front();
        }
        let Some(earliest) = earliest.filter(|earliest| *earliest <= clock) else {
            return Duration::ZERO;
        };
        match mode {
            ClockMode::Wall => Duration::from_secs_f64(clock.seconds_since(earliest)),
            ClockMode::Event => {
                let passed = self.looks.partition_point(|(_, clock)| *clock < earliest);
                let since = self.looks.get(passed).map_or(now, |(at, _)| *at);
                now.saturating_duration_since(since)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Timestamp::from_milliseconds(seconds * 1000)
    }

    /// By hand: the clock passes 6,000 at the second look and 9,000 at the third, a second apart each.
    #[test]
    fn on_the_event_clock_it_counts_how_long_ago_the_clock_passed_the_deadline() {
        let mut lateness = Lateness::default();
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut look = |looks: u32, clock: i64, earliest: i64| {
            lateness.look(
                ClockMode::Event,
                start + second * looks,
                at(clock),
                at(earliest),
            )
        };
        assert_eq!(look(0, 5_000, 6_000), Duration::ZERO);
        assert_eq!(
            look(1, 8_000, 6_000),
            Duration::ZERO,
            "it has just come due"
        );
        assert_eq!(look(2, 11_000, 9_000), Duration::ZERO, "another one");
        assert_eq!(look(3, 14_000, 9_000), second);
        assert_eq!(look(4, 14_000, 9_000), second * 2);
        assert_eq!(look(5, 14_000, 20_000), Duration::ZERO);
    }

    #[test]
    fn on_the_wall_clock_it_counts_from_the_deadline_itself() {
        let mut lateness = Lateness::default();
        let late = lateness.look(ClockMode::Wall, Instant::now(), at(100), at(40));
        assert_eq!(late, Duration::from_secs(60));
    }
}
