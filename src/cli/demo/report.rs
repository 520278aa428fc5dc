//! What a demo shows while it runs.

use std::io::IsTerminal;
use std::io::Write;

use crate::cli::summary::customers_by_segment;
use crate::domain::time::Timestamp;
use crate::pipeline::Shared;

/// The longest bar, in characters.
const BAR_CHARACTERS: u64 = 30;

/// Shows the shop's time, the counts and the customers by segment: on a terminal as bars over the previous ones, which
/// took this many lines, otherwise as one plain line. Returns the lines of the bars.
pub(super) fn report(shared: &Shared, now: Timestamp, lines_drawn: usize) -> anyhow::Result<usize> {
    let mut out = std::io::stderr().lock();
    let counts = shared.tally.counts();
    let segments = customers_by_segment(shared);
    let customers: u64 = segments.values().sum();
    let head = format!(
        "shop {now}  events {}  changes {}  by time {}  customers {customers}",
        counts.events, counts.changes, counts.time_changes
    );
    if !out.is_terminal() {
        write!(out, "{head}")?;
        for (segment, customers) in &segments {
            write!(out, "  {segment} {customers}")?;
        }
        writeln!(out)?;
        return Ok(0);
    }
    if lines_drawn > 0 {
        write!(out, "\x1b[{lines_drawn}A\x1b[J")?;
    }
    writeln!(out, "{head}")?;
    let most = segments.values().copied().max().unwrap_or(0).max(1);
    for (segment, customers) in &segments {
        let width = usize::try_from(customers * BAR_CHARACTERS / most).unwrap_or(0);
        writeln!(out, "  {segment:<36} {customers:>8} {}", "#".repeat(width))?;
    }
    Ok(segments.len() + 1)
}
