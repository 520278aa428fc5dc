//! Times and days as files write them.

use jiff::civil::Time;
use jiff::fmt::strtime::BrokenDownTime;

use crate::domain::time::BusinessZone;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;

/// Years of two digits below this are of this century, the others of the last, as POSIX has it.
const PIVOT_YEAR: i16 = 69;
/// A day without a time is its noon.
const NOON_HOUR: i8 = 12;
const DAY_MAX: i8 = 31;
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Which number of `1/2/2013` is the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateOrder {
    DayFirst,
    MonthFirst,
}

impl DateOrder {
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::DayFirst => "day first, as in 31/12/2013",
            Self::MonthFirst => "month first, as in 12/31/2013",
        }
    }
}

/// What one value says of the order of day and month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Nothing,
    Ambiguous,
    Order(DateOrder),
}

/// The parts of a text: the day, the time of the day if it has one, and an offset from UTC in seconds.
struct Written {
    day: WrittenDay,
    time: Option<Time>,
    offset_seconds: Option<i32>,
}

enum WrittenDay {
    Certain {
        year: i16,
        month: i8,
        day: i8,
    },
    /// Numbers around `/` or `-`, the year last.
    Either {
        first: i8,
        second: i8,
        year: i16,
        /// The number that gives the year, where it may as well be the day of a date that begins with the year, as in 13/10/06.
        last: Option<i8>,
    },
}

/// What a value says of the order of day and month.
pub(super) fn says(text: &str) -> Says {
    match written(text) {
        Some(Written {
            day:
                WrittenDay::Either {
                    first,
                    second,
                    last,
                    ..
                },
            ..
        }) => match (first > 12, second > 12) {
            // Year, month and day: no day is above 31.
            _ if first > DAY_MAX => Says::Nothing,
            (true, false) if last.is_some() => Says::Ambiguous,
            (true, false) => Says::Order(DateOrder::DayFirst),
            (false, true) => Says::Order(DateOrder::MonthFirst),
            (false, false) if first != second || last.is_some_and(|last| last != first) => {
                Says::Ambiguous
            }
            (false, false) | (true, true) => Says::Nothing,
        },
        Some(_) | None => Says::Nothing,
    }
}

/// Reads an instant: with an offset, a local time of the zone (gaps and overlaps as jiff's "compatible" has them), or a day, which is
/// its noon.
pub(super) fn instant(
    text: &str,
    format: Option<&str>,
    order: Option<DateOrder>,
    zone: &BusinessZone,
) -> Option<Timestamp> {
    if let Some(format) = format {
        return formatted_instant(text, format, zone);
    }
    if let Some(instant) = Timestamp::parse_rfc3339(text) {
        return Some(instant);
    }
    let written = written(text)?;
    let day = written.day.settled(order)?;
    let Some(time) = written.time else {
        return zone.foreign_instant_at(day, NOON_HOUR);
    };
    match written.offset_seconds {
        None => zone.foreign_instant_of(day, time),
        Some(seconds) => {
            let at = BusinessZone::UTC.foreign_instant_of(day, time)?;
            let milliseconds = at.as_milliseconds() - i64::from(seconds) * 1000;
            Timestamp::from_foreign_milliseconds(milliseconds)
        }
    }
}

/// Reads a day; a time behind it is ignored.
pub(super) fn day(text: &str, format: Option<&str>, order: Option<DateOrder>) -> Option<Day> {
    match format {
        Some(format) => {
            let date = BrokenDownTime::parse(format, text).ok()?.to_date().ok()?;
            Day::from_date(date.year(), date.month(), date.day())
        }
        None => written(text)?.day.settled(order),
    }
}

/// Reads a date that can be read in one way only, such as `2013-09-04`, without a time.
#[must_use]
pub fn parse_date(text: &str) -> Option<Day> {
    let written = written(text)?;
    let is_date = written.time.is_none();
    written.day.settled(None).filter(|_| is_date)
}

/// Whether a text is a time of the day, such as `8:26`.
pub(super) fn is_time_of_day(text: &str) -> bool {
    let has_sign = text.contains(':');
    has_sign && matches!(written_time(text), Some((_, None)))
}

