//! Settings of the clocks and the business zone.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::config::units::DAY;
use crate::config::units::HOUR;
use crate::config::units::SECOND;
use crate::domain::time::BusinessZone;

/// Clocks and the business zone.
#[derive(Clone, Debug)]
pub struct Time {
    /// Record times alone move the clocks.
    pub is_event_clock: bool,
    /// Zone of purchase days.
    pub business_zone: BusinessZone,
    /// A record time further ahead of the wall clock than this is not used.
    pub skew: Duration,
    /// How far the clock stays behind the record times while input is unread, as these may be out of order.
    pub disorder: Duration,
    /// How far the clock stays behind the wall clock once the input is read, for records on their way.
    pub grace: Duration,
    /// A wall clock that differs by more than this from the time that has passed has jumped.
    pub jump_max: Duration,
    /// How long after the last transaction a process may start.
    pub downtime_max: Duration,
    /// How often a clock that moved without events is written.
    pub checkpoint_interval: Duration,
    /// How far ahead a crossing is searched.
    pub horizon_days: u32,
}

pub(super) fn time(reader: &mut Reader) -> Option<Time> {
    let is_event_clock = reader.parsed("time.clock", "\"wall\" or \"event\"", |text| match text {
        "wall" => Some(false),
        "event" => Some(true),
        _ => None,
    });
    let business_zone = reader.parsed("time.business_zone", "an IANA zone, such as UTC", |text| {
        BusinessZone::named(text).ok()
    });
    let skew = reader.duration("time.skew", Duration::ZERO, DAY);
    let disorder = reader.duration("time.disorder", Duration::ZERO, DAY);
    let grace = reader.duration("time.grace", Duration::ZERO, DAY);
    let jump_max = reader.duration("time.jump_max", SECOND, DAY);
    let downtime_max = reader.duration("time.downtime_max", HOUR, DAY * 36_525);
    let checkpoint_interval =
        reader.duration("time.checkpoint_interval", Duration::from_millis(100), HOUR);
    let horizon_days = reader
        .integer("time.horizon_days", 1, 36_525)
        .and_then(small);
    Some(Time {
        is_event_clock: is_event_clock?,
        business_zone: business_zone?,
        skew: skew?,
        disorder: disorder?,
        grace: grace?,
        jump_max: jump_max?,
        downtime_max: downtime_max?,
        checkpoint_interval: checkpoint_interval?,
        horizon_days: horizon_days?,
    })
}
