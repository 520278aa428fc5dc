//! The closed list of metrics. docs/METRICS.md explains each.
//!
//! Gauges count owned partitions only, and a partition's part is subtracted when it is revoked, so a sum over
//! instances is right. Labels come from enums and the model, never from events.

pub mod deliveries;
pub mod http;
pub mod model;
pub mod partitions;
mod registrar;

pub use crate::telemetry::metrics::model::DescribedModel;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use prometheus::Encoder;
use prometheus::Gauge;
use prometheus::HistogramVec;
use prometheus::IntCounterVec;
use prometheus::IntGauge;
use prometheus::IntGaugeVec;
use prometheus::Registry;
use prometheus::TextEncoder;
use prometheus::process_collector::ProcessCollector;

use crate::domain::churn::RiskBand;
use crate::domain::event::RejectReason;
use crate::telemetry::metrics::deliveries::Deliveries;
use crate::telemetry::metrics::http::HttpMetrics;
use crate::telemetry::metrics::model::ModelMetrics;
use crate::telemetry::metrics::partitions::Partitions;
use crate::telemetry::metrics::registrar::Registrar;
use crate::telemetry::metrics::registrar::SHARES;
use crate::telemetry::metrics::registrar::histogram_options;
use crate::telemetry::metrics::registrar::options;

/// Every metric of the service, with a registry of its own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Deliveries and the transactions that commit them.
    pub deliveries: Deliveries,
    /// Assignments, restores and stores.
    pub partitions: Partitions,
    /// Requests and connections.
    pub http: HttpMetrics,
    /// The model in use and the version of the program.
    pub model: ModelMetrics,
    /// Customers by segment, of the owned partitions. Alert when one moves by 25 % in a day.
    pub customers: IntGaugeVec,
    /// Moves by segments and reason; `from` is `none` for a first assignment. Alert on a storm.
    pub segment_transitions: IntCounterVec,
    /// Customers by segment and band of churn risk. Alert when the number at high risk jumps.
    pub churn_risk_customers: IntGaugeVec,
    /// 1 while the wall clock has jumped and the clocks of the partitions stand still. Alert on it.
    pub clock_held: IntGauge,
    /// Customers with a pending deadline.
    pub deadlines_pending: IntGauge,
    /// How late the earliest deadline is that is due and not evaluated; on the event clock, how long ago the clock
    /// passed it. Alert when it stays above a minute.
    pub deadline_lag_seconds: Gauge,
    deadline_lag_by_partition: Mutex<BTreeMap<u32, f64>>,
    /// Confidence of each move, 0 to 1, by the segment entered. If it stays low, train again.
    pub assignment_confidence: HistogramVec,
}

impl Metrics {
    /// Registers everything; each segment starts at 0 customers and each rule at 0 rejections.
    ///
    /// # Errors
    /// If a metric cannot be registered.
    pub fn new(segment_ids: &[&str]) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let new = Registrar {
            registry: &registry,
        };
        let metrics = Self {
            deliveries: Deliveries::new(new)?,
            partitions: Partitions::new(new)?,
            http: HttpMetrics::new(new)?,
            model: ModelMetrics::new(new)?,
            customers: new.gauges("customers", "Customers by segment", &["segment"])?,
            segment_transitions: new.counters(
                "segment_transitions_total",
                "Moves between segments by reason",
                &["from", "to", "reason"],
            )?,
            churn_risk_customers: new.gauges(
                "churn_risk_customers",
                "Customers by segment and band of churn risk",
                &["segment", "band"],
            )?,
            clock_held: new.register(IntGauge::with_opts(options(
                "clock_held",
                "1 while the wall clock has jumped and the partition clocks stand still",
            ))?)?,
            deadlines_pending: new.register(IntGauge::with_opts(options(
                "deadlines_pending",
                "Customers with a pending deadline",
            ))?)?,
            deadline_lag_seconds: new.gauge(
                "deadline_lag_seconds",
                "How late the earliest deadline is that is due and not evaluated",
            )?,
            deadline_lag_by_partition: Mutex::default(),
            assignment_confidence: new.register(HistogramVec::new(
                histogram_options(
                    "assignment_confidence",
                    "Confidence of each move, by the segment entered",
                    SHARES,
                ),
                &["segment"],
            )?)?,
            registry,
        };
        metrics
            .registry
            .register(Box::new(ProcessCollector::for_self()))?;
        metrics.start_at_zero(segment_ids);
        Ok(metrics)
    }

    fn start_at_zero(&self, segment_ids: &[&str]) {
        for segment in segment_ids {
            self.customers.with_label_values(&[segment]).set(0);
            for band in RiskBand::ALL {
                self.churn_risk_customers
                    .with_label_values(&[segment, band.as_str()])
                    .set(0);
            }
        }
        for reason in RejectReason::ALL {
            self.deliveries
                .events_rejected
                .with_label_values(&[reason.as_str()])
                .inc_by(0);
        }
        for outcome in ["committed", "aborted", "unknown"] {
            self.deliveries
                .transactions
                .with_label_values(&[outcome])
                .inc_by(0);
        }
        for outcome in ["committed", "aborted", "undetermined"] {
            self.deliveries
                .unknown_transactions
                .with_label_values(&[outcome])
                .inc_by(0);
        }
    }

    /// Sets the metrics of the model in use.
    pub fn describe_model(&self, model: &DescribedModel<'_>) {
        self.model.describe(model);
    }

    /// Sets or removes a partition's deadline lag; the gauge is the greatest over the partitions.
    pub(super) fn note_deadline_lag(&self, partition: u32, seconds: Option<f64>) {
        let mut lags = self
            .deadline_lag_by_partition
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match seconds {
            Some(seconds) => lags.insert(partition, seconds),
            None => lags.remove(&partition),
        };
        let greatest = lags.values().copied().fold(0.0, f64::max);
        self.deadline_lag_seconds.set(greatest);
    }

    /// All metrics in the Prometheus text format.
    ///
    /// # Errors
    /// If a metric cannot be written.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut page = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut page)?;
        Ok(String::from_utf8_lossy(&page).into_owned())
    }
}
