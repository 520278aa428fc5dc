//! Durations and sizes as they are written in settings.

use std::time::Duration;

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Reads `100ms`, `45s`, `5m`, `12h` or `2d`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit_ms).map(Duration::from_millis)
}

/// A duration as it is written in settings, in its largest whole unit.
pub(super) fn duration_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)];
    let whole = units
        .iter()
        .find(|(_, unit)| milliseconds > 0 && milliseconds.is_multiple_of(unit.as_millis()));
    match whole {
        Some((name, unit)) => format!("{}{name}", milliseconds / unit.as_millis()),
        None if milliseconds == 0 => "0s".to_owned(),
        None => format!("{milliseconds}ms"),
    }
}

/// A size as it is written in settings, in its largest whole unit.
pub(super) fn size_text(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let whole = units
        .iter()
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    match whole {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

/// Reads `65536`, `64KiB`, `256MiB` or `1GiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        // By hand: the units are 1, 1000, 60,000, 3,600,000 and 86,400,000 ms.
        for (text, milliseconds) in [
            ("0s", Some(0)),
            ("100ms", Some(100)),
            ("45s", Some(45_000)),
            ("5m", Some(300_000)),
            ("12h", Some(43_200_000)),
            ("2d", Some(172_800_000)),
            ("5", None),
            ("-5s", None),
            ("1.5s", None),
            ("5 s", None),
            ("s", None),
            ("", None),
            ("18446744073709551615d", None),
        ] {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn bounds_are_shown_as_they_are_written() {
        // By hand: 1800 s are 30 minutes, 1 MiB is 1048576 bytes.
        for (milliseconds, text) in [(0, "0s"), (1, "1ms"), (60_000, "1m"), (90_000, "90s")] {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(duration_text(duration), text);
        }
        assert_eq!(duration_text(SECOND * 1800), "30m");
        assert_eq!(duration_text(DAY * 36_525), "36525d");
        for (bytes, text) in [(1, "1 bytes"), (1024, "1KiB"), (1_048_576, "1MiB")] {
            assert_eq!(size_text(bytes), text);
        }
    }

    #[test]
    fn sizes_are_bytes_or_powers_of_1024() {
        // By hand: 1024, 1024^2 and 1024^3.
        for (text, bytes) in [
            ("65536", Some(65_536)),
            ("64KiB", Some(65_536)),
            ("16MiB", Some(16_777_216)),
            ("1GiB", Some(1_073_741_824)),
            ("16MB", None),
            ("MiB", None),
            ("18446744073709551615GiB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }
}