fn formatted_instant(text: &str, format: &str, zone: &BusinessZone) -> Option<Timestamp> {
    let parts = BrokenDownTime::parse(format, text).ok()?;
    if parts.iana_time_zone().is_some() {
        let milliseconds = parts.to_zoned().ok()?.timestamp().as_millisecond();
        return Timestamp::from_foreign_milliseconds(milliseconds);
    }
    if parts.offset().is_some() || parts.timestamp().is_some() {
        let milliseconds = parts.to_timestamp().ok()?.as_millisecond();
        return Timestamp::from_foreign_milliseconds(milliseconds);
    }
    let date = parts.to_date().ok()?;
    let day = Day::from_date(date.year(), date.month(), date.day())?;
    if parts.hour().is_none() {
        return zone.foreign_instant_at(day, NOON_HOUR);
    }
    zone.foreign_instant_of(day, parts.to_time().ok()?)
}

impl WrittenDay {
    fn settled(self, order: Option<DateOrder>) -> Option<Day> {
        match self {
            Self::Certain { year, month, day } => Day::from_date(year, month, day),
            Self::Either {
                first,
                second,
                year,
                ..
            } => match order {
                Some(DateOrder::DayFirst) => Day::from_date(year, second, first),
                Some(DateOrder::MonthFirst) => Day::from_date(year, first, second),
                None if first == second => Day::from_date(year, first, second),
                None => None,
            },
        }
    }
}

fn written(text: &str) -> Option<Written> {
    let text = text.trim();
    let (day, rest) = written_day(text)?;
    let rest = rest.trim_start_matches([',', ' ', 'T', 't']);
    if rest.is_empty() {
        return Some(Written {
            day,
            time: None,
            offset_seconds: None,
        });
    }
    let (time, offset_seconds) = written_time(rest)?;
    Some(Written {
        day,
        time: Some(time),
        offset_seconds,
    })
}

/// The day that a text begins with, and what follows.
fn written_day(text: &str) -> Option<(WrittenDay, &str)> {
    let (first, rest) = number(text);
    if first.len() == 8 && !rest.starts_with(['.', '-', '/', ':']) {
        let (year, month) = (first.get(..4)?, first.get(4..6)?);
        let day = first.get(6..)?;
        let day = certain(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        return Some((day, rest));
    }
    let named = month_name(rest.trim_start_matches([' ', '-', '/', '.']));
    if let (false, Some((month, rest))) = (first.is_empty(), named) {
        let (year, rest) = number(rest.trim_start_matches([' ', '-', '/', '.', ',']));
        return Some((certain(full_year(year)?, month, first.parse().ok()?), rest));
    }
    if first.is_empty() {
        let (month, rest) = month_name(text)?;
        let (day, rest) = number(rest.trim_start_matches([' ', '.']));
        let (year, rest) = number(rest.trim_start_matches([' ', ',']));
        return Some((certain(full_year(year)?, month, day.parse().ok()?), rest));
    }
    let separator = rest
        .chars()
        .next()
        .filter(|sign| matches!(sign, '-' | '/' | '.'))?;
    let (second, rest) = number(rest.strip_prefix(separator)?);
    let (third, rest) = number(rest.strip_prefix(separator)?);
    if first.len() == 4 {
        let day = certain(
            first.parse().ok()?,
            second.parse().ok()?,
            third.parse().ok()?,
        );
        return Some((day, rest));
    }
    let (one, other) = (first.parse().ok()?, second.parse().ok()?);
    let year = full_year(third)?;
    // With points the day comes first wherever dates are written so.
    let day = if separator == '.' {
        certain(year, other, one)
    } else {
        WrittenDay::Either {
            first: one,
            second: other,
            year,
            last: (third.len() == 2)
                .then(|| third.parse().ok())
                .flatten()
                .filter(|last| (1..=DAY_MAX).contains(last)),
        }
    };
    Some((day, rest))
}

fn certain(year: i16, month: i8, day: i8) -> WrittenDay {
    WrittenDay::Certain { year, month, day }
}

/// The digits that a text begins with, and the rest.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit());
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, ""))
}

fn full_year(digits: &str) -> Option<i16> {
    let year: i16 = digits.parse().ok()?;
    match digits.len() {
        4 => Some(year),
        2 if year < PIVOT_YEAR => Some(2000 + year),
        2 => Some(1900 + year),
        _ => None,
    }
}

