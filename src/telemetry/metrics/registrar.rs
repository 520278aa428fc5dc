//! How a metric is made and registered under the service's name.

use prometheus::Gauge;
use prometheus::GaugeVec;
use prometheus::Histogram;
use prometheus::HistogramOpts;
use prometheus::IntCounter;
use prometheus::IntCounterVec;
use prometheus::IntGaugeVec;
use prometheus::Opts;
use prometheus::Registry;
use prometheus::core::Collector;

const NAMESPACE: &str = "segstream";
pub(super) const SECONDS_SHORT: &[f64] = &[
    0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.001, 0.01,
];
pub(super) const SECONDS_LONG: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];
pub(super) const SHARES: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Registers what it makes.
#[derive(Clone, Copy)]
pub(super) struct Registrar<'a> {
    pub(super) registry: &'a Registry,
}

impl Registrar<'_> {
    pub(super) fn register<C: Collector + Clone + 'static>(
        self,
        metric: C,
    ) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    pub(super) fn counter(self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::with_opts(options(name, help))?)
    }

    pub(super) fn counters(
        self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(options(name, help), labels)?)
    }

    pub(super) fn gauges(
        self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(options(name, help), labels)?)
    }

    /// A gauge that is not shown until it has a value.
    pub(super) fn optional_gauge(
        self,
        name: &str,
        help: &str,
    ) -> Result<GaugeVec, prometheus::Error> {
        self.register(GaugeVec::new(options(name, help), &[])?)
    }

    pub(super) fn gauge(self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.register(Gauge::with_opts(options(name, help))?)
    }

    pub(super) fn histogram(
        self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, prometheus::Error> {
        self.register(Histogram::with_opts(histogram_options(
            name, help, buckets,
        ))?)
    }
}

pub(super) fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}

pub(super) fn histogram_options(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(name, help)
        .namespace(NAMESPACE)
        .buckets(buckets.to_vec())
}
