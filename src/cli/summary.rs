//! The summary of a run: events, changes, verdicts and customers by segment.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use crate::pipeline::Shared;
use crate::pipeline::partitions::Phase;

/// The summary of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Deliveries committed.
    pub events: u64,
    /// Changes published.
    pub changes: u64,
    /// Evaluations of customers because of time alone.
    pub time_evaluations: u64,
    /// Changes by time alone.
    pub time_changes: u64,
    /// Deliveries by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Customers by segment.
    pub segments: BTreeMap<String, u64>,
}

impl Summary {
    /// Reads the counts as of the last transaction.
    #[must_use]
    pub fn of(shared: &Shared) -> Self {
        let counts = shared.tally.counts();
        let verdicts = counts
            .verdicts
            .iter()
            .map(|(outcome, deliveries)| (outcome.as_str().to_owned(), *deliveries));
        Self {
            events: counts.events,
            changes: counts.changes,
            time_evaluations: counts.time_evaluations,
            time_changes: counts.time_changes,
            verdicts: verdicts.collect(),
            segments: customers_by_segment(shared),
        }
    }

    /// Prints it: one JSON object, or plain lines.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            serde_json::to_writer(&mut out, self)?;
            writeln!(out)?;
            return Ok(());
        }
        writeln!(out, "events   {:>10}", self.events)?;
        writeln!(out, "changes  {:>10}", self.changes)?;
        writeln!(out, "  by time {:>10}", self.time_changes)?;
        writeln!(out, "verdicts")?;
        for (verdict, deliveries) in &self.verdicts {
            writeln!(out, "  {verdict:<36} {deliveries:>10}")?;
        }
        writeln!(out, "customers by segment")?;
        for (segment, customers) in &self.segments {
            writeln!(out, "  {segment:<36} {customers:>10}")?;
        }
        Ok(())
    }
}

/// Customers by segment over all running partitions; every segment of the model is there.
#[must_use]
pub fn customers_by_segment(shared: &Shared) -> BTreeMap<String, u64> {
    let segments = shared.model.segments().iter();
    let mut counts: BTreeMap<String, u64> = segments
        .map(|segment| (segment.id.to_string(), 0))
        .collect();
    for phase in shared.partitions.visible().values() {
        let Phase::Running(store) = phase else {
            continue;
        };
        let table = store.table();
        for (group, customers) in store.customers() {
            // An entry is never written without the table that has its names.
            if let Some(segment) = table.segment(group.segment) {
                *counts.entry(segment.to_string()).or_default() += customers;
            }
        }
    }
    counts
}
