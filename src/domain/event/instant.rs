//! When an event happened.

use crate::domain::event::fields::Field;
use crate::domain::event::fields::json_text;
use crate::domain::event::raw::RawEvent;
use crate::domain::event::rejection::InvalidEvent;
use crate::domain::event::rejection::RejectReason;
use crate::domain::event::rules::IntakeRules;
use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;

/// An instant ahead of the record time by at most this much is the sender's clock, and accepted as it is.
const AHEAD_ACCEPTED_MS: i64 = 5 * 60 * 1000;
/// An instant ahead by more than this is a mistake; one between the two is clamped to the record time.
const AHEAD_MAX_MS: i64 = DAY_MS;

/// The seconds since 1970 of the years 2000 to 2099.
const SECONDS: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// The shape of an instant before its fraction and offset.
const LOCAL_TIME: &[u8; 19] = b"0000-00-00T00:00:00";
/// Digits of a fraction that the calendar library takes; further ones are far below a millisecond.
const FRACTION_DIGITS_MAX: usize = 9;

pub(super) fn occurred_at(
    raw: &RawEvent<'_>,
    record_time: Timestamp,
    rules: &IntakeRules,
) -> Result<Timestamp, InvalidEvent> {
    let field = |reason| Field::new("occurred_at", raw.occurred_at, reason);
    let given = field(RejectReason::OccurredAt);
    let instant = given.raw().and_then(instant_of_json).ok_or_else(|| {
        given.invalid("an RFC 3339 instant with an offset, or milliseconds since 1970")
    })?;
    accepted_instant(instant, record_time, rules).map_err(|refused| match refused {
        Refused::TooOld => field(RejectReason::TooOld).invalid(&format!(
            "at or after events.earliest, {}{}",
            rules.earliest,
            given.raw().map_or("", of_seconds)
        )),
        Refused::Future => field(RejectReason::Future).invalid(&format!(
            "within 24 hours of its record time, {record_time}"
        )),
    })
}

/// What to say of a number that would be a time of this century if it were of seconds.
fn of_seconds(raw: &str) -> &'static str {
    match raw.parse::<i64>() {
        Ok(seconds) if SECONDS.contains(&seconds) => {
            "; a number is of milliseconds since 1970, and this may be one of seconds"
        }
        Ok(_) | Err(_) => "",
    }
}

/// Why an instant is not accepted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    TooOld,
    Future,
}

/// The instant that an event counts with, given the one that it states.
pub(super) fn accepted_instant(
    instant: Timestamp,
    record_time: Timestamp,
    rules: &IntakeRules,
) -> Result<Timestamp, Refused> {
    if instant < rules.earliest {
        return Err(Refused::TooOld);
    }
    let ahead_ms = instant
        .as_milliseconds()
        .saturating_sub(record_time.as_milliseconds());
    if ahead_ms > AHEAD_MAX_MS {
        return Err(Refused::Future);
    }
    Ok(if ahead_ms > AHEAD_ACCEPTED_MS {
        record_time
    } else {
        instant
    })
}

/// An instant as RFC 3339 writes it. The calendar library alone would also take dates without separators, offsets without
/// minutes or with seconds, and names of zones.
pub(super) fn instant_of_text(text: &str) -> Option<Timestamp> {
    let (time, rest) = text.split_at_checked(LOCAL_TIME.len())?;
    let is_time = time
        .bytes()
        .zip(LOCAL_TIME)
        .all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't' | b' '),
            separator => byte == *separator,
        });
    if !is_time {
        return None;
    }
    let Some(after_point) = rest.strip_prefix('.') else {
        return is_offset(rest).then(|| Timestamp::parse_rfc3339(text))?;
    };
    let offset = after_point.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let digits = after_point.strip_suffix(offset)?;
    if digits.is_empty() || !is_offset(offset) {
        return None;
    }
    match digits.get(..FRACTION_DIGITS_MAX) {
        Some(kept) => Timestamp::parse_rfc3339(&format!("{time}.{kept}{offset}")),
        None => Timestamp::parse_rfc3339(text),
    }
}

/// `Z`, or hours and minutes.
fn is_offset(text: &str) -> bool {
    match text.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', hours @ .., b':', _, _] => {
            // The minutes are left to the calendar library, which knows more hours than RFC 3339.
            matches!(hours, [b'0' | b'1', b'0'..=b'9'] | [b'2', b'0'..=b'3'])
        }
        _ => false,
    }
}

/// An instant as RFC 3339 text or as whole milliseconds since the epoch.
#[must_use]
pub fn instant_of_json(raw: &str) -> Option<Timestamp> {
    match json_text(raw) {
        Some(text) => instant_of_text(&text),
        None => {
            let milliseconds = raw.parse().ok()?;
            Timestamp::from_foreign_milliseconds(milliseconds)
        }
    }
}
