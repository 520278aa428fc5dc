//! The simulated shop of `demo` and `simulate`, and its time.

use std::time::Duration;
use std::time::Instant;

use crate::domain::time::Timestamp;

/// The first day of the simulated shop.
pub(super) const SHOP_STARTS_AT: &str = "2026-01-01T00:00:00Z";
/// Probability that an event has a fault of a real feed.
pub(super) const DIRT_OF_A_REAL_FEED: f64 = 0.02;

pub(super) fn parse_speed(text: &str) -> Result<Duration, String> {
    let per_second = text.strip_suffix("/s").unwrap_or(text);
    let speed = crate::config::units::duration(per_second).filter(|speed| !speed.is_zero());
    speed.ok_or_else(|| format!("{text:?} is not a speed such as 1d/s or 12h/s"))
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
