//! Native events, one JSON object a line.

use std::path::Path;

use serde_json::Map;
use serde_json::Value;

use crate::dataset::bytes::read as read_bytes;
use crate::dataset::error::Error;
use crate::dataset::replay::source_event::Context;
use crate::dataset::replay::source_event::SourceEvent;
use crate::domain::event::instant_of_json;

pub(super) fn jsonl(path: &Path, context: &Context) -> Result<Vec<SourceEvent>, Error> {
    let bytes = read_bytes(path)?;
    let mut latest = context.as_of;
    let mut events = Vec::new();
    for (line, payload) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if payload.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed: Option<Map<String, Value>> = serde_json::from_slice(payload).ok();
        let field = |name: &str| parsed.as_ref().and_then(|event| event.get(name));
        let stated = field("occurred_at").and_then(|value| instant_of_json(&value.to_string()));
        latest = stated.unwrap_or(latest);
        let key = field("customer_id").and_then(Value::as_str);
        events.push(SourceEvent {
            record_time: latest,
            line,
            key: key.map(|key| key.as_bytes().to_vec()),
            payload: payload.to_vec(),
        });
    }
    Ok(events)
}
