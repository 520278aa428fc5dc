//! The summary of a run: events, changes, verdicts and customers by segment.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use crate::cli::findings::Input;
use crate::cli::findings::NotApplied;
use crate::cli::findings::Rejection;
use crate::cli::findings::UnknownFields;
use crate::cli::findings::not_applied;
use crate::cli::findings::print_not_applied;
use crate::cli::findings::print_rejections;
use crate::cli::findings::rejections;
use crate::domain::counted::counted;
use crate::pipeline::Shared;
use crate::pipeline::findings::Findings;
use crate::pipeline::partitions::Phase;
use crate::pipeline::unknown_names::Named;

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
    /// Rejected events by reason.
    pub rejections: Vec<Rejection>,
    /// Events of other verdicts that changed no customer.
    pub not_applied: Vec<NotApplied>,
    /// Fields that no event has, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_fields: Option<UnknownFields>,
    /// Rows of the file that an earlier, interrupted run had sent.
    #[serde(skip_serializing_if = "is_zero")]
    pub taken_before: u64,
    /// Events that were in the log before the file, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_log_before: Option<InLogBefore>,
    /// Customers by segment.
    pub segments: BTreeMap<String, u64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Events that were in the log before a file was replayed, and were not processed yet.
#[derive(Clone, Debug, Serialize)]
pub struct InLogBefore {
    /// How many.
    pub events: u64,
    /// The rejected ones by reason.
    pub rejections: Vec<Rejection>,
    /// Those of other verdicts that changed no customer.
    pub not_applied: Vec<NotApplied>,
}

impl InLogBefore {
    fn of(shared: &Shared) -> Option<Self> {
        let events = shared.tally.counts().elsewhere;
        let findings = shared.tally.findings_elsewhere();
        let input = Input::Log(&shared.topics);
        (events > 0).then(|| Self {
            events,
            rejections: rejections(&findings, input),
            not_applied: not_applied(&findings, input),
        })
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let events = self.events;
        writeln!(
            out,
            "{} in the log before this file and not processed yet; the counts above have {} too",
            counted(events, "event was", "events were"),
            if events == 1 { "it" } else { "them" }
        )?;
        if !self.rejections.is_empty() {
            writeln!(out, "rejected of these, by reason")?;
            print_rejections(out, &self.rejections)?;
        }
        if !self.not_applied.is_empty() {
            writeln!(out, "not applied of these")?;
            print_not_applied(out, &self.not_applied)?;
        }
        Ok(())
    }
}

impl Summary {
    /// Reads the counts as of the last transaction, with the places of events in the log.
    #[must_use]
    pub fn of(shared: &Shared) -> Self {
        let (findings, unknown) = (shared.tally.findings(), shared.tally.unknown_names());
        let input = Input::Log(&shared.topics);
        Self::of_findings(shared, (&findings, &unknown), input)
    }

    /// The same with these findings and their places.
    #[must_use]
    pub fn of_findings(
        shared: &Shared,
        (findings, unknown): (&Findings, &[Named]),
        input: Input<'_>,
    ) -> Self {
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
            rejections: rejections(findings, input),
            not_applied: not_applied(findings, input),
            unknown_fields: UnknownFields::of(counts.unknown_fields, unknown, input),
            taken_before: 0,
            in_log_before: InLogBefore::of(shared),
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
        self.print_findings(&mut out)?;
        writeln!(out, "customers by segment")?;
        for (segment, customers) in &self.segments {
            writeln!(out, "  {segment:<36} {customers:>10}")?;
        }
        Ok(())
    }

    fn print_findings(&self, out: &mut impl Write) -> std::io::Result<()> {
        if !self.rejections.is_empty() {
            writeln!(out, "rejected, by reason")?;
            print_rejections(out, &self.rejections)?;
        }
        if !self.not_applied.is_empty() {
            writeln!(out, "not applied")?;
            print_not_applied(out, &self.not_applied)?;
        }
        if let Some(unknown) = &self.unknown_fields {
            unknown.print(out)?;
        }
        if self.taken_before > 0 {
            let events = counted(self.taken_before, "event", "events");
            writeln!(
                out,
                "{events} of the file had been processed by an earlier run, which was interrupted: the rejected ones are \
                 listed above, the other verdicts are not"
            )?;
        }
        if let Some(before) = &self.in_log_before {
            before.print(out)?;
        }
        let applied = self.verdicts.get("applied").copied().unwrap_or(0);
        let duplicates = self.verdicts.get("duplicate").copied().unwrap_or(0);
        if applied == 0 && duplicates > 0 {
            let taken = counted(
                duplicates,
                "event or order with this id was",
                "events or orders with these ids were",
            );
            writeln!(
                out,
                "nothing was applied: {taken} taken before; the contents were not compared, so corrected amounts are not \
                 taken either"
            )?;
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
