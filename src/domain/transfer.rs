//! Where the event of a transfer comes from: the headers that the partition which sends it writes.

use crate::domain::event::InvalidEvent;
use crate::domain::event::RejectReason;
use crate::domain::event::fields::quoted;
use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;

/// Record time of the event, in milliseconds since 1970.
pub const RECORD_TIME: &str = "segstream-record-time";
/// Partition of the input where the event is.
pub const SOURCE_PARTITION: &str = "segstream-source-partition";
/// Offset of the event there.
pub const SOURCE_OFFSET: &str = "segstream-source-offset";

/// Where an event was delivered first, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its place in the input.
    pub position: Position,
    /// The record time that it counts with, whatever the transfer's own timestamp says.
    pub record_time: Timestamp,
}

impl Origin {
    /// Reads the headers of a transfer. `value_of` gives the value of a header, by its name.
    ///
    /// # Errors
    /// If one of the three headers is absent or is no decimal number in its range.
    pub fn read<'a>(value_of: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Self, InvalidEvent> {
        let text = |name| value_of(name).and_then(|value| std::str::from_utf8(value).ok());
        let invalid = |name: &'static str, allowed: &str| {
            let value = value_of(name).map(|value| quoted(&String::from_utf8_lossy(value)));
            let detail = match &value {
                Some(found) => format!("the header {name}: {found:?} is not {allowed}"),
                None => format!("the header {name} is absent or null: it must be {allowed}"),
            };
            InvalidEvent::new(RejectReason::Transfer, name, allowed, (value, detail))
        };
        let milliseconds = text(RECORD_TIME).and_then(|text| text.parse().ok());
        let partition = text(SOURCE_PARTITION).and_then(|text| text.parse().ok());
        let offset = text(SOURCE_OFFSET).and_then(|text| text.parse().ok());
        Ok(Self {
            record_time: milliseconds
                .and_then(Timestamp::from_milliseconds)
                .ok_or_else(|| invalid(RECORD_TIME, "an instant in milliseconds since 1970"))?,
            position: Position {
                source: Source::Events,
                partition: partition
                    .map(Partition)
                    .ok_or_else(|| invalid(SOURCE_PARTITION, "the number of a partition"))?,
                offset: offset.ok_or_else(|| invalid(SOURCE_OFFSET, "an offset"))?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &'static [u8])]) -> Result<Origin, InvalidEvent> {
        Origin::read(|name| {
            let mut found = headers.iter().filter(|(known, _)| *known == name);
            found.next_back().map(|(_, value)| *value)
        })
    }

    #[test]
    fn the_headers_say_when_and_where_the_event_was_delivered() {
        let headers: [(&str, &[u8]); 3] = [
            (RECORD_TIME, b"1700000000123"),
            (SOURCE_PARTITION, b"7"),
            (SOURCE_OFFSET, b"18446744073709551615"),
        ];
        let origin = read(&headers).unwrap();
        assert_eq!(origin.record_time.as_milliseconds(), 1_700_000_000_123);
        assert_eq!(origin.position.partition, Partition(7));
        assert_eq!(origin.position.offset, u64::MAX);
        assert_eq!(origin.position.source, Source::Events);
    }

    #[test]
    fn a_header_that_is_absent_or_wrong_is_named() {
        let good: [(&str, &[u8]); 3] = [
            (RECORD_TIME, b"0"),
            (SOURCE_PARTITION, b"0"),
            (SOURCE_OFFSET, b"0"),
        ];
        for wrong in 0..good.len() {
            let mut headers = good.to_vec();
            headers.remove(wrong);
            let name = good[wrong].0;
            let invalid = read(&headers).unwrap_err();
            assert_eq!(invalid.reason, RejectReason::Transfer);
            assert!(invalid.detail.contains(name), "{}", invalid.detail);
            for value in [&b""[..], b"-9e3", b" 1", b"\xff", b"99999999999999999999"] {
                let mut headers = good;
                headers[wrong].1 = value;
                let invalid = read(&headers).unwrap_err();
                let expected = format!("the header {name}: ");
                assert!(invalid.detail.starts_with(&expected), "{}", invalid.detail);
            }
        }
    }
}
