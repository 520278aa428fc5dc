//! Assignments, restores and the stores of owned partitions.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use prometheus::Histogram;
use prometheus::IntCounter;
use prometheus::IntCounterVec;
use prometheus::IntGauge;
use prometheus::IntGaugeVec;

use crate::telemetry::metrics::registrar::Registrar;
use crate::telemetry::metrics::registrar::SECONDS_LONG;
use crate::telemetry::metrics::registrar::options;

/// Assignments, restores and the stores of owned partitions.
#[derive(Debug)]
pub struct Partitions {
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
}

impl Partitions {
    pub(super) fn new(new: Registrar<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
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
        })
    }

    /// Counts a partition's store as `bytes`, or not at all; the gauge is the sum.
    pub(in crate::telemetry) fn count_store_bytes(&self, partition: u32, bytes: Option<i64>) {
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
}
