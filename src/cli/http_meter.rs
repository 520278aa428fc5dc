//! Counts what the HTTP server does in the metrics of the process.

use std::sync::Arc;

use crate::domain::event::RejectReason;
use crate::http::UNSUPPORTED;
use crate::http::meter::Closed;
use crate::http::meter::Holding;
use crate::http::meter::Meter;
use crate::http::meter::Refused;
use crate::telemetry::metrics::Metrics;

/// Counts in the metrics of the process.
#[derive(Debug)]
pub struct HttpMeter(Arc<Metrics>);

impl HttpMeter {
    /// Each reason begins at 0.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let http = &metrics.http;
        for reason in Refused::ALL {
            let counter = http.requests_refused.with_label_values(&[reason.as_str()]);
            counter.inc_by(0);
        }
        let reasons = RejectReason::ALL.into_iter().map(RejectReason::as_str);
        for reason in reasons.chain([UNSUPPORTED]) {
            http.events_refused.with_label_values(&[reason]).inc_by(0);
        }
        for reason in Closed::ALL {
            let counter = http
                .connections_closed
                .with_label_values(&[reason.as_str()]);
            counter.inc_by(0);
        }
        for holding in Holding::ALL {
            http.bytes_held
                .with_label_values(&[holding.as_str()])
                .set(0);
        }
        Self(metrics)
    }
}

impl Meter for HttpMeter {
    fn requests_changed(&self, change: i64) {
        self.0.http.requests_in_progress.add(change);
    }

    fn answered(&self, route: &str, class: &'static str) {
        let counter = self.0.http.requests.with_label_values(&[route, class]);
        counter.inc();
    }

    fn refused(&self, reason: Refused) {
        let refused = &self.0.http.requests_refused;
        refused.with_label_values(&[reason.as_str()]).inc();
    }

    fn connection_opened(&self) {
        self.0.http.connections.inc();
    }

    fn connection_closed(&self, reason: Closed) {
        self.0.http.connections.dec();
        let closed = &self.0.http.connections_closed;
        closed.with_label_values(&[reason.as_str()]).inc();
    }

    fn accept_failed(&self) {
        self.0.http.accept_failures.inc();
    }

    fn bytes_changed(&self, holding: Holding, change: i64) {
        let held = &self.0.http.bytes_held;
        held.with_label_values(&[holding.as_str()]).add(change);
    }
}
