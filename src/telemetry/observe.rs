//! One function per event: its log line and its metrics together. Events are counted by the
//! transaction, not one by one.

use std::path::Path;
use std::time::Duration;

use crate::domain::churn::RiskBand;
use crate::telemetry::metrics::Metrics;

/// Another process holds the directory of the stores.
pub fn waiting_for_directory(path: &Path, patience: Duration) {
    let seconds = patience.as_secs();
    tracing::warn!(path = %path.display(), seconds, "waiting for the process that holds the directory");
}

/// Deliveries of a committed transaction ended in a verdict.
pub fn verdicts(metrics: &Metrics, event_type: &str, outcome: &str, deliveries: u64) {
    metrics
        .deliveries
        .events
        .with_label_values(&[event_type, outcome])
        .inc_by(deliveries);
}

/// Deliveries of a committed transaction broke a rule.
pub fn rejected(metrics: &Metrics, reason: &str, deliveries: u64) {
    metrics
        .deliveries
        .events_rejected
        .with_label_values(&[reason])
        .inc_by(deliveries);
    tracing::debug!(reason, deliveries, "deliveries rejected");
}

/// Deliveries of a committed transaction have a record time that is too far ahead of the wall clock to be used.
pub fn record_times_ahead(metrics: &Metrics, deliveries: u64) {
    if deliveries == 0 {
        return;
    }
    if metrics.deliveries.record_times_ahead.get() == 0 {
        tracing::warn!(
            "there are events whose record time is too far ahead of the wall clock: it moves no clock; \
             segstream_record_times_ahead_total counts them"
        );
    }
    metrics.deliveries.record_times_ahead.inc_by(deliveries);
}

/// The wall clock has jumped by so many seconds, or agrees again with the time that has passed.
pub fn wall_turned(metrics: &Metrics, ahead_seconds: Option<i64>) {
    metrics.clock_held.set(i64::from(ahead_seconds.is_some()));
    match ahead_seconds {
        Some(ahead_seconds) => tracing::warn!(
            ahead_seconds,
            "the wall clock has jumped by more than time.jump_max against the time since the machine was started: the \
             clocks of the partitions stand still until it agrees again; if it is right, restart this instance"
        ),
        None => tracing::info!("the wall clock agrees again: the clocks of the partitions go on"),
    }
}

/// The wall clock does not fit that of the last transaction of a partition, and is trusted.
pub fn wall_misfit(partition: u32, misfit: &dyn std::error::Error) {
    tracing::warn!(partition, %misfit, "the wall clock is trusted");
}

/// The deliveries of one poll were folded.
pub fn processed(metrics: &Metrics, seconds: f64, deliveries: usize) {
    if let Ok(deliveries) = u32::try_from(deliveries.max(1)) {
        metrics
            .deliveries
            .event_processing_seconds
            .observe(seconds / f64::from(deliveries));
    }
}

/// A transaction was committed and applied.
pub fn committed(metrics: &Metrics, seconds: f64, deliveries: u64, changes: u64) {
    metrics
        .deliveries
        .transactions
        .with_label_values(&["committed"])
        .inc();
    metrics.deliveries.commit_seconds.observe(seconds);
    tracing::trace!(seconds, deliveries, changes, "transaction committed");
}

/// A transaction was aborted, or its outcome is unknown.
pub fn commit_failed(metrics: &Metrics, is_aborted: bool) {
    let outcome = if is_aborted { "aborted" } else { "unknown" };
    metrics
        .deliveries
        .transactions
        .with_label_values(&[outcome])
        .inc();
    tracing::warn!(
        outcome,
        "a commit failed; every partition goes back to its checkpoint"
    );
}

/// It is known what became of a transaction whose outcome was unknown.
pub fn decided(metrics: &Metrics, outcome: &str) {
    metrics
        .deliveries
        .unknown_transactions
        .with_label_values(&[outcome])
        .inc();
    tracing::info!(outcome, "a transaction of unknown outcome is decided");
}

