//! Instants as nearly every producer writes them: `2026-11-20T03:12:44Z`, with or without three decimals.

const BYTES_OF_SECONDS: usize = 20;
const BYTES_OF_MILLISECONDS: usize = 24;
const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970 of an instant in UTC with whole seconds or milliseconds; `None` for any other text, which may
/// be an instant nevertheless.
pub(super) fn milliseconds_of(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let milliseconds = match bytes.len() {
        BYTES_OF_SECONDS => 0,
        BYTES_OF_MILLISECONDS if bytes.get(19) == Some(&b'.') => number(bytes, 20, 3)?,
        _ => return None,
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let is_separated = |(place, byte): (usize, u8)| bytes.get(place) == Some(&byte);
    if !separators.into_iter().all(is_separated) || bytes.last() != Some(&b'Z') {
        return None;
    }
    let (year, month, day) = (
        number(bytes, 0, 4)?,
        number(bytes, 5, 2)?,
        number(bytes, 8, 2)?,
    );
    let (hour, minute, second) = (
        number(bytes, 11, 2)?,
        number(bytes, 14, 2)?,
        number(bytes, 17, 2)?,
    );
    // A second of 60 is a leap second.
    let is_in_range =
        year > 0 && (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60;
    if !is_in_range || day < 1 || day > days_of(year, month) {
        return None;
    }
    let seconds = ((days_before(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1000 + milliseconds)
}

/// An instant of the years 0001 to 9999 in UTC, with three decimals, in ASCII.
pub(super) fn text_of(milliseconds: i64) -> [u8; BYTES_OF_MILLISECONDS] {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let (year, month, day) = date_of(milliseconds.div_euclid(DAY_MS));
    let of_day_ms = milliseconds.rem_euclid(DAY_MS);
    let seconds = of_day_ms / 1000;
    for (from, digits, number) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, seconds / 3600),
        (14, 2, seconds / 60 % 60),
        (17, 2, seconds % 60),
        (20, 3, of_day_ms % 1000),
    ] {
        let mut left = number;
        let places = text.iter_mut().skip(from).take(digits);
        for place in places.rev() {
            // A digit.
            *place += u8::try_from(left % 10).unwrap_or_default();
            left /= 10;
        }
    }
    text
}

fn number(bytes: &[u8], from: usize, digits: usize) -> Option<i64> {
    let mut number = 0;
    for byte in bytes.get(from..from + digits)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(number)
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`: years begin
/// in March, so that a leap day is the last one of a year, in eras of 400 years.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date so many days after 1970-01-01; the other way round, `civil_from_days`.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_jiff(text: &str) -> Option<i64> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(instant.as_nanosecond().div_euclid(1_000_000)).ok()
    }

    /// All days that could be meant of four hundred years and those around the ends of the range; jiff is the other
    /// program.
    #[test]
    fn every_day_is_the_one_that_jiff_gives() {
        // The last days of the year 9999 are beyond what jiff reads.
        let years = (1..=4).chain(1899..=2300).chain(9996..=9998);
        for year in years {
            for month in 0..=13 {
                for day in 0..=32 {
                    let second = (year * month + day) % 60;
                    let text = format!("{year:04}-{month:02}-{day:02}T23:59:{second:02}Z");
                    let found = milliseconds_of(&text);
                    assert_eq!(found, by_jiff(&text), "{text}");
                }
            }
        }
    }

    #[test]
    fn times_of_the_day_are_those_that_jiff_gives() {
        for (hour, minute, second, millisecond) in [
            (0, 0, 0, 0),
            (23, 59, 59, 999),
            (7, 8, 9, 10),
            (24, 0, 0, 0),
            (0, 60, 0, 0),
        ] {
            let text = format!("2024-02-29T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z");
            assert_eq!(milliseconds_of(&text), by_jiff(&text), "{text}");
        }
    }

    /// Both ends of the range, and an instant of each day of the years in which a mistake would show.
    #[test]
    fn an_instant_is_written_as_jiff_writes_it() {
        let of_years = |first: i64, last: i64| {
            let days = days_before(first, 1, 1)..days_before(last + 1, 1, 1);
            days.map(|day| day * DAY_MS + (day * 7919).rem_euclid(DAY_MS))
        };
        let days = of_years(1, 5).chain(of_years(1896, 2405));
        let days = days.chain(of_years(9996, 9998));
        for milliseconds in days.chain([0, -1, 1, -62_135_596_800_000, 253_402_207_200_000]) {
            let instant = jiff::Timestamp::from_millisecond(milliseconds).unwrap();
            let found = text_of(milliseconds);
            assert_eq!(std::str::from_utf8(&found), Ok(&*format!("{instant:.3}")));
            let read = std::str::from_utf8(&found).ok().and_then(milliseconds_of);
            assert_eq!(read, Some(milliseconds));
        }
        // Beyond what jiff writes.
        let last = text_of(253_402_300_799_999);
        assert_eq!(&last, b"9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_written_in_another_way_is_left_to_jiff() {
        for text in [
            "2024-02-29T00:00:00+00:00",
            "2024-02-29t00:00:00Z",
            "2024-02-29T00:00:00z",
            "2024-02-29 00:00:00Z",
            "2024-02-29T00:00:00.1Z",
            "2024-02-29T00:00:00,123Z",
            "2024-02-29T00:00:60Z",
            "0000-02-29T00:00:00Z",
            "+024-02-29T00:00:00Z",
            "2024-02-29T00:00:0\u{664}Z",
            "",
        ] {
            assert_eq!(milliseconds_of(text), None, "{text}");
        }
    }
}
