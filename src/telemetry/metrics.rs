//! The closed list of metrics. docs/METRICS.md explains each.
//!
//! Gauges count owned partitions only and are taken back on revoke, so a sum over instances is
//! right. Labels come from enums and the model, never from events.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use prometheus::Encoder;
use prometheus::Gauge;
use prometheus::GaugeVec;
use prometheus::Histogram;
use prometheus::HistogramOpts;
use prometheus::HistogramVec;
use prometheus::IntCounter;
use prometheus::IntCounterVec;
use prometheus::IntGauge;
use prometheus::IntGaugeVec;
use prometheus::Opts;
use prometheus::Registry;
use prometheus::TextEncoder;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;

use crate::domain::churn::RiskBand;
use crate::domain::event::RejectReason;

const NAMESPACE: &str = "segstream";
const SECONDS_SHORT: &[f64] = &[
    0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.001, 0.01,
];
const SECONDS_LONG: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];
const SHARES: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Every metric of the service, with a registry of its own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
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
    /// Customers by segment, of the owned partitions. Alert when one moves by 25 % in a day.
    pub customers: IntGaugeVec,
    /// Moves by segments and reason; `from` is `none` for a first assignment. Alert on a storm.
    pub segment_transitions: IntCounterVec,
    /// Customers by segment and band of churn risk. Alert when the high ones jump.
    pub churn_risk_customers: IntGaugeVec,
    /// Customers whom time alone will have looked at again.
    pub deadlines_pending: IntGauge,
    /// How late the earliest deadline is that has not been looked at; on the event clock, how long ago the clock
    /// passed it. Alert when it stays above a minute.
    pub deadline_lag_seconds: Gauge,
    deadline_lag_by_partition: Mutex<BTreeMap<u32, f64>>,
    /// How clear assignments were, 0 to 1, at each change, by new segment. Low: retrain.
    pub assignment_confidence: HistogramVec,
    /// Transactions by outcome: `committed`, `aborted` or `unknown`. Alert on the latter two.
    pub transactions: IntCounterVec,
    /// Partitions whose group offset differed from their checkpoint when assigned. Alert on any.
    pub offset_state_mismatch: IntCounter,
    /// Changelog records still to be restored. Alert when it does not fall.
    pub restore_remaining_records: IntGaugeVec,
    /// Seconds of a partition's restore. Alert when it exceeds what a restart may take.
    pub restore_seconds: Histogram,
    /// Assignments and revocations of any worker. Alert when they do not cease.
    pub rebalances: IntCounter,
    /// Stores thrown away and restored in full. Alert on any: the disk may be failing.
    pub state_cache_wipes: IntCounterVec,
    /// Bytes on disk of the owned partitions' stores. Alert on the share of the disk.
    pub store_bytes: IntGauge,
    store_bytes_by_partition: Mutex<BTreeMap<u32, i64>>,
    /// 1 for the model in use; the label `churn` says what its churn risk rests on.
    pub model_info: IntGaugeVec,
    /// When the model in use was trained. Alert on its age.
    pub model_trained_timestamp_seconds: Gauge,
    /// Mean silhouette of the training rows of the model in use; NaN where it is not known.
    pub model_silhouette: Gauge,
    /// 1 for the version of the program.
    pub build_info: IntGaugeVec,
}

/// What the metrics say of the model in use.
#[derive(Clone, Copy, Debug)]
pub struct DescribedModel<'a> {
    /// Its version.
    pub version: &'a str,
    /// Its number of segments.
    pub k: usize,
    /// What churn risk rests on: `fitted`, `example`, `prior`, `silence` or `none`.
    pub churn: &'a str,
    /// When it was trained, in milliseconds since the epoch.
    pub trained_at_ms: i64,
    /// Mean silhouette of its training rows.
    pub silhouette: Option<f64>,
}

