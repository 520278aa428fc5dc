//! Deliveries and the transactions that commit them.

use prometheus::GaugeVec;
use prometheus::Histogram;
use prometheus::IntCounter;
use prometheus::IntCounterVec;
use prometheus::IntGaugeVec;

use crate::telemetry::metrics::registrar::Registrar;
use crate::telemetry::metrics::registrar::SECONDS_LONG;
use crate::telemetry::metrics::registrar::SECONDS_SHORT;
use crate::telemetry::metrics::registrar::options;

/// Deliveries and the transactions that commit them.
#[derive(Debug)]
pub struct Deliveries {
    /// Deliveries by type and verdict. Alert when the rate falls to 0 while producers run.
    pub events: IntCounterVec,
    /// Dead-lettered deliveries by broken rule. Alert on the ratio to all deliveries.
    pub events_rejected: IntCounterVec,
    /// Deliveries whose record time is too far ahead of the wall clock to be used. Alert when it grows.
    pub record_times_ahead: IntCounter,
    /// Deliveries with fields that no event has. Look at the log when it grows: a misspelled field is ignored.
    pub unknown_fields: IntCounter,
    /// Seconds to parse, decide and stage a delivery; the mean of each poll is one observation. Alert when it grows
    /// tenfold.
    pub event_processing_seconds: Histogram,
    /// Seconds of a commit, until what it wrote is visible. Alert when p99 exceeds `commit.interval` for long.
    pub commit_seconds: Histogram,
    /// Seconds from the record time of a delivery until what it changed is visible. On the event clock, where record
    /// times are not wall time, from its poll. Alert on p99.
    pub end_to_end_latency_seconds: Histogram,
    /// Records of the input and of the transfers that are not committed. Alert while it grows.
    pub consumer_lag_records: IntGaugeVec,
    /// Wall time of the last commit with deliveries of the partition. Alert on its age.
    pub last_event_timestamp_seconds: GaugeVec,
    /// Transactions by outcome: `committed`, `aborted` or `unknown`. Alert on the latter two.
    pub transactions: IntCounterVec,
    /// What became of the transactions of outcome `unknown`: `committed`, `aborted` or `undetermined`. Alert on the last.
    pub unknown_transactions: IntCounterVec,
}

impl Deliveries {
    pub(super) fn new(new: Registrar<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            events: new.counters(
                "events_total",
                "Committed events by type and verdict",
                &["type", "outcome"],
            )?,
            events_rejected: new.counters(
                "events_rejected_total",
                "Rejected events by reject reason",
                &["reason"],
            )?,
            record_times_ahead: new.counter(
                "record_times_ahead_total",
                "Events whose record time is too far ahead of the wall clock to be used",
            )?,
            unknown_fields: new.counter(
                "unknown_fields_total",
                "Events with fields that no event has",
            )?,
            event_processing_seconds: new.histogram(
                "event_processing_seconds",
                "Seconds to parse, decide and stage an event, the mean of each poll",
                SECONDS_SHORT,
            )?,
            commit_seconds: new.histogram(
                "commit_seconds",
                "Seconds of a commit, until what it wrote is visible",
                SECONDS_LONG,
            )?,
            end_to_end_latency_seconds: new.histogram(
                "end_to_end_latency_seconds",
                "Seconds from the record time of an event until what it changed is visible",
                SECONDS_LONG,
            )?,
            consumer_lag_records: new.gauges(
                "consumer_lag_records",
                "Records of the input and of the transfers that are not committed",
                &["partition"],
            )?,
            last_event_timestamp_seconds: new.register(GaugeVec::new(
                options(
                    "last_event_timestamp_seconds",
                    "Wall time of the last commit with events",
                ),
                &["partition"],
            )?)?,
            transactions: new.counters(
                "transactions_total",
                "Transactions by outcome",
                &["outcome"],
            )?,
            unknown_transactions: new.counters(
                "unknown_transactions_total",
                "What became of transactions whose outcome was unknown",
                &["outcome"],
            )?,
        })
    }
}
