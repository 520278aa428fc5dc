//! Native events, one JSON object a line.

use crate::dataset::replay::source_event::SourceEvent;
use crate::domain::event::lines;
use crate::domain::event::stated;
use crate::domain::time::Timestamp;

/// A line without a readable time has the record time of the line before; before the first readable one, that of the first.
pub(super) fn jsonl(bytes: &[u8]) -> Vec<SourceEvent> {
    let first = lines(bytes).find_map(|(_, payload)| stated(payload).occurred_at);
    let mut latest = first.unwrap_or(Timestamp::default());
    let mut events = Vec::new();
    for (line, payload) in lines(bytes) {
        let stated = stated(payload);
        latest = stated.occurred_at.unwrap_or(latest);
        events.push(SourceEvent {
            record_time: latest,
            line: u64::try_from(line).unwrap_or(u64::MAX),
            key: stated.customer_id.map(|key| key.as_bytes().to_vec()),
            payload: payload.to_vec(),
            rows: 1,
            is_repeat: false,
        });
    }
    events
}