impl Metrics {
    /// Registers everything; each segment starts at 0 customers and each rule at 0 rejections.
    ///
    /// # Errors
    /// If a metric cannot be registered.
    #[expect(clippy::too_many_lines, reason = "one flat literal: the closed list")]
    pub fn new(segment_ids: &[&str]) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let new = Registrar {
            registry: &registry,
        };
        let metrics = Self {
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
            customers: new.gauges("customers", "Customers by segment", &["segment"])?,
            segment_transitions: new.counters(
                "segment_transitions_total",
                "Moves between segments",
                &["from", "to", "reason"],
            )?,
            churn_risk_customers: new.gauges(
                "churn_risk_customers",
                "Customers by segment and band of churn risk",
                &["segment", "band"],
            )?,
            deadlines_pending: new.register(IntGauge::with_opts(options(
                "deadlines_pending",
                "Customers whom time alone will have looked at",
            ))?)?,
            deadline_lag_seconds: new.register(Gauge::with_opts(options(
                "deadline_lag_seconds",
                "How late the earliest deadline is that was not looked at",
            ))?)?,
            deadline_lag_by_partition: Mutex::default(),
            assignment_confidence: new.register(HistogramVec::new(
                histogram_options("assignment_confidence", "Confidence at each change", SHARES),
                &["segment"],
            )?)?,
            transactions: new.counters(
                "transactions_total",
                "Transactions by outcome",
                &["outcome"],
            )?,
            offset_state_mismatch: new.counter(
                "offset_state_mismatch_total",
                "Group offsets that differ from the checkpoint",
            )?,
            restore_remaining_records: new.gauges(
                "restore_remaining_records",
                "Changelog records to restore",
                &["partition"],
            )?,
            restore_seconds: new.histogram(
                "restore_seconds",
                "Seconds of a restore",
                SECONDS_LONG,
            )?,
            rebalances: new.counter("rebalances_total", "Assignments and revocations")?,
            state_cache_wipes: new.counters(
                "state_cache_wipes_total",
                "Stores thrown away",
                &["reason"],
            )?,
            store_bytes: new.register(IntGauge::with_opts(options(
                "store_bytes",
                "Bytes on disk",
            ))?)?,
            store_bytes_by_partition: Mutex::default(),
            model_info: new.gauges("model_info", "The model in use", &["version", "k", "churn"])?,
            model_trained_timestamp_seconds: new.register(Gauge::with_opts(options(
                "model_trained_timestamp_seconds",
                "When the model was trained",
            ))?)?,
            model_silhouette: new.register(Gauge::with_opts(options(
                "model_silhouette",
                "Mean silhouette of the model's training rows, NaN where it is not known",
            ))?)?,
            build_info: new.gauges("build_info", "The version of the program", &["version"])?,
            registry,
        };
        metrics
            .registry
            .register(Box::new(ProcessCollector::for_self()))?;
        metrics
            .build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
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
            self.events_rejected
                .with_label_values(&[reason.as_str()])
                .inc_by(0);
        }
        for outcome in ["committed", "aborted", "unknown"] {
            self.transactions.with_label_values(&[outcome]).inc_by(0);
        }
    }

    /// Says which model is in use.
    pub fn describe_model(&self, model: &DescribedModel<'_>) {
        let DescribedModel {
            version,
            k,
            churn,
            trained_at_ms,
            silhouette,
        } = *model;
        self.model_silhouette.set(silhouette.unwrap_or(f64::NAN));
        self.model_info
            .with_label_values(&[version, &k.to_string(), churn])
            .set(1);
        #[expect(clippy::cast_precision_loss, reason = "a time in seconds")]
        self.model_trained_timestamp_seconds
            .set(trained_at_ms as f64 / 1000.0);
    }

    /// Counts a partition's store as `bytes`, or not at all; the gauge is the sum.
    pub(super) fn count_store_bytes(&self, partition: u32, bytes: Option<i64>) {
        // A panic elsewhere leaves whole entries behind.
        let mut counted = self
            .store_bytes_by_partition
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match bytes {
            Some(bytes) => counted.insert(partition, bytes),
            None => counted.remove(&partition),
        };
        self.store_bytes.set(counted.values().sum());
    }

    /// Takes a partition's lag of deadlines in, or leaves it out; the gauge is the greatest.
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

struct Registrar<'a> {
    registry: &'a Registry,
}

impl Registrar<'_> {
    fn register<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::with_opts(options(name, help))?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(options(name, help), labels)?)
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(options(name, help), labels)?)
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, prometheus::Error> {
        self.register(Histogram::with_opts(histogram_options(
            name, help, buckets,
        ))?)
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}

fn histogram_options(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(name, help)
        .namespace(NAMESPACE)
        .buckets(buckets.to_vec())
}
