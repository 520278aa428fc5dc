//! Native events, one JSON object a line.

use std::path::Path;

use crate::dataset::bytes::read as read_bytes;
use crate::dataset::error::Error;
use crate::dataset::replay::source_event::Context;
use crate::dataset::replay::source_event::SourceEvent;
use crate::domain::event::lines;
use crate::domain::event::stated;

pub(super) fn jsonl(path: &Path, context: &Context) -> Result<Vec<SourceEvent>, Error> {
    let bytes = read_bytes(path)?;
    let mut latest = context.as_of;
    let mut events = Vec::new();
    for (line, payload) in lines(&bytes) {
        let stated = stated(payload);
        latest = stated.occurred_at.unwrap_or(latest);
        events.push(SourceEvent {
            record_time: latest,
            line: u64::try_from(line).unwrap_or(u64::MAX),
            key: stated.customer_id.map(|key| key.as_bytes().to_vec()),
            payload: payload.to_vec(),
        });
    }
    Ok(events)
}
