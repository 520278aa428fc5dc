//! A worker: one thread, its own view of the log, its own partitions.
//!
//! [`Worker::turn`] is the way of an event. Between any two of its steps the process may die: before the
//! commit nothing has happened, after it everything is in the log. [`crate::faults`] names each place.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::domain::change::ChangeKind;
use crate::domain::ids::Partition;
use crate::domain::time::Timestamp;
use crate::faults::FaultPoint;
use crate::log;
use crate::log::Committed;
use crate::log::Delivery;
use crate::log::OutputRecord;
use crate::log::PollLimit;
use crate::log::Polled;
use crate::log::Transaction;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::Limits;
use crate::pipeline::Shared;
use crate::pipeline::batch::Batch;
use crate::pipeline::batch::Poll;
use crate::pipeline::clock::ClockMode;
use crate::pipeline::flushes::Flushes;
use crate::pipeline::outputs;
use crate::pipeline::restore::Restore;
use crate::pipeline::running::Pending;
use crate::pipeline::running::RunningPartition;
use crate::telemetry::observe;

/// Longest wait for a delivery; a stop is noticed within it.
const POLL_WAIT_MAX: Duration = Duration::from_millis(50);
/// Deliveries taken at a time.
const POLL_RECORDS: usize = 1024;
/// How often idle partitions are asked for their end.
const LOOK_AROUND_INTERVAL: Duration = Duration::from_secs(1);

fn poll_records(limits: &Limits) -> usize {
    limits.commit_records.clamp(1, POLL_RECORDS)
}

/// One worker.
#[derive(Debug)]
pub struct Worker<B> {
    pub(super) log: B,
    pub(super) shared: Arc<Shared>,
    /// Assigned; where they stand in the log is not known yet.
    pub(super) waiting: BTreeSet<Partition>,
    pub(super) asked_last: Partition,
    /// Everything was dropped, and the log has not told yet what is ours.
    pub(super) is_starting_over: bool,
    pub(super) restoring: BTreeMap<Partition, Restore>,
    pub(super) running: BTreeMap<Partition, RunningPartition>,
    pub(super) batch: Batch,
    flushes: Flushes,
    checkpointed_at: Instant,
    looked_around_at: Option<Instant>,
    /// The partition whose deadlines were looked at last.
    fired_last: Partition,
    has_more_due: bool,
}

