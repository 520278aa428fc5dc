//! Records as the client takes them, without a copy of their bytes.

use rdkafka::message::Header;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::BaseRecord;

use crate::domain::ids::Partition;
use crate::log::OutputRecord;
use crate::log::StateRecord;
use crate::log::kafka::places::number;

/// The headers of an output, as the client takes them.
pub(super) fn headers(record: &OutputRecord) -> OwnedHeaders {
    let room = OwnedHeaders::new_with_capacity(record.headers.len());
    record.headers.iter().fold(room, |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: value.as_deref(),
        })
    })
}

/// An output, with its headers, for a topic.
pub(super) fn of_output<'a>(
    topic: &'a str,
    record: &'a OutputRecord,
    headers: OwnedHeaders,
) -> BaseRecord<'a, [u8], [u8], ()> {
    BaseRecord {
        topic,
        partition: None,
        payload: record.value.as_deref(),
        key: record.key.as_deref(),
        timestamp: Some(record.timestamp.as_milliseconds()),
        headers: Some(headers),
        delivery_opaque: (),
    }
}

/// An update of the state, for the changelog.
pub(super) fn of_state<'a>(
    topic: &'a str,
    partition: Partition,
    record: &'a StateRecord,
) -> BaseRecord<'a, [u8], [u8], ()> {
    BaseRecord {
        topic,
        partition: Some(number(partition)),
        payload: record.value.as_deref(),
        key: Some(record.key.as_slice()),
        timestamp: None,
        headers: None,
        delivery_opaque: (),
    }
}
