//! `--as-of`: as of when customers are shown. docs/COMMAND_LINE.md, As of when.

use crate::cli::common::parse_instant;
use crate::cli::exit::CallError;
use crate::domain::time::Timestamp;
use crate::pipeline::partition::clock::WallClock;
use crate::view::as_of::AsOf;

/// As of when.
#[derive(Debug, clap::Args)]
pub(super) struct AsOfArgs {
    /// As of when features, confidence, churn risk and next_change_at are shown: `clock` (the clock of the customer's
    /// partition), `now` (the wall clock), `evaluated` (the customer's last evaluation), or an instant such as
    /// 2026-01-31T00:00:00Z. Segment and sequence are as they were committed.
    #[arg(long, value_name = "WHEN", default_value = "clock", value_parser = parse)]
    as_of: Asked,
}

/// What was asked for; the wall clock is read when the command runs.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Clock,
    Now,
    Evaluated,
    Instant(Timestamp),
}

fn parse(text: &str) -> Result<Asked, String> {
    match text {
        "clock" => Ok(Asked::Clock),
        "now" => Ok(Asked::Now),
        "evaluated" => Ok(Asked::Evaluated),
        _ => parse_instant(text)
            .map(Asked::Instant)
            .map_err(|problem| format!("it is not clock, now or evaluated, and {problem}")),
    }
}

impl AsOfArgs {
    /// The same with the wall clock as it is now.
    pub(super) fn read(&self) -> AsOf {
        match self.as_of {
            Asked::Clock => AsOf::Clock,
            Asked::Now => AsOf::Now(WallClock::system().now()),
            Asked::Evaluated => AsOf::Evaluated,
            Asked::Instant(instant) => AsOf::At(instant),
        }
    }
}

/// Customers who were evaluated after the instant that was asked for. Who they are is not said: the message may end in
/// somebody's log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Later {
    customers: u64,
    last_at: Option<Timestamp>,
}

impl Later {
    pub(crate) fn add(&mut self, evaluated_at: Timestamp) {
        self.customers += 1;
        self.last_at = self.last_at.max(Some(evaluated_at));
    }

    /// # Errors
    /// If there is one.
    pub(super) fn check(self, as_of: AsOf) -> Result<(), CallError> {
        match as_of {
            AsOf::At(instant) => self.check_at(instant, |last_at| {
                format!("{last_at} and later instants, clock, now and evaluated")
            }),
            AsOf::Clock | AsOf::Now(_) | AsOf::Evaluated => Ok(()),
        }
    }

    /// The same of an instant; `allowed` is what may be asked for where the last evaluation is at an instant.
    ///
    /// # Errors
    /// If there is one.
    pub(crate) fn check_at(
        self,
        instant: Timestamp,
        allowed: impl FnOnce(Timestamp) -> String,
    ) -> Result<(), CallError> {
        let Some(last_at) = self.last_at else {
            return Ok(());
        };
        let customers = match self.customers {
            1 => "a customer was evaluated after it, at".to_owned(),
            several => format!("{several} customers were evaluated after it, the last one at"),
        };
        let allowed = allowed(last_at);
        Err(CallError(format!(
            "--as-of {instant} is too early: {customers} {last_at}, and what was known before is not kept; allowed are {allowed}"
        )))
    }
}

/// Says that clocks of partitions are ahead of the wall clock, where that is asked for.
pub(super) fn warn_of_clocks_ahead(as_of: AsOf, clocks: impl Iterator<Item = Option<Timestamp>>) {
    let AsOf::Now(now) = as_of else { return };
    let ahead: Vec<Timestamp> = clocks.flatten().filter(|clock| *clock > now).collect();
    if let Some(clock_max) = ahead.iter().max() {
        tracing::warn!(
            partitions = ahead.len(),
            %clock_max,
            "--as-of now: the clocks of these partitions are ahead of the wall clock, and their customers are shown as of \
             these clocks"
        );
    }
}