impl<B: WorkerLog> Worker<B> {
    /// A worker without partitions; the log assigns them.
    #[must_use]
    pub fn new(log: B, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            log,
            shared,
            waiting: BTreeSet::new(),
            asked_last: Partition(0),
            is_starting_over: false,
            restoring: BTreeMap::new(),
            running: BTreeMap::new(),
            batch: Batch::default(),
            flushes: Flushes::new(now),
            checkpointed_at: now,
            looked_around_at: None,
            fired_last: Partition(0),
            has_more_due: false,
        }
    }

    /// Works until it is asked to stop, or its partitions are committed up to the ends asked for.
    ///
    /// # Errors
    /// If the world is broken; bad data never stops it.
    pub fn run(&mut self) -> Result<(), Error> {
        while !self.shared.control.is_stopping() && !self.has_finished() {
            self.turn()?;
        }
        self.commit()?;
        self.write_moved_clocks()?;
        self.flushes.write_all(&self.running, &self.shared)
    }

    /// One turn: poll, step, stage, commit, apply; then whatever is due behind the commit.
    ///
    /// # Errors
    /// If the world is broken.
    pub fn turn(&mut self) -> Result<(), Error> {
        self.restore_a_chunk()?;
        match self.log.poll(self.poll_limit())? {
            Polled::Deliveries(deliveries) => self.take(&deliveries)?,
            Polled::Idle => {}
            Polled::Assigned(partitions) => self.assigned(&partitions),
            Polled::Revoked(partitions) => self.revoked(&partitions)?,
            Polled::Lost(partitions) => self.lost(&partitions)?,
        }
        self.fire_due()?;
        if self.batch.is_due(&self.shared.limits, Instant::now()) {
            self.commit()?;
        }
        self.look_around()?;
        self.flushes.advance(&self.running, &self.shared)
    }

    fn poll_limit(&self) -> PollLimit {
        let limits = &self.shared.limits;
        let until_commit = self.batch.due_in(Instant::now());
        let timeout = match until_commit {
            _ if self.is_restoring() || self.has_more_due => Duration::ZERO,
            Some(until_commit) => until_commit.min(POLL_WAIT_MAX),
            None => POLL_WAIT_MAX,
        };
        PollLimit {
            records: poll_records(limits),
            bytes: limits.commit_bytes,
            timeout,
        }
    }

    fn take(&mut self, deliveries: &[Delivery]) -> Result<(), Error> {
        self.shared.faults.cross(FaultPoint::Polled)?;
        let started = Instant::now();
        let wall = self.shared.wall.now();
        let poll = Poll {
            wall,
            at: started,
            waited: self.waited(deliveries, wall),
        };
        for delivery in deliveries {
            self.take_one(delivery, poll)?;
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
        let is_behind = deliveries.len() >= poll_records(&self.shared.limits);
        if is_behind || self.shared.clock_rules.mode == ClockMode::Event {
            return None;
        }
        let times = deliveries.iter().filter_map(|each| each.record_time);
        Duration::try_from_secs_f64(wall.seconds_since(times.min()?)).ok()
    }

    /// Takes customers through what is due by the partitions' clocks, within what one transaction may hold;
    /// the rest comes in the next turn, after the deliveries that have arrived meanwhile.
    fn fire_due(&mut self) -> Result<(), Error> {
        let mut left = poll_records(&self.shared.limits);
        let mut is_cut = false;
        let poll = Poll {
            wall: self.shared.wall.now(),
            at: Instant::now(),
            waited: None,
        };
        // The one after the last that had its turn, so that none is always the one that is cut.
        let after = self.fired_last;
        let (before, behind): (Vec<Partition>, Vec<Partition>) = self
            .running
            .keys()
            .partition(|partition| **partition <= after);
        for partition in behind.into_iter().chain(before) {
            let Some(owned) = self.running.get_mut(&partition) else {
                continue;
            };
            let fired = owned.fire_due(left, &self.shared)?;
            if fired.evaluations == 0 {
                continue;
            }
            self.fired_last = partition;
            self.batch.start(&self.shared.limits, poll);
            self.batch.count_evaluations(fired.evaluations);
            for change in fired.changes {
                self.batch.push_change(change);
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
        let Some(owned) = self.running.get_mut(&delivery.position.partition) else {
            return Ok(());
        };
        if delivery.position.offset < owned.offset_next() {
            return Ok(());
        }
        // What came after the end that was asked for is for another run.
        let end = self.shared.control.end_of(delivery.position.partition);
        if end.is_some_and(|end| delivery.position.offset >= end) {
            return Ok(());
        }
        let judged = owned.take(delivery, poll.wall, &self.shared)?;
        if let Some(cause) = judged.verdict.dead_letter() {
            let topic = &self.shared.topic_events;
            self.batch
                .push_dead_letter(outputs::dead_letter(delivery, cause, topic, poll.wall));
        }
        self.batch.start(&self.shared.limits, poll);
        let bytes = delivery.payload.len();
        self.batch.count(judged.event_type, &judged.verdict, bytes);
        self.batch.arrived_at.extend(judged.arrived_at);
        self.batch.count_evaluations(judged.time_evaluations);
        judged
            .changes
            .into_iter()
            .for_each(|change| self.batch.push_change(change));
        self.shared.faults.cross(FaultPoint::Staged)?;
        Ok(())
    }

    /// Commits what is in hand. Only when the commit is known to have succeeded does anything
    /// become visible; when nobody knows, everything in hand is dropped.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        let moved: Vec<Partition> = self
            .running
            .iter()
            .filter(|(_, owned)| owned.has_moved())
            .map(|(partition, _)| *partition)
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        self.commit_partitions(&moved)
    }

    fn commit_partitions(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        let (transaction, pending) = self.assemble(partitions, &batch)?;
        self.shared
            .faults
            .cross(FaultPoint::CommitBefore)
            .map_err(log::Error::from)?;
        let started = Instant::now();
        match self.log.commit(&transaction) {
            Ok(committed) => {
                self.shared.faults.cross(FaultPoint::Committed)?;
                self.apply(&committed, transaction, pending)?;
                self.observe_commit(&batch, started);
                self.shared.faults.cross(FaultPoint::Applied)?;
                Ok(())
            }
            Err(error @ (log::Error::UnknownOutcome | log::Error::Aborted)) => {
                let is_aborted = matches!(error, log::Error::Aborted);
                observe::commit_failed(&self.shared.metrics, is_aborted);
                self.start_over();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn assemble(
        &mut self,
        partitions: &[Partition],
        batch: &Batch,
    ) -> Result<(Transaction, BTreeMap<Partition, Pending>), Error> {
        let emitted_at = self.shared.wall.now();
        let mut transaction = Transaction::default();
        let mut current: BTreeMap<&str, Arc<OutputRecord>> = BTreeMap::new();
        for change in &batch.changes {
            let record = outputs::change_record(change, &self.shared.topic_events, emitted_at)
                .map_err(|source| Error::Encode(Box::new(source)))?;
            let record = Arc::new(record);
            current.insert(change.customer_id.as_str(), Arc::clone(&record));
            transaction.changes.push(record);
        }
        transaction.current = current.into_values().collect();
        transaction.dead_letters.clone_from(&batch.dead_letters);
        let mut pending = BTreeMap::new();
        for partition in partitions {
            if let Some(owned) = self.running.get_mut(partition) {
                let (commit, waiting) = owned.assemble()?;
                transaction.partitions.push(commit);
                pending.insert(*partition, waiting);
            }
        }
        Ok((transaction, pending))
    }

    fn apply(
        &mut self,
        committed: &[Committed],
        transaction: Transaction,
        mut pending: BTreeMap<Partition, Pending>,
    ) -> Result<(), Error> {
        let wall = self.shared.wall.now();
        for part in transaction.partitions {
            let end = committed.iter().find(|end| end.partition == part.partition);
            let owned = self.running.get_mut(&part.partition);
            let waiting = pending.remove(&part.partition);
            let (Some(end), Some(owned), Some(mut waiting)) = (end, owned, waiting) else {
                continue;
            };
            let updates = waiting.updates(part.state);
            let checkpoint = Some(waiting.checkpoint.clone());
            let deltas =
                owned
                    .store()
                    .apply(updates, checkpoint, end.changelog_next, Some(wall))?;
            let has_deliveries = waiting.checkpoint.offset_next != owned.committed_offset();
            owned.committed(waiting.checkpoint);
            if has_deliveries {
                let seconds = wall.seconds_since(Timestamp::default());
                observe::last_event(&self.shared.metrics, end.partition.0, seconds);
            }
            let metrics = &self.shared.metrics;
            for (group, customers) in &deltas.customers {
                let segment = group.segment_id.as_str();
                observe::customers_moved(metrics, segment, group.band, *customers);
            }
            observe::deadlines_moved(metrics, deltas.deadlines);
        }
        Ok(())
    }

    fn observe_commit(&self, batch: &Batch, started: Instant) {
        let metrics = &self.shared.metrics;
        for ((event_type, outcome), deliveries) in &batch.verdicts {
            observe::verdicts(metrics, event_type, outcome, *deliveries);
        }
        for (reason, deliveries) in &batch.counts.rejected {
            observe::rejected(metrics, reason, *deliveries);
        }
        let moves = batch.changes.iter();
        for change in moves.filter(|change| change.kind != ChangeKind::ChurnRiskChanged) {
            let from = change
                .previous
                .as_ref()
                .map(|previous| previous.segment.segment_id.as_str());
            let to = change.current.segment_id.as_str();
            observe::transition(metrics, from, to, change.reason.as_str(), change.confidence);
        }
        let wall = self.shared.wall.now();
        let waited = batch.arrived_at.iter().map(|at| wall.seconds_since(*at));
        observe::end_to_end(metrics, waited);
        let seconds = started.elapsed().as_secs_f64();
        observe::committed(metrics, seconds, batch.counts.events, batch.counts.changes);
        let mut counts = batch.counts.clone();
        counts.transactions = 1;
        self.shared.tally.add(&counts);
    }

    /// Lags, ends and clocks, about once a second.
    fn look_around(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let is_due = self.looked_around_at.is_none_or(|looked_around_at| {
            now.saturating_duration_since(looked_around_at) >= LOOK_AROUND_INTERVAL
        });
        if !is_due || self.running.is_empty() {
            return Ok(());
        }
        self.looked_around_at = Some(now);
        for (partition, owned) in &mut self.running {
            // The wall time is taken before the query: nothing older can still come.
            let wall = self.shared.wall.now();
            let Some(progress) = self.log.progress(*partition)? else {
                // Its lag and clock stand still; the others get their turn while there is time.
                if now.elapsed() < LOOK_AROUND_INTERVAL {
                    continue;
                }
                break;
            };
            let position = progress.position.unwrap_or(0).max(owned.offset_next());
            let committed = if owned.has_moved() {
                owned.committed_offset()
            } else {
                position
            };
            let lag = progress.input_end.saturating_sub(committed);
            observe::lag(&self.shared.metrics, partition.0, lag);
            // Whoever stops at an end is told by the log alone what time it is.
            if position >= progress.input_end && !self.shared.control.has_ends() {
                owned.caught_up(wall);
            }
            let mode = self.shared.clock_rules.mode;
            let late_seconds = owned.deadline_lag_seconds(mode, now);
            observe::deadline_lag(&self.shared.metrics, partition.0, late_seconds);
            // An end made of control or aborted records is never delivered, only passed.
            let end = self.shared.control.end_of(*partition);
            if end.is_some_and(|end| committed >= end) {
                self.shared.control.reached(*partition);
            }
        }
        if now.saturating_duration_since(self.checkpointed_at)
            >= self.shared.limits.checkpoint_interval
        {
            self.write_moved_clocks()?;
        }
        Ok(())
    }

    pub(super) fn write_moved_clocks(&mut self) -> Result<(), Error> {
        self.checkpointed_at = Instant::now();
        let moved: Vec<Partition> = self
            .running
            .iter()
            .filter(|(_, owned)| owned.has_moved() || owned.clock_has_moved())
            .map(|(partition, _)| *partition)
            .collect();
        if moved.is_empty() {
            Ok(())
        } else {
            self.commit_partitions(&moved)
        }
    }

    /// The ends are reached, the clocks are where they were to be moved, and nothing is due any more, also not
    /// in the partitions of other workers: theirs may come to this one.
    fn has_finished(&mut self) -> bool {
        if !self.has_reached_ends() {
            return false;
        }
        let control = &self.shared.control;
        for (partition, owned) in &mut self.running {
            if let Some(instant) = control.clock_at_end() {
                owned.advance_clock(instant);
            }
            control.finished(*partition, !owned.has_moved() && !owned.has_due());
        }
        control.has_finished_all()
    }

    /// All partitions, also those of other workers, are committed up to the ends asked for, and what is
    /// ours is restored.
    fn has_reached_ends(&self) -> bool {
        for (partition, owned) in &self.running {
            let end = self.shared.control.end_of(*partition);
            if end.is_some_and(|end| owned.committed_offset() >= end) {
                self.shared.control.reached(*partition);
            }
        }
        !self.is_starting_over && !self.is_restoring() && self.shared.control.has_reached_all()
    }
}
