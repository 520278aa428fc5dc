//! Instants, calendar days and the business time zone.
//!
//! An instant is whole milliseconds since 1970-01-01T00:00:00Z. A day is a date of the business
//! zone, counted from 1970-01-01; its start is found through the calendar, never by adding hours.

use std::fmt;
use std::time::Duration;

use jiff::Span;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::Serialize;

use crate::domain::ids::stable_hash;
use crate::domain::rfc3339;

/// Milliseconds in 24 hours; days of recency and tenure are counted in these.
pub const DAY_MS: i64 = 86_400_000;
/// 2100-01-01T00:00:00Z.
const YEAR_2100_SECOND: i64 = 4_102_444_800;

/// A duration in milliseconds.
#[must_use]
pub fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An instant, in milliseconds since the epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant that can be written in RFC 3339: year 0001.
    pub const MIN: Self = Self(-62_135_596_800_000);
    /// The latest instant that can be written in RFC 3339: year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The latest instant that is of the year 9999 in every zone, and the last one of the calendar library. No instant
    /// that is read from outside is later.
    pub const LATEST: Self = Self(253_402_207_200_999);

    /// Milliseconds since the epoch as somebody else wrote them; `None` outside the years 0001 to 9999 of any zone.
    #[must_use]
    pub fn from_foreign_milliseconds(milliseconds: i64) -> Option<Self> {
        Self::from_milliseconds(milliseconds).filter(|instant| *instant <= Self::LATEST)
    }

    /// From milliseconds since the epoch; `None` outside the years 0001 to 9999.
    #[must_use]
    pub fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        let timestamp = Self(milliseconds);
        (Self::MIN <= timestamp && timestamp <= Self::MAX).then_some(timestamp)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn as_milliseconds(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 with an offset; digits beyond milliseconds are cut off.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        // Beyond the calendar library's range it says what is read.
        let known = rfc3339::milliseconds_of(text);
        if let Some(known) = known.and_then(Self::from_foreign_milliseconds) {
            return Some(known);
        }
        let instant: jiff::Timestamp = text.parse().ok()?;
        let milliseconds = instant.as_nanosecond().div_euclid(1_000_000);
        Self::from_foreign_milliseconds(i64::try_from(milliseconds).ok()?)
    }

    /// The instant `milliseconds` later (earlier if negative), kept within the range.
    #[must_use]
    pub fn plus_milliseconds(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds)).clamp(Self::MIN, Self::MAX)
    }

    /// Days of 86,400,000 ms from `earlier` to this instant, never negative.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "whole milliseconds of 10,000 years fit f64"
        )]
        let milliseconds = (self.0 - earlier.0).max(0) as f64;
        milliseconds / 86_400_000.0
    }

    /// Seconds from `earlier` to this instant, never negative.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.days_since(earlier) * 86_400.0
    }

    fn to_jiff(self) -> jiff::Timestamp {
        // The last hours of the year 9999 are beyond jiff's range.
        let end = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(end)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with three decimals: `2026-11-20T03:12:44.000Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = rfc3339::text_of(self.0);
        formatter.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// The earlier of two instants, of which either may be missing.
#[must_use]
pub fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A date of the business zone, in days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub i32);

impl Day {
    /// -9999-01-01, the first date of the calendar library.
    const FIRST: Self = Self(-4_371_587);
    /// 9999-12-31, the last one.
    const LAST: Self = Self(2_932_896);

    /// From a calendar date.
    #[must_use]
    pub fn from_date(year: i16, month: i8, day: i8) -> Option<Self> {
        Date::new(year, month, day).ok().map(Self::from_civil)
    }

    fn from_civil(date: Date) -> Self {
        let since = date - Date::constant(1970, 1, 1);
        Self(since.get_days())
    }

    /// The first or the last date of the calendar library for a day that is beyond it.
    fn to_civil(self) -> Date {
        let epoch = Date::constant(1970, 1, 1);
        let beyond = if self.0 < 0 { Date::MIN } else { Date::MAX };
        let since = Span::new().try_days(self.0);
        since
            .and_then(|since| epoch.checked_add(since))
            .unwrap_or(beyond)
    }

    /// The day `days` later.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        Self(self.0.saturating_add(days))
    }

    /// The day `days` earlier.
    #[must_use]
    pub fn minus_days(self, days: u32) -> Self {
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        Self(self.0.saturating_sub(days))
    }

    /// The first day of the window of so many days that ends with this one.
    #[must_use]
    pub fn first_of_window(self, window_days: u32) -> Self {
        self.minus_days(window_days.saturating_sub(1))
    }

    /// Whole days from `earlier` to this day; negative if it is the later one.
    #[must_use]
    pub fn days_after(self, earlier: Self) -> i32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Day {
    /// `2026-11-20`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_civil().fmt(formatter)
    }
}

/// The time zone in which the business counts its days.
#[derive(Clone, Debug)]
pub struct BusinessZone {
    zone: TimeZone,
    is_utc: bool,
    /// No clock that was put back has begun a day anew.
    has_days_in_order: bool,
}

/// The IANA names that [`BusinessZone::named`] finds.
#[must_use]
pub fn zone_names() -> Vec<String> {
    let database = jiff::tz::TimeZoneDatabase::bundled();
    database.available().map(|name| name.to_string()).collect()
}

impl BusinessZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self {
        zone: TimeZone::UTC,
        is_utc: true,
        has_days_in_order: true,
    };

    /// Finds an IANA zone such as `Europe/Berlin` in the time-zone data compiled in.
    ///
    /// # Errors
    /// Names the zone if there is none.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        let zone = jiff::tz::TimeZoneDatabase::bundled()
            .get(name)
            .map_err(|_| UnknownZone {
                name: name.to_owned(),
            })?;
        Ok(Self {
            has_days_in_order: has_days_in_order(&zone),
            zone,
            is_utc: false,
        })
    }

    /// This instant, or a later one, may be of a day before `first`.
    #[must_use]
    pub fn may_be_before(&self, at: Timestamp, first: Day) -> bool {
        !self.has_days_in_order_since(at) || self.day_of(at) < first
    }

    /// From this instant on, a later instant is never of an earlier day. It is where clocks are put back over midnight, as
    /// they were in St. John's until 2011.
    #[must_use]
    pub fn has_days_in_order_since(&self, at: Timestamp) -> bool {
        self.has_days_in_order && at >= Timestamp::default()
    }

    /// The zone's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// A hash of the zone's changes of offset from 1970 to 2100: another version of the time-zone data that differs
    /// there gives another one.
    #[must_use]
    pub fn rules_fingerprint(&self) -> u64 {
        let epoch = jiff::Timestamp::UNIX_EPOCH;
        let mut rules = self.zone.to_offset(epoch).seconds().to_string();
        let changes = self.zone.following(epoch);
        for change in changes.take_while(|change| change.timestamp().as_second() < YEAR_2100_SECOND)
        {
            let (second, offset) = (change.timestamp().as_second(), change.offset().seconds());
            rules.push_str(&format!(" {second}:{offset}"));
        }
        stable_hash(&[&rules])
    }

    /// The day on which an instant falls.
    #[must_use]
    pub fn day_of(&self, instant: Timestamp) -> Day {
        if self.is_utc {
            return Day(i32::try_from(instant.0.div_euclid(DAY_MS)).unwrap_or(i32::MAX));
        }
        Day::from_civil(instant.to_jiff().to_zoned(self.zone.clone()).date())
    }

    /// The calendar year in which an instant falls.
    #[must_use]
    pub fn year_of(&self, instant: Timestamp) -> i32 {
        i32::from(self.day_of(instant).to_civil().year())
    }

    /// The instant at which a day begins: its midnight, or the end of the gap where clocks skip it.
    #[must_use]
    pub fn start_of(&self, day: Day) -> Timestamp {
        if self.is_utc {
            let midnight = Timestamp(i64::from(day.0) * DAY_MS);
            return midnight.clamp(Timestamp::MIN, Timestamp::MAX);
        }
        self.instant_at(day, 0)
    }

    /// The instant at which the calendar year after that of `instant` begins; `None` beyond year 9999.
    #[must_use]
    pub fn next_year_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let year = self.day_of(instant).to_civil().year();
        let new_year = Day::from_date(year.checked_add(1)?, 1, 1)?;
        Some(self.start_of(new_year))
    }

    /// The instant at which `hour` o'clock of a day comes; a gap moves it to the gap's end. Of a day beyond the range of
    /// instants it is the last or the first one.
    #[must_use]
    pub fn instant_at(&self, day: Day, hour: i8) -> Timestamp {
        if day < Day::FIRST {
            return Timestamp::MIN;
        }
        if day > Day::LAST {
            return Timestamp::MAX;
        }
        let local = day.to_civil().at(hour.clamp(0, 23), 0, 0, 0);
        let milliseconds = self
            .zone
            .to_ambiguous_timestamp(local)
            .compatible()
            .map_or(i64::from(day.0) * DAY_MS, jiff::Timestamp::as_millisecond);
        Timestamp(milliseconds).clamp(Timestamp::MIN, Timestamp::MAX)
    }

    /// The instant of a local time: one in a gap is moved on by the gap, and of an hour that comes twice it is the first. `None` if it is
    /// not of the years 0001 to 9999 in every zone.
    #[must_use]
    pub fn foreign_instant_of(&self, day: Day, time: Time) -> Option<Timestamp> {
        if day < Day::FIRST || day > Day::LAST {
            return None;
        }
        let local = day.to_civil().to_datetime(time);
        let instant = self.zone.to_ambiguous_timestamp(local).compatible().ok()?;
        let instant = Timestamp::from_foreign_milliseconds(instant.as_millisecond())?;
        (Timestamp::MIN < instant).then_some(instant)
    }

    /// The same; `None` if it is not of the years 0001 to 9999 in every zone.
    #[must_use]
    pub fn foreign_instant_at(&self, day: Day, hour: i8) -> Option<Timestamp> {
        let instant = self.instant_at(day, hour);
        (Timestamp::MIN < instant && instant <= Timestamp::LATEST).then_some(instant)
    }
}

fn has_days_in_order(zone: &TimeZone) -> bool {
    let epoch = jiff::Timestamp::UNIX_EPOCH;
    let from = epoch.saturating_sub(jiff::SignedDuration::from_hours(24));
    let changes = zone.following(from.unwrap_or(epoch));
    let mut known = changes.take_while(|change| change.timestamp().as_second() < YEAR_2100_SECOND);
    known.all(|change| {
        let at = change.timestamp();
        let before = at.saturating_sub(jiff::SignedDuration::from_millis(1));
        let day_of = |at: jiff::Timestamp| zone.to_datetime(at).date();
        before.is_ok_and(|before| day_of(before) <= day_of(at))
    })
}

/// No such zone in the pinned time-zone data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not an IANA time zone such as UTC or Europe/Berlin")]
pub struct UnknownZone {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).expect("test instants are valid")
    }

    /// From the time-zone data: clocks went back at 00:01 in St. John's until 2010, elsewhere after one in the morning.
    #[test]
    fn days_follow_instants_but_where_clocks_went_back_over_midnight() {
        let is_in_order = |name: &str| {
            let zone = BusinessZone::named(name).unwrap();
            zone.has_days_in_order_since(Timestamp::parse_rfc3339("1990-01-01T00:00:00Z").unwrap())
        };
        for name in [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Asia/Kolkata",
            "Australia/Sydney",
        ] {
            assert!(is_in_order(name), "{name}");
        }
        for name in ["America/St_Johns", "America/Goose_Bay"] {
            assert!(!is_in_order(name), "{name}");
        }
    }

    /// The range of the calendar library ends on 30 December 9999.
    #[test]
    fn an_instant_beyond_the_last_day_is_none_however_it_is_written() {
        for text in [
            "9999-12-31T00:00:00Z",
            "9999-12-31T00:00:00+00:00",
            "9999-12-30T22:00:01Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
        assert!(Timestamp::parse_rfc3339("9999-12-30T21:59:59Z").is_some());
        for text in [
            "10000-01-01T00:00:00Z",
            "+010000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-14:00",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
        let last = jiff::Timestamp::MAX.as_millisecond();
        assert_eq!(Timestamp::LATEST.as_milliseconds(), last);
        assert!(Timestamp::from_foreign_milliseconds(last).is_some());
        assert_eq!(Timestamp::from_foreign_milliseconds(last + 1), None);
    }

    /// A purchase day of the year 9999 leaves its window in a year that has no date.
    #[test]
    fn a_day_beyond_the_year_9999_begins_at_the_end_of_time_and_not_in_1970() {
        let last = Day::from_date(9999, 12, 31).unwrap();
        assert_eq!(Day::LAST, last);
        assert_eq!(Day::FIRST, Day::from_civil(Date::MIN));
        for name in ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"] {
            let zone = BusinessZone::named(name).unwrap();
            for days in [1, 30, 365, 3_000_000, u32::MAX] {
                let start = zone.start_of(last.plus_days(days));
                assert_eq!(start, Timestamp::MAX, "{name} {days}");
            }
            let before = Day::from_date(-9999, 1, 1).unwrap().minus_days(30);
            assert_eq!(zone.start_of(before), Timestamp::MIN, "{name}");
        }
        assert_eq!(last.plus_days(7).to_string(), "9999-12-31");
    }

    #[test]
    fn an_instant_reads_back_as_written() {
        for text in [
            "2026-11-20T03:12:44.000Z",
            "0001-01-01T00:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
        ] {
            assert_eq!(at(text).to_string(), text);
        }
        assert_eq!(
            at("2026-11-20T04:12:44.5+01:00").to_string(),
            "2026-11-20T03:12:44.500Z"
        );
    }

    #[test]
    fn an_instant_without_an_offset_is_refused() {
        for text in ["2026-11-20T03:12:44", "2026-11-20", "yesterday", "", "NaN"] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn days_follow_the_calendar_of_the_business_zone() {
        let berlin = BusinessZone::named("Europe/Berlin").expect("in the data");
        // By the calendar: clocks go forward on 2026-03-29 at 02:00, so that day has 23 hours.
        let spring = Day::from_date(2026, 3, 29).expect("valid");
        assert_eq!(berlin.instant_at(spring, 0), at("2026-03-28T23:00:00Z"));
        assert_eq!(
            berlin.instant_at(Day(spring.0 + 1), 0),
            at("2026-03-29T22:00:00Z")
        );
        assert_eq!(
            berlin.day_of(at("2026-03-28T22:59:59.999Z")),
            Day(spring.0 - 1)
        );
        assert_eq!(berlin.day_of(at("2026-03-28T23:00:00Z")), spring);
        assert_eq!(
            BusinessZone::UTC.day_of(at("1969-12-31T23:59:59.999Z")),
            Day(-1)
        );
        assert_eq!(berlin.year_of(at("2026-12-31T23:30:00Z")), 2027);
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = BusinessZone::named("Mars/Olympus").expect_err("no such zone");
        assert!(error.to_string().contains("Mars/Olympus"));
    }

    #[test]
    fn the_earlier_of_two_instants_is_the_one_that_is_there() {
        let (one, other) = (Some(Timestamp(1)), Some(Timestamp(2)));
        assert_eq!(earlier(one, other), one);
        assert_eq!(earlier(other, one), one);
        assert_eq!(earlier(None, other), other);
        assert_eq!(earlier(one, None), one);
        assert_eq!(earlier(None, None), None);
    }
}
