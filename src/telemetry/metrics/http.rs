//! Requests and connections of the HTTP server.

use prometheus::IntCounter;
use prometheus::IntCounterVec;
use prometheus::IntGauge;
use prometheus::IntGaugeVec;

use crate::telemetry::metrics::registrar::Registrar;
use crate::telemetry::metrics::registrar::options;

/// Requests and connections of the HTTP server. Labels are routes and reasons, never anything of a request.
#[derive(Debug)]
pub struct HttpMetrics {
    /// Answers by route and class of status.
    pub requests: IntCounterVec,
    /// Requests in progress.
    pub requests_in_progress: IntGauge,
    /// Refused requests by reason. Alert on a rate.
    pub requests_refused: IntCounterVec,
    /// Lines of POST /v1/events that were refused, by reason. Alert on the share of all events.
    pub events_refused: IntCounterVec,
    /// Open connections.
    pub connections: IntGauge,
    /// Most open connections.
    pub connections_max: IntGauge,
    /// Ended connections by reason. Alert when they make room.
    pub connections_closed: IntCounterVec,
    /// Times that no connection could be taken, for lack of file handles.
    pub accept_failures: IntCounter,
    /// Bytes of bodies and of answers.
    pub bytes_held: IntGaugeVec,
    /// 1 while the file of the token cannot be used; the token before it stays.
    pub token_file_unusable: IntGauge,
}

impl HttpMetrics {
    pub(super) fn new(new: Registrar<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: new.counters(
                "http_requests_total",
                "Answered requests by route and class of status",
                &["route", "status"],
            )?,
            requests_in_progress: new.register(IntGauge::with_opts(options(
                "http_requests_in_progress",
                "Requests in progress",
            ))?)?,
            requests_refused: new.counters(
                "http_requests_refused_total",
                "Refused requests by reason",
                &["reason"],
            )?,
            events_refused: new.counters(
                "http_events_refused_total",
                "Lines of POST /v1/events that were refused, by reject reason",
                &["reason"],
            )?,
            connections: new.register(IntGauge::with_opts(options(
                "http_connections",
                "Open connections",
            ))?)?,
            connections_max: new.register(IntGauge::with_opts(options(
                "http_connections_max",
                "Most open connections",
            ))?)?,
            connections_closed: new.counters(
                "http_connections_closed_total",
                "Ended connections by reason",
                &["reason"],
            )?,
            accept_failures: new.counter(
                "http_accept_failures_total",
                "Times that no connection could be taken",
            )?,
            bytes_held: new.gauges(
                "http_bytes_held",
                "Bytes of bodies and of answers that are not sent yet",
                &["of"],
            )?,
            token_file_unusable: new.register(IntGauge::with_opts(options(
                "http_token_file_unusable",
                "1 while the file of the token cannot be used",
            ))?)?,
        })
    }
}
