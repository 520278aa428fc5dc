//! A worker: one thread, its own view of the log, its own partitions.
//!
//! [`Worker::turn`] is the path of an event. Between any two of its steps the process may die: before the
//! commit nothing has happened, after it everything is in the log. [`crate::faults`] names each place.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::domain::ids::CustomerId;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::faults::FaultPoint;
use crate::log::Delivery;
use crate::log::PollLimit;
use crate::log::Polled;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::Limits;
use crate::pipeline::Shared;
use crate::pipeline::batch::Batch;
use crate::pipeline::batch::Divisor;
use crate::pipeline::batch::Poll;
use crate::pipeline::flushes::Flushes;
use crate::pipeline::others::Others;
use crate::pipeline::outputs;
use crate::pipeline::partition::clock::ClockMode;
use crate::pipeline::partition::held::HeldPartitions;
use crate::pipeline::partition::judging::Judged;
use crate::pipeline::partition::phase::Phase;
use crate::pipeline::refusals::Refusals;
use crate::pipeline::unknown_names::LOOKS_MAX;
use crate::telemetry::observe;
use crate::telemetry::rejections;

/// Longest wait for a delivery; a stop is noticed within it.
const POLL_WAIT_MAX: Duration = Duration::from_millis(50);
/// Wait until the other partitions are asked for again.
const GATE_WAIT: Duration = Duration::from_millis(5);
/// Deliveries taken at a time.
const POLL_RECORDS: usize = 1024;

fn poll_records(limits: &Limits, divisor: Divisor) -> usize {
    divisor.of(limits.commit_records).clamp(1, POLL_RECORDS)
}

/// One worker.
#[derive(Debug)]
pub struct Worker<L> {
    pub(super) log: L,
    pub(super) shared: Arc<Shared>,
    pub(super) partitions: HeldPartitions,
    /// Those that were assigned before anything was committed, until they run.
    pub(super) assigned_at_start: BTreeSet<Partition>,
    pub(super) has_committed: bool,
    /// The state of all partitions was open once.
    pub(super) is_past_gate: bool,
    /// The waiting partition that the log was asked about last.
    pub(super) asked_last: Partition,
    pub(super) batch: Batch,
    /// Of the next transaction's limits.
    pub(super) divisor: Divisor,
    /// Deliveries whose outputs the log does not take.
    pub(super) refusals: Refusals,
    flushes: Flushes,
    pub(super) checkpointed_at: Instant,
    pub(super) progress_known_at: Option<Instant>,
    /// In a run with ends.
    pub(super) others: Others,
    /// The partition whose deadlines were evaluated last.
    fired_last: Partition,
    has_more_due: bool,
    /// Fingerprints of the fields that no event has.
    unknown_seen: BTreeSet<u64>,
}

impl<L: WorkerLog> Worker<L> {
    /// A worker without partitions; the log assigns them.
    #[must_use]
    pub fn new(log: L, shared: Arc<Shared>) -> Self {
        let now = shared.monotonic.now();
        Self {
            log,
            shared,
            partitions: HeldPartitions::default(),
            assigned_at_start: BTreeSet::new(),
            has_committed: false,
            is_past_gate: false,
            asked_last: Partition(0),
            batch: Batch::default(),
            divisor: Divisor::default(),
            refusals: Refusals::default(),
            flushes: Flushes::default(),
            checkpointed_at: now,
            progress_known_at: None,
            others: Others::default(),
            fired_last: Partition(0),
            has_more_due: false,
            unknown_seen: BTreeSet::new(),
        }
    }

    /// Works until it is asked to stop, or its partitions are committed up to the ends asked for.
    ///
    /// # Errors
    /// If the world is broken; bad data never stops it.
    pub fn run(&mut self) -> Result<(), Error> {
        let control = &Arc::clone(&self.shared).control;
        loop {
            while !control.is_stopping() && !self.finish_at_ends()? {
                self.turn()?;
            }
            self.commit()?;
            self.write_moved_clocks()?;
            // An abort has dropped what was in hand. A run with ends does it again.
            if control.is_stopping() || !self.partitions.is_unconfirmed() {
                break;
            }
        }
        self.flushes.write_all(&self.partitions, &self.shared)?;
        Ok(self.shared.partitions.flush_free()?)
    }

