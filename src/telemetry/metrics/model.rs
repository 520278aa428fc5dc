//! The model in use and the version of the program.

use prometheus::Gauge;
use prometheus::GaugeVec;
use prometheus::IntGaugeVec;

use crate::telemetry::metrics::registrar::Registrar;

/// Facts of the model in use, for the metrics.
#[derive(Clone, Copy, Debug)]
pub struct DescribedModel<'a> {
    /// Its version.
    pub version: &'a str,
    /// Its number of segments.
    pub k: usize,
    /// The basis of churn risk: `fitted`, `example`, `prior`, `silence` or `none`.
    pub churn: &'a str,
    /// When it was trained, in milliseconds since the epoch.
    pub trained_at_ms: i64,
    /// Mean silhouette of its training rows.
    pub silhouette: Option<f64>,
}

/// The model in use and the version of the program.
#[derive(Debug)]
pub struct ModelMetrics {
    /// 1 for the model in use; the label `churn` is the basis of its churn risk.
    pub model_info: IntGaugeVec,
    /// When the model in use was trained. Alert on its age.
    pub model_trained_timestamp_seconds: Gauge,
    /// Mean silhouette of the training rows of the model in use; absent where it is not known.
    pub model_silhouette: GaugeVec,
    /// 1 for the version of the program.
    pub build_info: IntGaugeVec,
}

impl ModelMetrics {
    pub(super) fn new(new: Registrar<'_>) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            model_info: new.gauges("model_info", "The model in use", &["version", "k", "churn"])?,
            model_trained_timestamp_seconds: new.gauge(
                "model_trained_timestamp_seconds",
                "When the model in use was trained",
            )?,
            model_silhouette: new.optional_gauge(
                "model_silhouette",
                "Mean silhouette of the model's training rows",
            )?,
            build_info: new.gauges("build_info", "The version of the program", &["version"])?,
        };
        metrics
            .build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        Ok(metrics)
    }

    /// Sets the metrics of the model in use.
    pub fn describe(&self, model: &DescribedModel<'_>) {
        let DescribedModel {
            version,
            k,
            churn,
            trained_at_ms,
            silhouette,
        } = *model;
        if let Some(silhouette) = silhouette.filter(|silhouette| silhouette.is_finite()) {
            self.model_silhouette
                .with_label_values::<&str>(&[])
                .set(silhouette);
        }
        self.model_info
            .with_label_values(&[version, &k.to_string(), churn])
            .set(1);
        #[expect(clippy::cast_precision_loss, reason = "a time in seconds")]
        self.model_trained_timestamp_seconds
            .set(trained_at_ms as f64 / 1000.0);
    }
}
