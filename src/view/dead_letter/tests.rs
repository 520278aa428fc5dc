//! What a list and one dead letter say, on records made up here.

use super::*;
use crate::domain::time::Timestamp;

fn header(name: &'static str, value: &[u8]) -> Header {
    (name.into(), Some(value.to_vec()))
}

fn own(reason: &str, detail: &str) -> Vec<Header> {
    vec![
        header("reason", reason.as_bytes()),
        header("detail", detail.as_bytes()),
        header("source_topic", b"retail.events.v1"),
        header("source_partition", b"3"),
        header("source_offset", b"17"),
        header("app_version", b"0.1.0"),
        header("source_timestamp", b"0"),
    ]
}

fn letter<'a>(value: Option<&'a [u8]>, headers: &'a [Header]) -> LetterRecord<'a> {
    LetterRecord {
        partition: 1,
        offset: 2,
        timestamp: Timestamp::default(),
        key: Some(b"anna"),
        value,
        headers,
    }
}

/// Reason and detail of a dead letter; the field, and the sentence of a list.
type Detail = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

/// The details are those of `domain::event`, `engine::admission` and `domain::transfer`.
const DETAILS: [Detail; 14] = [
    (
        "currency",
        "currency: \"anna\" is not an ISO 4217 code of three capital letters",
        Some("currency"),
        Some("currency is not an ISO 4217 code of three capital letters"),
    ),
    (
        "customer_id",
        "customer_id: {\"anna\": \"anna is not here: it must be there\"} is not a text of 1 to 256 characters",
        Some("customer_id"),
        Some("customer_id is not a text of 1 to 256 characters"),
    ),
    (
        "order_id",
        "order_id is missing: it must be a text of 1 to 128 characters",
        Some("order_id"),
        Some("order_id is missing: it must be a text of 1 to 128 characters"),
    ),
    (
        "key_mismatch",
        "the record's key: \"anna\" is not the event's customer_id",
        Some("the record's key"),
        Some("the record's key is not the event's customer_id"),
    ),
    (
        "transfer",
        "the header segstream-source-offset is absent or null: it must be an offset",
        Some("the header segstream-source-offset"),
        Some("the header segstream-source-offset is absent or null: it must be an offset"),
    ),
    (
        "late",
        "occurred_at: 2026-01-01T00:00:00.000Z is more than state.ledger_days 800 before the customer's newest event",
        Some("occurred_at"),
        Some("occurred_at is older than the customer's record covers"),
    ),
    (
        "late",
        "occurred_at: 2026-01-01T00:00:00.000Z is not after 2026-02-01T00:00:00.000Z, the newest event whose id the record no \
         longer remembers (deduplication.ids)",
        Some("occurred_at"),
        Some(
            "occurred_at is not after an event whose id the customer's record no longer remembers",
        ),
    ),
    (
        "late",
        "occurred_at: 2026-01-01T00:00:00.000Z is the time of 4096 remembered events of the customer, and more of one instant are \
         not told apart",
        Some("occurred_at"),
        Some("occurred_at is of a day with more events than the customer's record can remember"),
    ),
    (
        "late",
        "occurred_at: 2026-01-01T00:00:00.000Z is not after 2026-01-01T00:00:00.000Z: the customer has more events on that day than \
         the 4096 whose ids a record can remember",
        Some("occurred_at"),
        Some("occurred_at is of a day with more events than the customer's record can remember"),
    ),
    (
        "customer_id",
        "customer_id is missing, and \"anna: is not\" is no field of an event: did you mean customer_id?",
        Some("customer_id"),
        Some("customer_id is missing, and the event has a field of a similar name"),
    ),
    (
        "unreadable",
        "the value is not one JSON object in UTF-8: it is null",
        None,
        Some("the value is not one JSON object in UTF-8: it is null"),
    ),
    // Of other writers.
    ("currency", "anna's currency", None, None),
    ("currency", "ANNA: 7 is not a currency", None, None),
    ("currency", "anna 7 is missing: it must be here", None, None),
];

#[test]
fn a_list_names_the_field_and_what_is_allowed_and_never_the_value() {
    for (reason, detail, field, sentence) in DETAILS {
        let headers = own(reason, detail);
        let view = DeadLetterView::listed(&letter(Some(b"{}"), &headers));
        assert_eq!(view.reason.as_deref(), Some(reason));
        assert_eq!(view.field.as_deref(), field, "{detail}");
        assert_eq!(view.detail.as_deref(), sentence, "{detail}");
        let text = serde_json::to_string(&view).unwrap();
        assert!(!text.contains("anna"), "{text}");
        let shown = DeadLetterView::shown(&letter(Some(b"{}"), &headers), 1000);
        assert_eq!(shown.detail.as_deref(), Some(detail));
    }
}