    /// One turn: poll, step, stage, commit, apply; then the flushes that are due.
    ///
    /// # Errors
    /// If the world is broken.
    pub fn turn(&mut self) -> Result<(), Error> {
        self.take_back_freed()?;
        self.restore_a_chunk()?;
        self.pass_gate()?;
        let leaving: Vec<Partition> = self.partitions.in_phase(Phase::Leaving).collect();
        let polled = self.log.poll(self.poll_limit())?;
        if let Some(outcome) = self.log.decided() {
            observe::decided(&self.shared.metrics, outcome.as_str());
        }
        self.handed_over(&leaving)?;
        match polled {
            Polled::Deliveries(deliveries) => self.take(&deliveries)?,
            Polled::Idle => self.batch.reached_end(),
            Polled::Assigned(partitions) => self.assigned(&partitions)?,
            Polled::Revoked(partitions) => self.revoked(&partitions)?,
            Polled::Lost(partitions) => self.lost(&partitions)?,
        }
        if !self.is_past_gate {
            return Ok(());
        }
        self.fire_due()?;
        if self
            .batch
            .is_due(&self.shared.limits, self.shared.monotonic.now())
        {
            self.commit()?;
        }
        self.ask_for_progress()?;
        self.flushes.advance(&self.partitions, &self.shared)
    }

    /// The phase of each partition that this worker has to do with.
    #[must_use]
    pub fn phases(&self) -> BTreeMap<Partition, Phase> {
        let held = self.partitions.0.iter();
        held.map(|(partition, held)| (*partition, held.phase()))
            .collect()
    }

    /// Deletes what is kept of a customer, in the next transaction, if one of this worker's partitions has it.
    ///
    /// # Errors
    /// If the customer's entry cannot be read.
    pub fn delete(&mut self, customer_id: &CustomerId) -> Result<(), Error> {
        let poll = Poll::without_deliveries(&self.shared);
        for (_, running) in self.partitions.running_mut() {
            if running.has(customer_id)? {
                running.delete(customer_id)?;
                self.batch.start(&self.shared.limits, poll);
            }
        }
        Ok(())
    }

    fn poll_limit(&self) -> PollLimit {
        let limits = &self.shared.limits;
        let until_commit = self.batch.due_in(self.shared.monotonic.now());
        let timeout = match until_commit {
            _ if self.partitions.has_restore_work() || self.has_more_due => Duration::ZERO,
            _ if !self.is_past_gate => GATE_WAIT,
            Some(until_commit) => until_commit.min(POLL_WAIT_MAX),
            None => POLL_WAIT_MAX,
        };
        PollLimit {
            records: poll_records(limits, self.divisor),
            bytes: self.divisor.of(limits.commit_bytes),
            timeout,
        }
    }

    fn take(&mut self, deliveries: &[Delivery]) -> Result<(), Error> {
        self.shared.faults.cross(FaultPoint::Polled)?;
        let started = Instant::now();
        let wall = self.shared.look_at_wall();
        let is_behind = deliveries.len() >= poll_records(&self.shared.limits, self.divisor);
        let poll = Poll {
            wall,
            at: self.shared.monotonic.now(),
            waited: self.waited(deliveries, wall.now).filter(|_| !is_behind),
            is_behind: Some(is_behind),
        };
        for delivery in deliveries {
            let taken = self.take_one(delivery, poll);
            self.unless_displaced(taken)?;
            if self.batch.is_full(&self.shared.limits) {
                self.commit()?;
            }
        }
        observe::processed(
            &self.shared.metrics,
            started.elapsed().as_secs_f64(),
            deliveries.len(),
        );
        Ok(())
    }

    /// How long the oldest waited in the log, where its end is being read and record times are the wall
    /// clock's.
    fn waited(&self, deliveries: &[Delivery], wall: Timestamp) -> Option<Duration> {
        if self.shared.clock_rules.mode == ClockMode::Event {
            return None;
        }
        let times = deliveries.iter().filter_map(|each| each.record_time);
        Duration::try_from_secs_f64(wall.seconds_since(times.min()?)).ok()
    }

