//! What `--date-format` says.

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// That of the time on which a format is tried: one after noon.
const SAMPLE_HOUR: i8 = 22;

/// Refuses a format of dates that jiff does not have, one that gives no whole date, and one that leaves out a part of the time.
///
/// # Errors
/// Names the format and what is wrong with it.
pub fn check_date_format(format: &str) -> Result<(), String> {
    let refused = |problem: &str| {
        format!("{format:?} is no date format such as %d/%m/%Y or \"%Y-%m-%d %H:%M\": {problem}")
    };
    let sample = DateTime::constant(2013, 9, 4, SAMPLE_HOUR, 30, 15, 0);
    let sample = sample.to_zoned(TimeZone::UTC);
    let written = sample.map(|sample| BrokenDownTime::from(&sample));
    let written = written.and_then(|parts| parts.to_string(format));
    let read = written.and_then(|text| BrokenDownTime::parse(format, text.as_str()));
    let read = read.map_err(|error| refused(&error.to_string()))?;
    if read.timestamp().is_some() {
        return Ok(());
    }
    if read.to_date().is_err() {
        return Err(refused("it does not give year, month and day"));
    }
    match read.hour() {
        None if read.meridiem().is_some() => Err(refused("it has %p and gives no hour")),
        None | Some(_) if read.to_time().is_err() => Err(refused(
            "it gives a part of a time and leaves out what comes before it, hours or minutes",
        )),
        // The sample is of 22:30: without %p its hour reads as 10.
        Some(hour) if hour != SAMPLE_HOUR => Err(refused(
            "it gives hours from 1 to 12, and %p must say whether they are before or after noon",
        )),
        None | Some(_) => Ok(()),
    }
}