/// Applied deliveries of a transaction became visible this long after they arrived.
pub fn end_to_end(metrics: &Metrics, seconds: impl Iterator<Item = f64>) {
    let latencies = metrics.deliveries.end_to_end_latency_seconds.local();
    for waited in seconds {
        latencies.observe(waited);
    }
}

/// A customer moved.
pub fn transition(metrics: &Metrics, from: Option<&str>, to: &str, reason: &str, confidence: f64) {
    let from = from.unwrap_or("none");
    metrics
        .segment_transitions
        .with_label_values(&[from, to, reason])
        .inc();
    metrics
        .assignment_confidence
        .with_label_values(&[to])
        .observe(confidence);
}

/// A segment of the owned partitions has more or fewer customers of a band of churn risk.
pub fn customers_moved(metrics: &Metrics, segment: &str, band: Option<RiskBand>, customers: i64) {
    metrics
        .customers
        .with_label_values(&[segment])
        .add(customers);
    if let Some(band) = band {
        metrics
            .churn_risk_customers
            .with_label_values(&[segment, band.as_str()])
            .add(customers);
    }
}

/// More or fewer customers of the owned partitions have a deadline.
pub fn deadlines_moved(metrics: &Metrics, customers: i64) {
    metrics.deadlines_pending.add(customers);
}

/// How far a partition's clock is beyond its earliest deadline.
pub fn deadline_lag(metrics: &Metrics, partition: u32, seconds: f64) {
    metrics.note_deadline_lag(partition, Some(seconds));
}

/// Input records of a partition that are not committed.
pub fn lag(metrics: &Metrics, partition: u32, records: u64) {
    let records = i64::try_from(records).unwrap_or(i64::MAX);
    metrics
        .deliveries
        .consumer_lag_records
        .with_label_values(&[&partition.to_string()])
        .set(records);
}

/// Deliveries of a partition were committed.
pub fn last_event(metrics: &Metrics, partition: u32, wall_seconds: f64) {
    metrics
        .deliveries
        .last_event_timestamp_seconds
        .with_label_values(&[&partition.to_string()])
        .set(wall_seconds);
}

/// The state was made without comparing the partition of each event with that of its key.
pub fn partitions_unchecked() {
    tracing::warn!(
        "input.partitioner is unchecked: a customer whose events are on two partitions gets two records"
    );
}

/// Partitions were assigned to a worker.
pub fn assigned(metrics: &Metrics, partitions: usize) {
    metrics.partitions.rebalances.inc();
    tracing::info!(partitions, "partitions assigned");
}

/// Partitions were taken from a worker.
pub fn revoked(metrics: &Metrics, partitions: usize) {
    metrics.partitions.rebalances.inc();
    tracing::info!(partitions, "partitions revoked");
}

/// A partition belongs to another worker now: removes its gauges.
pub fn let_go(metrics: &Metrics, partition: u32) {
    let label = partition.to_string();
    // A gauge that was never set is not there to remove.
    for gauges in [
        &metrics.deliveries.consumer_lag_records,
        &metrics.partitions.restore_remaining_records,
    ] {
        drop(gauges.remove_label_values(&[&label]));
    }
    metrics.partitions.count_store_bytes(partition, None);
    metrics.note_deadline_lag(partition, None);
    drop(
        metrics
            .deliveries
            .last_event_timestamp_seconds
            .remove_label_values(&[&label]),
    );
}

/// A partition's restore begins.
pub fn restore_started(metrics: &Metrics, partition: u32, remaining: u64) {
    restore_progress(metrics, partition, remaining);
    tracing::debug!(partition, remaining, "partition restore started");
}

/// A chunk of a partition's changelog was restored.
pub fn restore_progress(metrics: &Metrics, partition: u32, remaining: u64) {
    let remaining = i64::try_from(remaining).unwrap_or(i64::MAX);
    metrics
        .partitions
        .restore_remaining_records
        .with_label_values(&[&partition.to_string()])
        .set(remaining);
}

/// A partition was restored and runs.
pub fn restore_finished(metrics: &Metrics, partition: u32, records: u64, seconds: f64) {
    // Set even where there was nothing to restore, so that every owned partition has its gauge.
    restore_progress(metrics, partition, 0);
    metrics.partitions.restore_seconds.observe(seconds);
    tracing::debug!(partition, records, seconds, "partition restored");
}

