//! Signals between the workers and the rest of the process: stop, an end to reach, and the counts of what was
//! committed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::domain::event::UnknownFields;
use crate::domain::event::unknown_names;
use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::engine::verdict::Outcome;
use crate::pipeline::findings::Findings;
use crate::pipeline::findings::Lines;
use crate::pipeline::gate::Gate;
use crate::pipeline::journal::Entry;
use crate::pipeline::journal::Journal;
use crate::pipeline::journal::Recent;
use crate::pipeline::unknown_names::Named;
use crate::pipeline::unknown_names::UnknownNames;

/// When the workers are to stop, and which ends they have reached.
#[derive(Debug, Default)]
pub struct Control {
    /// Until it is open, nothing is taken or written.
    pub gate: Gate,
    is_stopping: AtomicBool,
    ends: OnceLock<Vec<AppliedOffsets>>,
    /// Where every clock is moved once all ends are reached.
    advance_to: OnceLock<Timestamp>,
    reached: Mutex<BTreeSet<Partition>>,
    of_others: AtomicUsize,
}

impl Control {
    /// Asks every worker to commit what it has in hand and stop.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// A stop was asked for.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// The workers stop by themselves once everything below these offsets is committed; one entry a
    /// partition. The first call counts.
    pub fn stop_at(&self, ends: Vec<AppliedOffsets>) {
        self.ends.get_or_init(|| ends);
    }

    /// Once all ends are reached, every clock is moved there, and what is due then is part of the work. The
    /// first call counts; it comes before the ends.
    pub fn advance_to(&self, instant: Timestamp) {
        self.advance_to.get_or_init(|| instant);
    }

    /// Where every clock is to be moved once all ends are reached.
    #[must_use]
    pub fn clock_at_end(&self) -> Option<Timestamp> {
        self.advance_to.get().copied()
    }

    /// The workers stop by themselves at some end.
    #[must_use]
    pub fn has_ends(&self) -> bool {
        self.ends.get().is_some()
    }

    /// The offsets up to which the sources of a partition must be committed before its worker stops.
    #[must_use]
    pub fn end_of(&self, partition: Partition) -> Option<AppliedOffsets> {
        let place = usize::try_from(partition.0).ok()?;
        self.ends.get()?.get(place).copied()
    }

    /// A partition is committed up to its end.
    pub fn reached(&self, partition: Partition) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.insert(partition);
    }

    /// Every partition of the log; none where no end was asked for.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> {
        let count = self.ends.get().map_or(0, Vec::len);
        (0..u32::try_from(count).unwrap_or(u32::MAX)).map(Partition)
    }

    /// Every partition is committed up to its end; `false` where none was asked for.
    #[must_use]
    pub fn has_reached_all(&self) -> bool {
        let Some(ends) = self.ends.get() else {
            return false;
        };
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.len() >= ends.len()
    }

    /// A worker ends while other processes have so many partitions.
    pub fn leave_to_others(&self, partitions: usize) {
        self.of_others.store(partitions, Ordering::Relaxed);
    }

    /// How many partitions other processes had when the workers reached all ends.
    #[must_use]
    pub fn left_to_others(&self) -> usize {
        self.of_others.load(Ordering::Relaxed)
    }
}

/// Counts of what was committed by this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries.
    pub events: u64,
    /// Changes published.
    pub changes: u64,
    /// Transactions.
    pub transactions: u64,
    /// Evaluations of customers that time alone caused.
    pub time_evaluations: u64,
    /// Changes that time alone caused.
    pub time_changes: u64,
    /// Deliveries by verdict.
    pub verdicts: BTreeMap<Outcome, u64>,
    /// Rejected deliveries by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Deliveries whose record time is too far ahead of the wall clock to be used.
    pub record_times_ahead: u64,
    /// Deliveries with fields that no event has.
    pub unknown_fields: u64,
    /// Where the input is a file, deliveries that are no lines of it: they were in the log before.
    pub elsewhere: u64,
}

