//! What the log says of events that change no customer, without anything that an event says of one.

use crate::domain::event::UnknownName;
use crate::telemetry::metrics::Metrics;

/// Stands for a name that may be a value.
pub const NOT_SHOWN: &str = "(not shown: it may be a value)";

/// A verdict and its reason.
pub type Named = (&'static str, &'static str);

/// The first event that went to the dead letters for a reason: its topic, partition and offset, the field and what is
/// allowed.
pub fn first(
    (verdict, reason): Named,
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
        "an event is {verdict}; further ones of this reason are counted"
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

/// Events that went to the dead letters since the last line, by verdict and reason.
pub fn since(counts: impl Iterator<Item = (Named, u64)>) {
    let each = counts.map(|((verdict, reason), count)| format!("{verdict} {reason} {count}"));
    let reasons = each.collect::<Vec<_>>().join(", ");
    tracing::warn!(%reasons, "events went to the dead letters and changed no customer");
}

/// Nearly all of the last events went to the dead letters: how many of how many, and the most frequent reason with its count.
pub fn nearly_all(
    (lost, judged): (usize, usize),
    ((verdict, reason), count): (Named, usize),
    field: &str,
    allowed: &str,
) {
    let most = format!("{verdict} {reason} {count}");
    tracing::warn!(
        lost,
        judged,
        most,
        field,
        allowed,
        "NEARLY ALL EVENTS GO TO THE DEAD LETTERS and change no customer: correct the producer or the settings"
    );
}

/// That is over.
pub fn not_nearly_all() {
    tracing::info!(
        "events are taken again: at least half of the last ones did not go to the dead letters"
    );
}

/// The first event with a field that no event has, and the one that may be meant.
///
/// A name that may be a value, such as an address or an id that a producer uses as a key, is not shown.
pub fn unknown_field(unknown: &UnknownName) {
    let name = if may_be_a_value(&unknown.name) {
        NOT_SHOWN
    } else {
        &unknown.name
    };
    match &unknown.meant {
        _ if unknown.is_attribute => tracing::warn!(
            name,
            "an event has an attribute that no model reads, as segstream computes a feature of this name"
        ),
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

/// Names of fields are words. What has another sign, more than two digits or more than 40 characters may be an address, a
/// number or an id.
#[must_use]
pub fn may_be_a_value(name: &str) -> bool {
    let is_of_a_word = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.is_empty() || name.len() > 40 || digits > 2 || !name.chars().all(is_of_a_word)
}

/// Deliveries of a committed transaction have fields that no event has.
pub fn unknown_fields(metrics: &Metrics, deliveries: u64) {
    metrics.deliveries.unknown_fields.inc_by(deliveries);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_that_may_be_values_are_not_shown() {
        for name in [
            "loyalty_points",
            "profile.city",
            "products.lineTotal",
            "address2",
            "utm_source",
        ] {
            assert!(!may_be_a_value(name), "{name}");
        }
        for name in [
            "",
            "anna@example.com",
            "profile.anna@example.org",
            "c-1042",
            "4111111111111111",
            "first name",
            "a3f9b2c4",
            "Ren\u{e9}e",
            "averyveryverylongnamethatnobodygivesafield",
        ] {
            assert!(may_be_a_value(name), "{name}");
        }
    }
}