    /// Evaluates the customers whose deadlines have come by the partitions' clocks, as many as one transaction may
    /// hold. The rest follow in the next turn, after the deliveries that have arrived meanwhile.
    fn fire_due(&mut self) -> Result<(), Error> {
        let mut left = poll_records(&self.shared.limits, self.divisor);
        let mut is_cut = false;
        let poll = Poll::without_deliveries(&self.shared);
        // The one after the last that had its turn, so that none is always the one that is cut.
        let after = self.fired_last;
        let (before, behind): (Vec<Partition>, Vec<Partition>) = self
            .partitions
            .running()
            .map(|(partition, _)| partition)
            .partition(|partition| *partition <= after);
        for partition in behind.into_iter().chain(before) {
            let Some(running) = self.partitions.get_mut(partition) else {
                continue;
            };
            let fired = running.fire_due(left, &self.shared);
            let Some(fired) = self.unless_displaced(fired)? else {
                return Ok(());
            };
            if fired.evaluations == 0 {
                continue;
            }
            self.fired_last = partition;
            self.batch.start(&self.shared.limits, poll);
            self.batch.count_evaluations(fired.evaluations);
            self.batch.fired();
            self.batch.add_state(fired.state_bytes);
            for change in fired.changes {
                self.batch.push_change(partition, change);
            }
            is_cut |= fired.is_cut;
            left = left.saturating_sub(fired.evaluations);
            if left == 0 {
                is_cut = true;
                break;
            }
        }
        self.has_more_due = is_cut;
        if is_cut {
            self.shared.faults.cross(FaultPoint::Staged)?;
            self.commit()?;
        }
        Ok(())
    }

    fn take_one(&mut self, delivery: &Delivery, poll: Poll) -> Result<(), Error> {
        // What was polled before a partition was lost, or a commit's outcome was unknown, comes
        // again from the checkpoint.
        let Some(running) = self.partitions.get_mut(delivery.position.partition) else {
            return Ok(());
        };
        if running.offsets().has(delivery.position) {
            return Ok(());
        }
        // What came after the end that was asked for is for another run.
        let end = self.shared.control.end_of(delivery.position.partition);
        if end.is_some_and(|end| !end.has(delivery.position)) {
            return Ok(());
        }
        let refused = self.refusals.detail_of(delivery.position);
        let judged = running.take(delivery, refused, poll.wall, &self.shared)?;
        if let Some(cause) = judged.verdict.dead_letter() {
            let source = delivery.position.source;
            let topic = self.shared.topics.name(Topic::of_source(source));
            let topic = topic.unwrap_or(source.as_str());
            self.batch.push_dead_letter(outputs::dead_letter(
                delivery,
                cause,
                topic,
                poll.wall.now,
            ));
        }
        self.batch.start(&self.shared.limits, poll);
        self.batch
            .count(delivery, judged.event_type, &judged.verdict);
        self.batch.count_unknown(judged.unknown);
        self.note(delivery, &judged);
        self.batch.count_ahead(judged.is_ahead);
        self.batch.arrived_at.extend(judged.arrived_at);
        self.batch.count_evaluations(judged.time_evaluations);
        self.batch.add_state(judged.state_bytes);
        for change in judged.changes {
            let partition = delivery.position.partition;
            self.batch.push_change(partition, change);
        }
        self.shared.faults.cross(FaultPoint::Staged)?;
        Ok(())
    }

    /// Notes what the summary and the log say of a delivery besides its verdict.
    fn note(&mut self, delivery: &Delivery, judged: &Judged) {
        let (tally, position) = (&self.shared.tally, delivery.position);
        match tally.line_of(position) {
            Some(line) => self.batch.findings.note(&judged.verdict, position, line),
            None => {
                self.batch.counts.elsewhere += 1;
                let findings = &mut self.batch.findings_elsewhere;
                findings.note(&judged.verdict, position, 0);
            }
        }
        let fingerprint = judged.unknown.fingerprint();
        if judged.unknown.is_empty()
            || self.unknown_seen.len() >= LOOKS_MAX
            || !self.unknown_seen.insert(fingerprint)
        {
            return;
        }
        let payload = delivery.payload.as_deref().unwrap_or_default();
        for named in tally.note_unknown((judged.unknown, payload), position) {
            rejections::unknown_field(&named.name);
        }
    }
}