/// What was committed, added to once a transaction.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<Counts>,
    findings: Mutex<Findings>,
    findings_elsewhere: Mutex<Findings>,
    /// Where the input is a file.
    lines: OnceLock<Lines>,
    /// Where rejected events are logged.
    journal: OnceLock<Mutex<Journal>>,
    unknown: Mutex<UnknownNames>,
    /// Reasons for which an event was not let into the log.
    refused: Mutex<BTreeSet<&'static str>>,
}

impl Tally {
    /// Adds the counts of a committed transaction.
    pub fn add(&self, more: &Counts) {
        let mut counts = lock(&self.counts);
        counts.events += more.events;
        counts.changes += more.changes;
        counts.transactions += more.transactions;
        counts.time_evaluations += more.time_evaluations;
        counts.time_changes += more.time_changes;
        counts.record_times_ahead += more.record_times_ahead;
        counts.unknown_fields += more.unknown_fields;
        counts.elsewhere += more.elsewhere;
        for (outcome, deliveries) in &more.verdicts {
            *counts.verdicts.entry(*outcome).or_default() += deliveries;
        }
        for (reason, deliveries) in &more.rejected {
            *counts.rejected.entry(reason).or_default() += deliveries;
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }

    /// The deliveries are lines of a file: only these are noted. The first call counts; it comes before the deliveries.
    pub fn number(&self, lines: Lines) {
        self.lines.get_or_init(|| lines);
    }

    /// The line of a delivery, 0 where the input is no file; `None` where it is not to be noted.
    #[must_use]
    pub fn line_of(&self, position: Position) -> Option<u64> {
        match self.lines.get() {
            None => Some(0),
            Some(lines) => lines.line_of(position),
        }
    }

    /// Deliveries that go to the dead letters are logged from now on.
    pub fn log_rejections(&self, now: Instant) {
        self.journal.get_or_init(|| Mutex::new(Journal::new(now)));
    }

    /// What the log has to say of a committed transaction with so many deliveries.
    pub fn found(&self, batch: (&Findings, &Recent), deliveries: u64, now: Instant) -> Vec<Entry> {
        lock(&self.findings).add(batch.0);
        let journal = self.journal.get();
        journal.map_or_else(Vec::new, |journal| {
            lock(journal).committed(batch, deliveries, now)
        })
    }

    /// Adds what became of deliveries of a committed transaction that are no lines of the file.
    pub fn found_elsewhere(&self, findings: &Findings) {
        lock(&self.findings_elsewhere).add(findings);
    }

    /// What became of deliveries that are no lines of the file and changed no customer.
    #[must_use]
    pub fn findings_elsewhere(&self) -> Findings {
        lock(&self.findings_elsewhere).clone()
    }

    /// What the log has to say because of the time.
    pub fn look(&self, now: Instant) -> Option<Entry> {
        lock(self.journal.get()?).look(now)
    }

    /// What became of deliveries that changed no customer.
    #[must_use]
    pub fn findings(&self) -> Findings {
        lock(&self.findings).clone()
    }

    /// A delivery has fields that no event has; those names that are new and have to be logged.
    pub fn note_unknown(
        &self,
        (fields, payload): (UnknownFields, &[u8]),
        position: Position,
    ) -> Vec<Named> {
        let Some(line) = self.line_of(position) else {
            return Vec::new();
        };
        let mut unknown = lock(&self.unknown);
        if !unknown.look_at(fields.fingerprint()) {
            return Vec::new();
        }
        let new = unknown.take(unknown_names(payload), position, line);
        if self.journal.get().is_some() {
            new
        } else {
            Vec::new()
        }
    }

    /// Notes that an event is not let into the log; `true` if it is the first of its reason.
    pub fn note_refused(&self, reason: &'static str) -> bool {
        lock(&self.refused).insert(reason)
    }

    /// The first names of fields that no event has.
    #[must_use]
    pub fn unknown_names(&self) -> Vec<Named> {
        lock(&self.unknown).names().to_vec()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
