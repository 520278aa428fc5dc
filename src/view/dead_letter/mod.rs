//! A dead letter as HTTP and the command line show it. A list says nothing of the customer and nothing of what the record
//! holds; one that is shown has all of it. docs/TOPICS.md, Dead letters.

mod detail;
mod payload;

pub use crate::view::dead_letter::payload::PayloadState;

use std::borrow::Cow;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::event::RejectReason;
use crate::domain::time::Timestamp;
use crate::engine::verdict::Outcome;
use crate::view::base64;
use crate::view::dead_letter::detail::Sentence;
use crate::view::dead_letter::payload::payload_of;

/// The first of segstream's own headers; those of the record stand before it.
const OWN_FROM: &str = "reason";
/// Longest name of a topic, as Kafka has them.
const TOPIC_CHARACTERS_MAX: usize = 249;

/// Name and value of a header.
type Header = (Cow<'static, str>, Option<Vec<u8>>);

/// Every reason that a dead letter may have.
pub fn reasons() -> impl Iterator<Item = &'static str> {
    let others = [Outcome::Late, Outcome::Unsupported].map(Outcome::as_str);
    let rejected = RejectReason::ALL.into_iter().map(RejectReason::as_str);
    rejected.chain(others)
}

/// The record of a dead letter, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct LetterRecord<'a> {
    /// Its partition among the dead letters.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// When it was written.
    pub timestamp: Timestamp,
    /// The key of the record that was not processed.
    pub key: Option<&'a [u8]>,
    /// Its value, as far as it was kept.
    pub value: Option<&'a [u8]>,
    /// Its headers, and segstream's own behind them.
    pub headers: &'a [Header],
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterView {
    /// Its partition among the dead letters.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// When it was written.
    pub at: String,
    /// Why the record was not processed; absent where segstream has not written the dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The field that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, in a sentence. In a list it quotes no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where the record came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceView>,
    /// How much of the record's value was kept.
    pub payload_state: PayloadState,
    /// Length of the value as it came.
    pub payload_bytes: u64,
    /// What the record holds; not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordView>,
}

/// Where a record came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// Its topic.
    pub topic: String,
    /// Its partition there.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// Its timestamp, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// What a record holds. Bytes that are not UTF-8 are in Base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_base64: Option<String>,
    /// The length of the key as it came, where it was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_bytes: Option<u64>,
    /// Its headers.
    pub headers: Vec<HeaderView>,
    /// How many headers were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers_omitted: Option<u64>,
    /// Its value, decompressed if it was compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The value that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// Why what was kept is not all here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A header of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderView {
    /// Its name.
    pub name: String,
    /// Its value, unless it is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The value that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
}

/// A part of the dead letters of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLettersView {
    /// The partition.
    pub partition: u32,
    /// How many partitions there are.
    pub partitions: u32,
    /// Where to read on.
    pub offset_next: u64,
    /// Where the partition ends now: everything was read once `offset_next` is there.
    pub end: u64,
    /// In offset order.
    pub dead_letters: Vec<DeadLetterView>,
}

impl DeadLetterView {
    /// As a list has it.
    #[must_use]
    pub fn listed(letter: &LetterRecord<'_>) -> Self {
        let own = Own::of(letter.headers);
        let reason = own.text("reason");
        let reason = reason.and_then(|named| reasons().find(|known| *known == named));
        let sentence = reason.map(|reason| Sentence::of(reason, own.text("detail")));
        let sentence = sentence.unwrap_or_default();
        let payload_state = PayloadState::of(letter.value, own.text("value_encoding"));
        let length = letter.value.map_or(0, <[u8]>::len);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let changed = matches!(payload_state, PayloadState::Compressed | PayloadState::Cut);
        let as_it_came = own.number("value_bytes").filter(|_| changed);
        Self {
            partition: letter.partition,
            offset: letter.offset,
            at: letter.timestamp.to_string(),
            reason: reason.map(str::to_owned),
            field: sentence.field,
            detail: sentence.without_values,
            source: own.source(),
            payload_state,
            payload_bytes: as_it_came.unwrap_or(length),
            record: None,
        }
    }

