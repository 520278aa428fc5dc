//! One transaction: what is staged becomes outputs, state, offsets and checkpoints; it is committed at once; only
//! when the commit is known to have succeeded do the stores take it over.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use crate::domain::change::ChangeKind;
use crate::domain::ids::Partition;
use crate::domain::topic::Topic;
use crate::faults::FaultPoint;
use crate::log;
use crate::log::Committed;
use crate::log::Output;
use crate::log::Transaction;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::batch::Batch;
use crate::pipeline::findings::Kind;
use crate::pipeline::journal::Entry;
use crate::pipeline::outputs;
use crate::pipeline::partition::held::Held;
use crate::pipeline::partition::pending::Pending;
use crate::pipeline::partition::phase::PhaseEvent;
use crate::pipeline::refusals::Hopeless;
use crate::pipeline::refusals::Reach;
use crate::pipeline::worker::Worker;
use crate::telemetry::observe;
use crate::telemetry::rejections;

impl<L: WorkerLog> Worker<L> {
    /// Commits what is in hand. Only when the commit is known to have succeeded does anything
    /// become visible. When the outcome is unknown, the worker drops everything in hand.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        let moved: Vec<Partition> = self
            .partitions
            .running()
            .filter(|(_, running)| running.has_moved())
            .map(|(partition, _)| partition)
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        self.commit_partitions(&moved)
    }

    pub(super) fn commit_partitions(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        if !self.is_past_gate {
            return Ok(());
        }
        let batch = std::mem::replace(&mut self.batch, Batch::divided(self.divisor));
        let assembled = self.assemble(partitions, &batch);
        let Some((transaction, pending)) = self.unless_displaced(assembled)? else {
            return Ok(());
        };
        self.shared
            .faults
            .cross(FaultPoint::CommitBefore)
            .map_err(log::Error::from)?;
        let started = Instant::now();
        match self.log.commit(&transaction) {
            Ok(committed) => {
                self.shared.faults.cross(FaultPoint::Committed)?;
                self.has_committed = true;
                self.apply(&committed, transaction, pending)?;
                for (partition, running) in self.partitions.running() {
                    let offsets = running.committed_offsets();
                    self.refusals.committed(partition, offsets);
                }
                self.succeeded();
                self.observe_commit(&batch, started);
                self.shared.faults.cross(FaultPoint::Applied)?;
                Ok(())
            }
            Err(error @ (log::Error::UnknownOutcome | log::Error::Aborted)) => {
                let is_aborted = matches!(error, log::Error::Aborted);
                observe::commit_failed(&self.shared.metrics, is_aborted);
                self.divisor.failed();
                self.start_over()
            }
            Err(log::Error::Refused { detail }) => {
                observe::commit_failed(&self.shared.metrics, true);
                let limits = &self.shared.limits;
                let refused = (&batch, reaches(&pending));
                let noted = self.refusals.refused(refused, limits, &detail);
                noted.map_err(|Hopeless| Error::Refused { detail })?;
                self.divisor.failed();
                self.start_over()
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Larger transactions may be tried, unless what the log refuses is being looked for.
    fn succeeded(&mut self) {
        let held = &self.partitions.0;
        let has_passed = |partition, reach: &Reach| match held.get(&partition) {
            Some(Held::Running(running)) => {
                let is_folded = running.committed_offsets().covers(&reach.offsets);
                is_folded && reach.fired_at.is_none_or(|at| !running.has_due_by(at))
            }
            Some(_) => false,
            // It is another worker's affair.
            None => true,
        };
        self.refusals.forget(has_passed);
        if !self.refusals.is_searching() {
            self.divisor.succeeded();
        }
    }

    fn assemble(
        &mut self,
        partitions: &[Partition],
        batch: &Batch,
    ) -> Result<(Transaction, BTreeMap<Partition, Pending>), Error> {
        let emitted_at = self.shared.wall.now();
        let mut transaction = Transaction::default();
        let mut write = |topic, record| transaction.outputs.push(Output { topic, record });
        for changes in batch.changes.values() {
            // Backwards, so that the first one that is met of a customer is its last.
            let mut met = HashSet::with_capacity(changes.len());
            let backwards = changes.iter().rev();
            let is_last: Vec<bool> = backwards
                .map(|change| met.insert(change.customer_id.as_str()))
                .collect();
            for (change, is_last) in changes.iter().zip(is_last.into_iter().rev()) {
                let record = outputs::change_record(change, &self.shared.topics.events, emitted_at)
                    .map_err(|source| Error::Encode(Box::new(source)))?;
                let record = Arc::new(record);
                // Side by side, so that a log can make both of the same bytes.
                write(Topic::Changes, Arc::clone(&record));
                if is_last {
                    write(Topic::Current, record);
                }
            }
        }
        for record in &batch.dead_letters {
            write(Topic::DeadLetters, Arc::clone(record));
        }
        let mut pending = BTreeMap::new();
        for partition in partitions {
            let running = self.partitions.get_mut(*partition);
            let running = running.ok_or(Error::NotRunning {
                partition: *partition,
            })?;
            let (commit, waiting) = running.assemble(emitted_at)?;
            transaction.partitions.push(commit);
            pending.insert(*partition, waiting);
        }
        Ok((transaction, pending))
    }

    fn apply(
        &mut self,
        committed: &[Committed],
        transaction: Transaction,
        mut pending: BTreeMap<Partition, Pending>,
    ) -> Result<(), Error> {
        for part in transaction.partitions {
            let partition = part.partition;
            let waiting = pending.remove(&partition);
            let running = self.partitions.get_mut(partition);
            let end = committed.iter().find(|end| end.partition == partition);
            let (Some(end), Some(running), Some(waiting)) = (end, running, waiting) else {
                return Err(Error::NotRunning { partition });
            };
            if !running.apply((part.state, waiting), end.changelog_next, &self.shared)? {
                self.change(partition, PhaseEvent::Displaced)?;
            }
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
        observe::record_times_ahead(metrics, batch.counts.record_times_ahead);
        let moves = batch.changes.values().flatten();
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
        rejections::unknown_fields(metrics, counts.unknown_fields);
        let now = self.shared.monotonic.now();
        let tally = &self.shared.tally;
        tally.found_elsewhere(&batch.findings_elsewhere);
        let entries = tally.found((&batch.findings, &batch.recent), counts.events, now);
        entries.iter().for_each(|entry| self.log_rejections(entry));
    }

    /// Writes to the log what became of events that went to the dead letters.
    pub(super) fn log_rejections(&self, entry: &Entry) {
        match entry {
            Entry::First {
                kind,
                position,
                field,
                allowed,
            } => {
                let topic = self.shared.topics.name(Topic::of_source(position.source));
                let topic = topic.unwrap_or(position.source.as_str());
                let place = (topic, position.partition.0, position.offset);
                rejections::first(named(*kind), place, field, allowed);
            }
            Entry::Since(counts) => {
                rejections::since(counts.iter().map(|(kind, count)| (named(*kind), *count)));
            }
            Entry::NearlyAll {
                lost,
                judged,
                kind,
                of_kind,
                field,
                allowed,
            } => {
                let most = (named(*kind), *of_kind);
                rejections::nearly_all((*lost, *judged), most, field, allowed);
            }
            Entry::NotNearlyAll => rejections::not_nearly_all(),
        }
    }
}

fn named((outcome, reason): Kind) -> (&'static str, &'static str) {
    (outcome.as_str(), reason)
}

fn reaches(pending: &BTreeMap<Partition, Pending>) -> BTreeMap<Partition, Reach> {
    let reach = |pending: &Pending| Reach {
        offsets: pending.checkpoint.offsets,
        fired_at: pending.checkpoint.clock.filter(|_| pending.has_fired),
    };
    let each = pending.iter();
    each.map(|(partition, pending)| (*partition, reach(pending)))
        .collect()
}