/// The month that a text begins with: its English name, or the first three letters of it.
fn month_name(text: &str) -> Option<(i8, &str)> {
    let end = text.find(|character: char| !character.is_ascii_alphabetic());
    let (word, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let word = word.to_ascii_lowercase();
    if word.len() < 3 {
        return None;
    }
    let mut months = (1..).zip(MONTHS);
    let (month, _) = months.find(|(_, name)| {
        *name == word
            || name.get(..3) == Some(word.as_str())
            || (word == "sept" && *name == "september")
    })?;
    Some((month, rest))
}

/// `8:26`, `08:26:00.123`, `8:26 PM`, `8.26 pm`, and an offset such as `Z` or `+02:00` behind them.
fn written_time(text: &str) -> Option<(Time, Option<i32>)> {
    let (hour, rest) = number(text);
    let mut hour: i8 = hour.parse().ok()?;
    let sign = rest.chars().next().filter(|sign| [':', '.'].contains(sign));
    let minute = sign.and_then(|sign| part_of_time(rest, sign));
    let has_minute = minute.is_some();
    let (minute, rest) = minute.unwrap_or(("0", rest));
    let second = sign.and_then(|sign| part_of_time(rest, sign));
    let has_second = second.is_some();
    let (second, rest) = second.unwrap_or(("0", rest));
    // A fraction is one of seconds.
    let fraction = rest.strip_prefix(['.', ',']).filter(|_| has_second);
    let (fraction, rest) = fraction.map_or(("", rest), number);
    let rest = rest.trim();
    let marker = rest.get(..2).map(str::to_ascii_lowercase);
    let dotted = rest.get(..4).map(str::to_ascii_lowercase);
    let (is_afternoon, rest) = match (marker.as_deref(), dotted.as_deref()) {
        (_, Some("a.m.")) => (Some(false), rest.get(4..)?),
        (_, Some("p.m.")) => (Some(true), rest.get(4..)?),
        (Some("am"), _) => (Some(false), rest.get(2..)?),
        (Some("pm"), _) => (Some(true), rest.get(2..)?),
        _ => (None, rest),
    };
    if let Some(is_afternoon) = is_afternoon {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if is_afternoon { 12 } else { 0 };
    } else if !has_minute {
        return None;
    }
    let nanoseconds: i32 = format!("{fraction:0<9.9}").parse().ok()?;
    let time = Time::new(
        hour,
        minute.parse().ok()?,
        second.parse().ok()?,
        nanoseconds,
    )
    .ok()?;
    Some((time, offset(rest.trim())?))
}

/// The minutes or seconds that a text begins with, behind their sign. A single digit behind a point is no minute: `8.5` is no
/// time.
fn part_of_time(text: &str, sign: char) -> Option<(&str, &str)> {
    let (digits, rest) = number(text.strip_prefix(sign)?);
    let is_short = digits.len() == 1 && sign == ':';
    (digits.len() == 2 || is_short).then_some((digits, rest))
}

/// `None` where the text is no offset; `Some(None)` where there is none.
#[expect(
    clippy::option_option,
    reason = "a wrong offset is not the same as none"
)]
fn offset(text: &str) -> Option<Option<i32>> {
    if text.is_empty() {
        return Some(None);
    }
    if ["z", "utc", "gmt"].contains(&text.to_ascii_lowercase().as_str()) {
        return Some(Some(0));
    }
    let (sign, rest) = match text.chars().next()? {
        '+' => (1, text.get(1..)?),
        '-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = match (rest.split_once(':'), rest.len()) {
        (Some((hours, minutes)), 5) if minutes.len() == 2 => (hours, minutes),
        (None, 2) => (rest, "0"),
        (None, 4) => rest.split_at_checked(2)?,
        (Some(_) | None, _) => return None,
    };
    if !(hours.bytes().chain(minutes.bytes())).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let is_possible = hours <= 18 && minutes < 60;
    is_possible.then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

/// Whether a text looks like a spreadsheet's number of a day.
pub(super) fn is_serial(text: &str) -> bool {
    let (whole, rest) = number(text);
    let is_fraction = rest.is_empty() || rest.starts_with('.') && rest.len() > 1;
    whole.len() == 5
        && is_fraction
        && rest
            .chars()
            .skip(1)
            .all(|character| character.is_ascii_digit())
}
