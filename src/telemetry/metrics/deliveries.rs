//! Deliveries and the transactions that commit them.

use prometheus::GaugeVec;
use prometheus::Histogram;
use prometheus::IntCounterVec;
use prometheus::IntGaugeVec;

use crate::telemetry::metrics::registrar::Registrar;
use crate::telemetry::metrics::registrar::SECONDS_LONG;
use crate::telemetry::metrics::registrar::SECONDS_SHORT;
use crate::telemetry::metrics::registrar::options;

/// Deliveries and the transactions that commit them.
#[derive(Debug)]
pub struct Deliveries {
    /// Deliveries by type and verdict. Alert when the rate falls to 0 while producers are alive.
    pub events: IntCounterVec,
    /// Dead-lettered deliveries by broken rule. Alert on the ratio to all deliveries.
    pub events_rejected: IntCounterVec,
    /// Seconds from poll to staged, one delivery, averaged over a poll. Alert when it grows tenfold.
    pub event_processing_seconds: Histogram,
    /// Seconds of a commit, until it is applied. Alert when p99 exceeds `commit.interval` for long.
    pub commit_seconds: Histogram,
    /// Seconds from the record time of a delivery to the visibility of what it changed; on the event clock,
    /// whose record times are another time's, from its poll. Alert on p99.
    pub end_to_end_latency_seconds: Histogram,
    /// Input records that are not committed. Alert while it grows.
    pub consumer_lag_records: IntGaugeVec,
    /// Wall time of the last commit with deliveries. Alert on its age.
    pub last_event_timestamp_seconds: GaugeVec,
    /// Transactions by outcome: `committed`, `aborted` or `unknown`. Alert on the latter two.
    pub transactions: IntCounterVec,
}

impl Deliveries {
    pub(super) fn new(new: Registrar<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            events: new.counters(
                "events_total",
                "Deliveries by verdict",
                &["type", "outcome"],
            )?,
            events_rejected: new.counters(
                "events_rejected_total",
                "Rejected deliveries",
                &["reason"],
            )?,
            event_processing_seconds: new.histogram(
                "event_processing_seconds",
                "Seconds to fold a delivery",
                SECONDS_SHORT,
            )?,
            commit_seconds: new.histogram("commit_seconds", "Seconds of a commit", SECONDS_LONG)?,
            end_to_end_latency_seconds: new.histogram(
                "end_to_end_latency_seconds",
                "Seconds from a delivery's arrival to the visibility of what it changed",
                SECONDS_LONG,
            )?,
            consumer_lag_records: new.gauges(
                "consumer_lag_records",
                "Input records not committed",
                &["partition"],
            )?,
            last_event_timestamp_seconds: new.register(GaugeVec::new(
                options(
                    "last_event_timestamp_seconds",
                    "Time of the last committed delivery",
                ),
                &["partition"],
            )?)?,
            transactions: new.counters(
                "transactions_total",
                "Transactions by outcome",
                &["outcome"],
            )?,
        })
    }
}
