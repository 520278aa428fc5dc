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
    /// Sources of partitions whose group offset differed from the checkpoint when they were assigned. Alert on any.
    pub offset_state_mismatch: IntCounter,
    /// Changelog records still to be restored. Alert when it does not fall.
    pub restore_remaining_records: IntGaugeVec,
    /// Seconds of a partition's restore. Alert when it is longer than a restart may take.
    pub restore_seconds: Histogram,
    /// Assignments and revocations of any worker. Alert when they do not stop.
    pub rebalances: IntCounter,
    /// Stores that were removed and restored in full. Alert on any: the disk may be failing.
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
                "Sources of partitions whose group offset differed from the checkpoint when they were assigned",
            )?,
            restore_remaining_records: new.gauges(
                "restore_remaining_records",
                "Changelog records still to be restored",
                &["partition"],
            )?,
            restore_seconds: new.histogram(
                "restore_seconds",
                "Seconds of a partition's restore",
                SECONDS_LONG,
            )?,
            rebalances: new.counter("rebalances_total", "Assignments and revocations of partitions to a worker")?,
            state_cache_wipes: new.counters(
                "state_cache_wipes_total",
                "Stores that were removed and restored in full",
                &["reason"],
            )?,
            store_bytes: new.register(IntGauge::with_opts(options(
                "store_bytes",
                "Size on disk of the stores of the owned partitions",
            ))?)?,
            store_bytes_by_partition: Mutex::default(),
        })
    }

    /// Counts a partition's store as `bytes`, or not at all; the gauge is the sum.
    pub(in crate::telemetry) fn count_store_bytes(&self, partition: u32, bytes: Option<i64>) {
        // An entry is written whole, so a panic of another thread leaves nothing half-written.
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
