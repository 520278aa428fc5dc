//! The progress of a replay.

use std::io::IsTerminal;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;

/// Where standard error is not a terminal, a progress line is printed this often.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// A progress bar on a terminal, plain lines otherwise.
pub(super) struct Progress {
    bar: ProgressBar,
    pub(super) total: usize,
    is_terminal: bool,
    reported_at: Instant,
}

impl Progress {
    pub(super) fn new(total: usize, done: usize) -> anyhow::Result<Self> {
        let bar = ProgressBar::new(u64::try_from(total)?);
        bar.set_style(ProgressStyle::with_template(
            "{bar:40} {pos}/{len} events, {per_sec}",
        )?);
        bar.set_position(u64::try_from(done)?);
        Ok(Self {
            bar,
            total,
            is_terminal: std::io::stderr().is_terminal(),
            reported_at: Instant::now(),
        })
    }

    pub(super) fn at(&mut self, done: usize) -> anyhow::Result<()> {
        self.bar.set_position(u64::try_from(done)?);
        if !self.is_terminal && self.reported_at.elapsed() >= REPORT_INTERVAL {
            self.reported_at = Instant::now();
            let total = self.total;
            writeln!(std::io::stderr(), "replayed {done} of {total} events")?;
        }
        Ok(())
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
