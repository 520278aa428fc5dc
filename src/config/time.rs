//! Settings of the clocks and the business zone.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::reader::small;
use crate::config::units::DAY;
use crate::config::units::HOUR;
use crate::config::units::SECOND;
use crate::domain::nearest::is_same_name;
use crate::domain::nearest::nearest;
use crate::domain::time::BusinessZone;
use crate::domain::time::zone_names;

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
    let is_event_clock = reader.one_of("time.clock", &[("wall", false), ("event", true)]);
    let business_zone = business_zone(reader);
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

fn business_zone(reader: &mut Reader) -> Option<BusinessZone> {
    let key = "time.business_zone";
    let typed = reader.text(key)?;
    let zone = BusinessZone::named(&typed).ok();
    if zone.is_none() {
        let near = zone_meant(&typed);
        let near = near.map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
        reader.problem(
            key,
            &format!("an IANA zone, such as UTC or Europe/Berlin{near}"),
        );
    }
    zone
}

/// A zone of that city, or one that is spelt nearly so.
fn zone_meant(typed: &str) -> Option<String> {
    let names = zone_names();
    let city = |name: &str| {
        name.rsplit_once('/')
            .map_or("", |(_, city)| city)
            .to_owned()
    };
    let of_city = names.iter().find(|name| is_same_name(typed, &city(name)));
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    // CET+1 is not CET.
    let near = || {
        let near = nearest(typed, names.iter().map(String::as_str));
        near.filter(|name| digits(name) == digits(typed))
    };
    of_city.map(String::as_str).or_else(near).map(str::to_owned)
}
