//! A message of the client as a delivery.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use rdkafka::Message;
use rdkafka::message::Headers;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::log::Delivery;
use crate::log::Header;

/// The delivery of a message of a source.
pub(super) fn delivery(source: Source, message: &impl Message) -> Delivery {
    let record_time = message.timestamp().to_millis();
    Delivery {
        position: Position {
            source,
            partition: Partition(u32::try_from(message.partition()).unwrap_or(0)),
            offset: u64::try_from(message.offset()).unwrap_or(0),
        },
        record_time: record_time.map(clamped),
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers: message.headers().map(headers).unwrap_or_default(),
    }
}

/// A timestamp beyond the range of instants is its end, not absent: it is too far ahead to be used, and counted as such.
fn clamped(milliseconds: i64) -> Timestamp {
    let end = if milliseconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_milliseconds(milliseconds).unwrap_or(end)
}

/// All headers of a message, in their order.
pub(super) fn headers<H: Headers>(headers: &H) -> Vec<Header> {
    (0..headers.count())
        .map(|place| header(headers, place))
        .collect()
}

/// The client panics on a name that is not UTF-8, and no record may stop the worker: such a header has an
/// empty name and a null value.
fn header<H: Headers>(headers: &H, place: usize) -> Header {
    let read = catch_unwind(AssertUnwindSafe(|| {
        let header = headers.try_get(place)?;
        let name = Cow::Owned(header.key.to_owned());
        Some((name, header.value.map(<[u8]>::to_vec)))
    }));
    read.ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::Header as ClientHeader;

    /// Microseconds, as some producers write them, are of the year 58,000.
    #[test]
    fn a_timestamp_beyond_the_year_9999_is_the_end_of_time_and_not_absent() {
        assert_eq!(clamped(1_790_000_000_000_000), Timestamp::MAX);
        assert_eq!(clamped(i64::MIN), Timestamp::MIN);
        let ordinary = clamped(1_790_000_000_000);
        assert_eq!(ordinary.as_milliseconds(), 1_790_000_000_000);
    }

    /// Headers of which the second cannot be read.
    struct Broken;

    impl Headers for Broken {
        fn count(&self) -> usize {
            3
        }

        fn try_get(&self, place: usize) -> Option<ClientHeader<'_, &[u8]>> {
            assert_ne!(place, 1, "its name is not UTF-8");
            let value = (place == 0).then_some(&b"value"[..]);
            Some(ClientHeader { key: "name", value })
        }
    }

    #[test]
    fn a_header_that_the_client_cannot_read_does_not_hide_the_others() {
        let name = || Cow::Borrowed("name");
        let expected = [
            (name(), Some(b"value".to_vec())),
            (Cow::Borrowed(""), None),
            (name(), None),
        ];
        assert_eq!(headers(&Broken), expected);
    }
}