#[test]
fn headers_of_the_record_are_not_taken_for_those_of_segstream() {
    let mut headers = vec![
        header("reason", b"anna"),
        header("value_encoding", b"zstd"),
        header("source_topic", b"anna"),
    ];
    headers.extend(own("type", "type is missing: it must be known"));
    let view = DeadLetterView::shown(&letter(Some(b"plain"), &headers), 1000);
    assert_eq!(view.reason.as_deref(), Some("type"));
    assert_eq!(view.payload_state, PayloadState::Whole);
    let source = view.source.clone().unwrap();
    assert_eq!(
        (source.topic.as_str(), source.partition, source.offset),
        ("retail.events.v1", 3, 17)
    );
    assert_eq!(source.at.as_deref(), Some("1970-01-01T00:00:00.000Z"));
    let record = view.record.unwrap();
    assert_eq!(record.headers.len(), 3);
    assert_eq!(record.payload.as_deref(), Some("plain"));
    assert_eq!(record.key.as_deref(), Some("anna"));
}

#[test]
fn a_record_of_another_writer_has_no_reason_and_keeps_its_headers_to_itself() {
    for headers in [
        vec![],
        vec![header("reason", b"anna"), header("detail", b"anna")],
        vec![("reason".into(), None)],
        vec![header("reason", &[0xff])],
        vec![
            header("reason", b"late"),
            header("source_topic", b"anna at home"),
        ],
    ] {
        let view = DeadLetterView::listed(&letter(Some(b"anna"), &headers));
        assert_eq!(view.source, None);
        let text = serde_json::to_string(&view).unwrap();
        assert!(!text.contains("anna"), "{text}");
    }
}

#[test]
fn a_compressed_payload_comes_back_and_a_damaged_or_large_one_is_said() {
    let value = b"segstream ".repeat(500);
    let packed = zstd::bulk::compress(&value, 3).unwrap();
    let with = |length: &str, hash: &str| {
        let mut headers = own("type", "type is missing: it must be known");
        headers.push(header("value_encoding", b"zstd"));
        headers.push(header("value_bytes", length.as_bytes()));
        headers.push(header("value_sha256", hash.as_bytes()));
        headers
    };
    // `python3 -c "print('segstream ' * 500, end='')" | sha256sum` says the same as the crate.
    let hash = format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(&value));
    let right = with("5000", &hash);
    let view = DeadLetterView::shown(&letter(Some(&packed), &right), 10_000);
    assert_eq!(view.payload_state, PayloadState::Compressed);
    assert_eq!(view.payload_bytes, 5000);
    assert_eq!(view.payload().as_deref(), Some(&value[..]));
    let other_hash = with("5000", "00");
    let lies = with("10", &hash);
    let cut_stream = &packed[..packed.len() / 2];
    for (value, headers, bytes_max, problem) in [
        (&packed[..], &right, 100, "more than the 100 bytes"),
        // The length of the header is not trusted.
        (&packed[..], &lies, 100, "more than the 100 bytes"),
        (&packed[..], &other_hash, 10_000, "value_sha256"),
        (cut_stream, &right, 10_000, "cannot be decompressed"),
        (b"plain", &right, 10_000, "cannot be decompressed"),
    ] {
        let view = DeadLetterView::shown(&letter(Some(value), headers), bytes_max);
        let record = view.record.unwrap();
        assert_eq!(record.payload, None);
        let said = record.problem.unwrap();
        assert!(said.contains(problem), "{said}");
    }
}

#[test]
fn bytes_that_are_no_text_are_in_base64_and_come_back_from_json() {
    let headers = [
        vec![header("trace", &[0xfe]), ("empty".into(), None)],
        own("unreadable", "the value is not one JSON object in UTF-8"),
    ]
    .concat();
    let view = DeadLetterView::shown(&letter(Some(&[0xff, 0, b'a']), &headers), 1000);
    let text = serde_json::to_string(&view).unwrap();
    let back: DeadLetterView = serde_json::from_str(&text).unwrap();
    assert_eq!(back, view);
    assert_eq!(back.payload().as_deref(), Some(&[0xff, 0, b'a'][..]));
    let record = back.record.unwrap();
    // `printf '\xff\0a' | base64`
    assert_eq!(record.payload_base64.as_deref(), Some("/wBh"));
    assert_eq!(record.headers[0].value_base64.as_deref(), Some("/g=="));
    assert_eq!(record.headers[1].value, None);
    let null = DeadLetterView::shown(&letter(None, &headers), 1000);
    assert_eq!(null.payload_state, PayloadState::Null);
    assert_eq!(null.payload(), None);
}
