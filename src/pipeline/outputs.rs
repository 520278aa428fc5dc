//! Records of the output topics: changes with their `CloudEvents` headers, and dead letters with
//! the original bytes. docs/CHANGES.md and docs/TOPICS.md.

use std::borrow::Cow;

use crate::domain::change::SegmentChange;
use crate::domain::time::Timestamp;
use crate::engine::verdict::DeadLetterCause;
use crate::log::Delivery;
use crate::log::Header;
use crate::log::OutputRecord;

/// Digits of `ce_sequence`, so that it sorts as text.
const SEQUENCE_DIGITS: usize = 20;

/// The record of a change.
///
/// # Errors
/// Only if a number is not finite.
pub fn change_record(
    change: &SegmentChange,
    topic_events: &str,
    emitted_at: Timestamp,
) -> Result<OutputRecord, serde_json::Error> {
    let customer_id = change.customer_id.as_str();
    let event_id = change.event_id.hyphenated().to_string();
    let sequence = change.sequence;
    Ok(OutputRecord {
        key: Some(customer_id.as_bytes().to_vec()),
        value: Some(change.to_json(topic_events, emitted_at)?),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", event_id),
            header("ce_type", change.kind.cloud_event_type()),
            header("ce_source", "segstream"),
            header("ce_subject", customer_id),
            header("ce_time", change.occurred_at.to_string()),
            header("ce_recordedtime", emitted_at.to_string()),
            header("ce_sequence", format!("{sequence:0SEQUENCE_DIGITS$}")),
            header("ce_partitionkey", customer_id),
            header("content-type", "application/json"),
        ],
        timestamp: emitted_at,
    })
}

/// The dead letter of a delivery: its key, value and headers as they came, and then its own headers, so that of
/// two headers with one name the own one counts. `topic` is the name of the topic of its source.
#[must_use]
pub fn dead_letter(
    delivery: &Delivery,
    cause: DeadLetterCause<'_>,
    topic: &str,
    wall: Timestamp,
) -> OutputRecord {
    let mut headers = delivery.headers.clone();
    headers.extend([
        header("reason", cause.reason),
        header("detail", cause.detail),
        header("source_topic", topic),
        header("source_partition", delivery.position.partition.to_string()),
        header("source_offset", delivery.position.offset.to_string()),
        header("app_version", env!("CARGO_PKG_VERSION")),
    ]);
    if let Some(record_time) = delivery.record_time {
        headers.push(header(
            "source_timestamp",
            record_time.as_milliseconds().to_string(),
        ));
    }
    OutputRecord {
        key: delivery.key.clone(),
        value: delivery.payload.clone(),
        headers,
        timestamp: wall,
    }
}

fn header(name: &'static str, value: impl Into<Vec<u8>>) -> Header {
    (Cow::Borrowed(name), Some(value.into()))
}