/// A partition does not run yet: partition 0 decides about rates that the settings have and its state has not.
pub fn waiting_for_rates(partition: u32) {
    tracing::info!(
        partition,
        "money.rates has a rate that the state has not: waiting until partition 0 is committed with it"
    );
}

/// A store could not be trusted, and is restored in full from the log.
pub fn cache_wiped(metrics: &Metrics, partition: u32, reason: &str) {
    metrics
        .partitions
        .state_cache_wipes
        .with_label_values(&[reason])
        .inc();
    tracing::warn!(partition, reason, "store wiped, restoring it from the log");
}

/// The group's offset differs from the checkpoint's; the checkpoint counts.
pub fn offset_mismatch(metrics: &Metrics, partition: u32) {
    metrics.partitions.offset_state_mismatch.inc();
    tracing::warn!(
        partition,
        "group offset differs from the checkpoint; the checkpoint counts"
    );
}

/// The size of a store was read.
pub fn store_bytes(metrics: &Metrics, partition: u32, bytes: u64) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    metrics.partitions.count_store_bytes(partition, Some(bytes));
}

/// A worker's thread started.
pub fn worker_started(worker: usize) {
    tracing::debug!(worker, "worker started");
}

/// A worker's thread ended.
pub fn worker_stopped(worker: usize, is_clean: bool) {
    tracing::debug!(worker, is_clean, "worker stopped");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_and_reasons_start_at_zero() {
        let page = Metrics::new(&["premium-loyal"]).unwrap().render().unwrap();
        for line in [
            "segstream_customers{segment=\"premium-loyal\"} 0",
            "segstream_churn_risk_customers{band=\"medium\",segment=\"premium-loyal\"} 0",
            "segstream_events_rejected_total{reason=\"too_old\"} 0",
            "segstream_store_bytes 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in {page}");
        }
    }

    #[test]
    fn two_sets_of_metrics_know_nothing_of_each_other() {
        let (first, second) = (Metrics::new(&["a"]).unwrap(), Metrics::new(&["a"]).unwrap());
        customers_moved(&first, "a", Some(RiskBand::High), 3);
        assert!(
            first
                .render()
                .unwrap()
                .contains("segstream_customers{segment=\"a\"} 3")
        );
        let line = "segstream_churn_risk_customers{band=\"high\",segment=\"a\"} 3";
        assert!(first.render().unwrap().contains(line));
        assert!(
            second
                .render()
                .unwrap()
                .contains("segstream_customers{segment=\"a\"} 0")
        );
    }

    #[test]
    fn a_first_assignment_comes_from_none() {
        let metrics = Metrics::new(&["a"]).unwrap();
        transition(&metrics, None, "a", "order", 0.5);
        let line = "segstream_segment_transitions_total{from=\"none\",reason=\"order\",to=\"a\"} 1";
        let page = metrics.render().unwrap();
        assert!(page.contains(line), "{page}");
    }

    #[test]
    fn the_gauges_of_a_partition_go_when_it_is_let_go() {
        let metrics = Metrics::new(&[]).unwrap();
        for (partition, bytes) in [(0, 100), (1, 20)] {
            restore_started(&metrics, partition, 7);
            restore_finished(&metrics, partition, 7, 0.1);
            lag(&metrics, partition, 5);
            last_event(&metrics, partition, 1.0);
            store_bytes(&metrics, partition, bytes);
        }
        assert_eq!(metrics.partitions.store_bytes.get(), 120);
        // A size that is read again replaces the one before: 100 + 30.
        store_bytes(&metrics, 1, 30);
        assert_eq!(metrics.partitions.store_bytes.get(), 130);
        let_go(&metrics, 0);
        let page = metrics.render().unwrap();
        assert!(!page.contains("partition=\"0\""), "{page}");
        assert!(
            page.contains("segstream_restore_remaining_records{partition=\"1\"} 0"),
            "{page}"
        );
        assert!(page.contains("segstream_store_bytes 30"), "{page}");
    }
}
