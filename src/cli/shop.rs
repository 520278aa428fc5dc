//! The simulated shop of `demo` and `simulate`, and its time.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;
use crate::simulate::Shop;
use crate::simulate::ShopOptions;

/// The first day of the shop of `simulate`.
pub(super) const SHOP_STARTS_AT: &str = "2026-01-01T00:00:00Z";
/// Probability that an event has a fault of a real feed.
pub(super) const DIRT_OF_A_REAL_FEED: f64 = 0.02;
/// Days that the shop of `demo` was open before the demo starts: as many as the shipped model looks back.
pub const HISTORY_DAYS: i64 = 730;
/// Customers who join the shop of `demo` in a year, in 100 of those of its first days.
const NEWCOMERS_PERCENT: f64 = 15.0;
const YEAR_DAYS: f64 = 365.0;

pub(super) fn parse_speed(text: &str) -> Result<Duration, String> {
    let per_second = text.strip_suffix("/s").unwrap_or(text);
    let speed = crate::config::units::duration(per_second).filter(|speed| !speed.is_zero());
    speed.ok_or_else(|| format!("{text:?} is not a speed above 0, such as 1d/s or 12h/s"))
}

/// The shop of `demo`, from the day it was opened on.
#[must_use]
pub fn shop_of_demo(customers: u32, seed: u64, opened_at: Timestamp) -> Shop {
    let options = ShopOptions {
        customers,
        seed,
        starts_at: opened_at,
        days: None,
        dirt: DIRT_OF_A_REAL_FEED,
    };
    Shop::with_newcomers(
        options,
        f64::from(customers) * NEWCOMERS_PERCENT / 100.0 / YEAR_DAYS,
    )
}

/// When a shop was opened whose history ends at an instant.
#[must_use]
pub fn opened_before(now: Timestamp) -> Timestamp {
    now.plus_milliseconds(-HISTORY_DAYS * DAY_MS)
}

/// The time of a shop that opened before now.
pub(super) fn shop_time(starts_at: Timestamp, opened: Instant, speed: Duration) -> Timestamp {
    let shop_ms = opened.elapsed().as_secs_f64() * speed.as_secs_f64() * 1000.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds of the shop's time"
    )]
    let shop_ms = shop_ms as i64;
    starts_at.plus_milliseconds(shop_ms)
}

/// The time of a running shop, which never goes back; cheap to clone.
#[derive(Clone, Debug)]
pub struct ShopClock(Arc<AtomicI64>);

impl ShopClock {
    /// A clock that stands at an instant.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_milliseconds())))
    }

    /// The shop's time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_milliseconds(self.0.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
    }

    /// Moves it on.
    pub fn set(&self, now: Timestamp) {
        self.0.fetch_max(now.as_milliseconds(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_shop_never_goes_back() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let clock = ShopClock::new(at("2026-01-02T00:00:00Z"));
        clock.set(at("2026-01-01T00:00:00Z"));
        assert_eq!(clock.now(), at("2026-01-02T00:00:00Z"));
        clock.set(at("2026-01-03T00:00:00Z"));
        assert_eq!(clock.now(), at("2026-01-03T00:00:00Z"));
    }
}
