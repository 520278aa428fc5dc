//! What the log says of events that change no customer, without anything that an event says of one.

use std::collections::BTreeMap;

use crate::telemetry::metrics::Metrics;

/// The first event that was rejected for a reason: its topic, partition and offset, the field and what is allowed.
pub fn first(
    reason: &str,
    (topic, partition, offset): (&str, u32, u64),
    field: &str,
    allowed: &str,
) {
    tracing::warn!(
        reason,
        topic,
        partition,
        offset,
        field,
        allowed,
        "an event is rejected; further ones of this reason are counted"
    );
}

/// The first event that POST /v1/events refused for a reason.
pub fn first_over_http(reason: &str, field: &str, allowed: &str) {
    tracing::warn!(
        reason,
        field,
        allowed,
        "an event is refused over HTTP and not taken; further ones of this reason are counted in \
         segstream_http_events_refused_total"
    );
}

/// Counts an event that POST /v1/events refused.
pub fn refused_over_http(metrics: &Metrics, reason: &str) {
    let refused = &metrics.http.events_refused;
    refused.with_label_values(&[reason]).inc();
}

/// Events that were rejected since the last line, by reason.
pub fn since(counts: &BTreeMap<&'static str, u64>) {
    let each = counts
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"));
    let reasons = each.collect::<Vec<_>>().join(", ");
    tracing::warn!(%reasons, "events were rejected");
}

/// Nearly all of the last events were rejected, most of them for this reason.
pub fn nearly_all((rejected, judged): (usize, usize), reason: &str, field: &str, allowed: &str) {
    tracing::warn!(
        rejected,
        judged,
        reason,
        field,
        allowed,
        "NEARLY ALL EVENTS ARE REJECTED, and change no customer: correct the producer or the settings"
    );
}

/// That is over.
pub fn not_nearly_all() {
    tracing::info!("events are taken again: at least half of the last ones were not rejected");
}

/// The first event with a field that no event has, and the one that may be meant.
pub fn unknown_field(name: &str, meant: Option<&str>) {
    match meant {
        Some(meant) => tracing::warn!(
            name,
            "an event has a field that no event has, which is ignored: did you mean {meant}?"
        ),
        None => tracing::info!(
            name,
            "an event has a field that no event has, which is ignored"
        ),
    }
}

/// Deliveries of a committed transaction have fields that no event has.
pub fn unknown_fields(metrics: &Metrics, deliveries: u64) {
    metrics.deliveries.unknown_fields.inc_by(deliveries);
}
