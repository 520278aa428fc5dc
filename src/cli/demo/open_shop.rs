//! The shop of a demo and how far its events are in the log. A later demo on the same directory goes on with it.

use std::iter::Peekable;
use std::path::Path;
use std::time::Duration;

use crate::cli::exit::CallError;
use crate::cli::shop::HISTORY_DAYS;
use crate::cli::shop::opened_before;
use crate::cli::shop::shop_of_demo;
use crate::domain::ids::Source;
use crate::domain::time::DAY_MS;
use crate::domain::time::Timestamp;
use crate::log::embedded::EmbeddedLog;
use crate::log::embedded::InputRecord;
use crate::pipeline::Shared;
use crate::pipeline::service::Service;
use crate::simulate::Shop;

/// What the log notes of a shop, beside how many events of it there are.
const CUSTOMERS: &str = "demo/customers";
const SEED: &str = "demo/seed";
/// Written last: without it there is no shop. In milliseconds since 1970.
const OPENED: &str = "demo/opened";
const SENT: &str = "demo/sent";

/// The most events that are sent to the log at a time.
const CHUNK_EVENTS: usize = 2048;
/// How often the workers are asked whether they are done.
const WORKERS_ASKED_EVERY: Duration = Duration::from_millis(10);

/// What the call says of the shop.
pub(super) struct Wanted<'a> {
    pub(super) customers: u32,
    pub(super) seed: u64,
    /// The wall clock at the start.
    pub(super) now: Timestamp,
    /// Where log and store are.
    pub(super) directory: &'a Path,
}

/// A shop that is open.
pub(super) struct OpenShop {
    events: Peekable<Shop>,
    /// Events that are in the log.
    sent: u64,
    /// The end of its history: the wall clock at the start, or the end of an earlier demo if that is later.
    pub(super) history_end: Timestamp,
    pub(super) is_new: bool,
}

impl OpenShop {
    /// Opens a shop, or goes on with the one of the log.
    pub(super) fn open(log: &EmbeddedLog, wanted: &Wanted<'_>) -> anyhow::Result<Self> {
        let earlier = earlier_shop(log, wanted)?;
        let opened_at = match earlier {
            Some(opened_at) => opened_at,
            None => note(log, wanted)?,
        };
        let mut events = shop_of_demo(wanted.customers, wanted.seed, opened_at).peekable();
        let sent = log.cursor(SENT)?.unwrap_or(0);
        let last = usize::try_from(sent)?.checked_sub(1);
        let last = last.and_then(|skipped| events.nth(skipped));
        let history_end = opened_at.plus_milliseconds(HISTORY_DAYS * DAY_MS);
        Ok(Self {
            events,
            sent,
            history_end: last
                .map_or(history_end, |event| event.record_time.max(history_end))
                .max(wanted.now),
            is_new: earlier.is_none(),
        })
    }

    /// Sends what happened up to an instant, at most a chunk; returns the number of events.
    pub(super) fn send(&mut self, log: &EmbeddedLog, until: Timestamp) -> anyhow::Result<usize> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK_EVENTS
            && let Some(event) = self.events.next_if(|event| event.record_time <= until)
        {
            chunk.push(InputRecord::new(
                Some(event.record_time),
                event.key,
                event.payload,
            ));
        }
        let events = chunk.len();
        if events > 0 {
            self.sent += u64::try_from(events)?;
            log.append(chunk, Some((SENT, Some(self.sent))))?;
        }
        Ok(events)
    }

    /// Sends the whole history and waits until it is processed, or until a stop is asked for. Returns the number of events.
    pub(super) fn make_history(
        &mut self,
        log: &EmbeddedLog,
        shared: &Shared,
        service: &mut Service,
    ) -> anyhow::Result<u64> {
        let before = self.sent;
        while !shared.control.is_stopping() && self.send(log, self.history_end)? > 0 {
            // A worker that failed ends the demo at once.
            service.wait(Duration::ZERO)?;
        }
        while !shared.control.is_stopping() && log.events_waiting() > 0 {
            service.wait(WORKERS_ASKED_EVERY)?;
        }
        Ok(self.sent - before)
    }
}

/// When the shop of the log was opened, if it has one.
fn earlier_shop(log: &EmbeddedLog, wanted: &Wanted<'_>) -> anyhow::Result<Option<Timestamp>> {
    let directory = wanted.directory.display();
    let opened = log.cursor(OPENED)?.and_then(|opened| {
        let milliseconds = i64::try_from(opened).ok()?;
        Timestamp::from_milliseconds(milliseconds)
    });
    let Some(opened_at) = opened else {
        let is_empty = log.ends().iter().all(|ends| ends.next(Source::Events) == 0);
        let problem = format!(
            "--dir: {directory} has events of something else than this version's demo: name another directory"
        );
        return if is_empty {
            Ok(None)
        } else {
            Err(CallError(problem).into())
        };
    };
    let (customers, seed) = (log.cursor(CUSTOMERS)?, log.cursor(SEED)?);
    if (customers, seed) != (Some(wanted.customers.into()), Some(wanted.seed)) {
        let problem = format!(
            "--dir: the shop of {directory} was opened with --customers {} --seed {}, not with --customers {} --seed {}: \
             give those, or name another directory",
            customers.unwrap_or_default(),
            seed.unwrap_or_default(),
            wanted.customers,
            wanted.seed
        );
        return Err(CallError(problem).into());
    }
    Ok(Some(opened_at))
}

/// Notes a new shop in the log, and returns when it was opened.
fn note(log: &EmbeddedLog, wanted: &Wanted<'_>) -> anyhow::Result<Timestamp> {
    let opened_at = opened_before(wanted.now);
    let opened_ms = u64::try_from(opened_at.as_milliseconds())?;
    for (name, value) in [
        (CUSTOMERS, wanted.customers.into()),
        (SEED, wanted.seed),
        (OPENED, opened_ms),
    ] {
        log.append(Vec::new(), Some((name, Some(value))))?;
    }
    Ok(opened_at)
}