    /// With all that the record holds, if that is at most so many bytes.
    #[must_use]
    pub fn shown(letter: &LetterRecord<'_>, bytes_max: usize) -> Self {
        let mut view = Self::listed(letter);
        let own = Own::of(letter.headers);
        if let Some(detail) = own.text("detail") {
            view.detail = Some(detail.to_owned());
        }
        view.record = Some(record_of(letter, view.payload_state, &own, bytes_max));
        view
    }

    /// The bytes of the value that is shown; `None` where there is none.
    #[must_use]
    pub fn payload(&self) -> Option<Cow<'_, [u8]>> {
        let record = self.record.as_ref()?;
        match &record.payload_base64 {
            Some(text) => base64::decoded(text).map(Cow::Owned),
            None => Some(Cow::Borrowed(record.payload.as_ref()?.as_bytes())),
        }
    }
}

fn record_of(
    letter: &LetterRecord<'_>,
    state: PayloadState,
    own: &Own<'_>,
    bytes_max: usize,
) -> RecordView {
    let foreign = own.foreign.iter();
    let sizes = foreign.map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len));
    let beside_bytes = letter.key.map_or(0, <[u8]>::len) + sizes.sum::<usize>();
    let too_large = RecordView {
        problem: Some(format!(
            "key, headers and payload are more than the {bytes_max} bytes that can be shown here"
        )),
        ..RecordView::default()
    };
    let Some(room_bytes) = bytes_max.checked_sub(beside_bytes) else {
        return too_large;
    };
    let hash = own.text("value_sha256");
    let length = own.number("value_bytes");
    let (payload, problem) = match payload_of(letter.value, state, (length, hash), room_bytes) {
        Ok(payload) => (payload, None),
        Err(payload::Failed::TooLarge) => (None, too_large.problem),
        Err(payload::Failed::Damaged(problem)) => (None, Some(problem)),
    };
    let (key, key_base64) = text_or_base64(letter.key);
    let (payload, payload_base64) = text_or_base64(payload.as_deref());
    RecordView {
        key,
        key_base64,
        key_bytes: own.number("key_bytes"),
        headers: own.foreign.iter().map(HeaderView::of).collect(),
        headers_omitted: own.number("headers_omitted"),
        payload,
        payload_base64,
        problem,
    }
}

impl HeaderView {
    fn of((name, value): &Header) -> Self {
        let (value, value_base64) = text_or_base64(value.as_deref());
        Self {
            name: name.to_string(),
            value,
            value_base64,
        }
    }
}

fn text_or_base64(bytes: Option<&[u8]>) -> (Option<String>, Option<String>) {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => (None, None),
        Some((_, Ok(text))) => (Some(text.to_owned()), None),
        Some((bytes, Err(_))) => (None, Some(base64::encoded(bytes))),
    }
}

/// The headers of a dead letter: those of the record, and segstream's own.
struct Own<'a> {
    foreign: &'a [Header],
    own: &'a [Header],
}

impl<'a> Own<'a> {
    fn of(headers: &'a [Header]) -> Self {
        let first = headers.iter().rposition(|(name, _)| name == OWN_FROM);
        let (foreign, own) = headers.split_at(first.unwrap_or(headers.len()));
        Self { foreign, own }
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        let mut named = self.own.iter().filter(|(known, _)| known == name);
        std::str::from_utf8(named.next_back()?.1.as_deref()?).ok()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    fn source(&self) -> Option<SourceView> {
        let topic = self.text("source_topic")?;
        let is_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if topic.len() > TOPIC_CHARACTERS_MAX || !topic.chars().all(is_of_a_name) {
            return None;
        }
        let at = self.text("source_timestamp").and_then(|at| at.parse().ok());
        Some(SourceView {
            topic: topic.to_owned(),
            partition: self.text("source_partition")?.parse().ok()?,
            offset: self.number("source_offset")?,
            at: at
                .and_then(Timestamp::from_milliseconds)
                .map(|at| at.to_string()),
        })
    }
}

#[cfg(test)]
mod tests;
