//! What a worker does when partitions are assigned, restored, handed over or lost. The table of
//! [`crate::pipeline::partition::phase`] decides; this file carries it out.

use crate::domain::ids::Partition;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::batch::Batch;
use crate::pipeline::batch::Poll;
use crate::pipeline::partition::held::Held;
use crate::pipeline::partition::phase;
use crate::pipeline::partition::phase::Action;
use crate::pipeline::partition::phase::Phase;
use crate::pipeline::partition::phase::PhaseEvent;
use crate::pipeline::partition::restore::Restore;
use crate::pipeline::partition::restore::Step;
use crate::pipeline::partition::running::RunningPartition;
use crate::pipeline::worker::Worker;
use crate::telemetry::observe;

impl<L: WorkerLog> Worker<L> {
    pub(super) fn assigned(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        observe::assigned(&self.shared.metrics, partitions.len());
        if !self.has_committed {
            self.assigned_at_start.extend(partitions);
        }
        self.all(partitions, PhaseEvent::Assigned)
    }

    pub(super) fn revoked(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        self.commit()?;
        self.write_moved_clocks()?;
        observe::revoked(&self.shared.metrics, partitions.len());
        self.all(partitions, PhaseEvent::Revoked)
    }

    /// Another member may own these already, and the transaction in hand may hold some of theirs: all goes back to
    /// the checkpoints.
    pub(super) fn lost(&mut self, partitions: &[Partition]) -> Result<(), Error> {
        observe::revoked(&self.shared.metrics, partitions.len());
        self.start_over()?;
        self.all(partitions, PhaseEvent::Lost)
    }

    /// Drops everything in hand: the log says anew what is this worker's, and all of it is read from its checkpoints.
    pub(super) fn start_over(&mut self) -> Result<(), Error> {
        self.batch = Batch::divided(self.divisor);
        let held: Vec<Partition> = self.partitions.0.keys().copied().collect();
        self.all(&held, PhaseEvent::Aborted)?;
        self.log.restart();
        Ok(())
    }

    /// What was leaving before the log was polled has left.
    pub(super) fn handed_over(&mut self, leaving: &[Partition]) -> Result<(), Error> {
        self.all(leaving, PhaseEvent::HandedOver)
    }

    /// Another worker of the process has taken over a running partition. The transaction in hand may hold outputs of
    /// it, whose offsets this worker will not commit: all goes back to the checkpoints.
    pub(super) fn displaced(&mut self, partition: Partition) -> Result<(), Error> {
        self.change(partition, PhaseEvent::Displaced)?;
        if self.batch.is_empty() {
            return Ok(());
        }
        self.start_over()
    }

    /// What was done with a partition; none where another worker of the process has taken it over: then all goes back to
    /// the checkpoints.
    pub(super) fn unless_displaced<T>(
        &mut self,
        done: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(Error::Displaced { partition }) => {
                self.change(partition, PhaseEvent::Displaced)?;
                self.start_over()?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes back what another worker of the process has taken over and given up since.
    pub(super) fn take_back_freed(&mut self) -> Result<(), Error> {
        let displaced: Vec<Partition> = self.partitions.in_phase(Phase::Displaced).collect();
        for partition in displaced {
            if self.shared.partitions.is_free(partition) {
                self.change(partition, PhaseEvent::Freed)?;
            }
        }
        Ok(())
    }

    /// One chunk of one partition, so that running partitions go on meanwhile.
    pub(super) fn restore_a_chunk(&mut self) -> Result<(), Error> {
        let is_ready = |held: &Held| matches!(held, Held::Restoring(one) if !one.is_waiting());
        if !self.partitions.0.values().any(is_ready) {
            self.begin_a_restore()?;
        }
        let Some(partition) = self.partitions.next_to_restore() else {
            return Ok(());
        };
        let Some(Held::Restoring(restore)) = self.partitions.0.get_mut(&partition) else {
            return Ok(());
        };
        let step = match restore.advance(&mut self.log, &self.shared)? {
            Step::Done(()) => restore.finish(&mut self.log, &self.shared)?,
            Step::NotYet => Step::NotYet,
            Step::Displaced => Step::Displaced,
        };
        match step {
            Step::Done(running) => {
                self.change(partition, PhaseEvent::RestoreEnded)?;
                self.assigned_at_start.remove(&partition);
                let is_new = running.is_new();
                if !self.is_past_gate {
                    self.wait_at_gate(&running)?;
                }
                let running = Held::Running(Box::new(running));
                self.partitions.0.insert(partition, running);
                if !self.is_past_gate {
                    return Ok(());
                }
                // The first checkpoint claims the partition.
                let poll = Poll::without_deliveries(&self.shared);
                self.batch.start(&self.shared.limits, poll);
                // That of a new partition says under which definition it runs, and others wait for it.
                if is_new { self.commit() } else { Ok(()) }
            }
            Step::NotYet => Ok(()),
            Step::Displaced => self.change(partition, PhaseEvent::Displaced),
        }
    }

    /// A partition whose state is open and fits waits for the others.
    pub(super) fn wait_at_gate(&mut self, running: &RunningPartition) -> Result<(), Error> {
        let partition = running.owner().partition();
        self.log.pause(partition);
        self.require_ahead(running, self.shared.control.clock_at_end())?;
        if running.is_new() {
            // Nothing is committed under it yet, but all partitions are this process's: none begins under another one.
            self.shared.partitions.agree(running.definition());
        }
        self.shared.control.gate.opened(partition);
        Ok(())
    }

    /// Lets the partitions that have waited take deliveries, once all are open.
    pub(super) fn pass_gate(&mut self) -> Result<(), Error> {
        if self.is_past_gate || !self.shared.control.gate.is_open() {
            return Ok(());
        }
        self.is_past_gate = true;
        let mut has_new = false;
        for (partition, running) in self.partitions.running() {
            self.log.resume_at(partition, running.offsets())?;
            has_new |= running.is_new();
            // The first checkpoint claims the partition.
            let poll = Poll::without_deliveries(&self.shared);
            self.batch.start(&self.shared.limits, poll);
        }
        if has_new { self.commit() } else { Ok(()) }
    }

    /// The partition after the last one that was asked for, so that one of which the log cannot say anything yet does
    /// not hold up the rest.
    fn begin_a_restore(&mut self) -> Result<(), Error> {
        let asked = self.asked_last;
        let Some(partition) = self.partitions.next_in_phase(Phase::Waiting, asked) else {
            return Ok(());
        };
        self.asked_last = partition;
        let Some(Held::Waiting(owner)) = self.partitions.0.get(&partition) else {
            return Ok(());
        };
        let is_at_start = self.assigned_at_start.contains(&partition);
        match Restore::begin(*owner, is_at_start, &mut self.log, &self.shared)? {
            Step::Done(restore) => {
                self.change(partition, PhaseEvent::RestoreBegan)?;
                let restore = Held::Restoring(Box::new(restore));
                self.partitions.0.insert(partition, restore);
                Ok(())
            }
            Step::NotYet => Ok(()),
            Step::Displaced => self.change(partition, PhaseEvent::Displaced),
        }
    }

    fn all(&mut self, partitions: &[Partition], event: PhaseEvent) -> Result<(), Error> {
        let mut each = partitions.iter();
        each.try_for_each(|partition| self.change(*partition, event))
    }

    /// Carries out what the table says of an event.
    pub(super) fn change(&mut self, partition: Partition, event: PhaseEvent) -> Result<(), Error> {
        let held = self.partitions.0.get(&partition);
        let before = held.map(Held::phase);
        let store = held.and_then(Held::store);
        let mut owner = held.and_then(Held::owner);
        let (mut after, actions) = phase::next(before, event)?;
        let partitions = &self.shared.partitions;
        for action in actions {
            match (action, owner) {
                (Action::Take, _) => owner = Some(partitions.take(partition)),
                (Action::TakeBack, Some(had)) => match partitions.take_back(had) {
                    Some(taken) => owner = Some(taken),
                    None => after = Some(Phase::Displaced),
                },
                (Action::Pause, _) => self.log.pause(partition),
                (Action::Flush, Some(owner)) => {
                    if let Some(store) = &store {
                        store.flush(owner.epoch())?;
                    }
                }
                (Action::Release, Some(owner)) => partitions.release(owner),
                (Action::Unmark, Some(owner)) => partitions.unmark(owner)?,
                (Action::TakeBack | Action::Flush | Action::Release | Action::Unmark, None) => {}
            }
        }
        if after == before {
            return Ok(());
        }
        let held = match (after, owner) {
            (Some(Phase::Waiting), Some(owner)) => Some(Held::Waiting(owner)),
            (Some(Phase::Unconfirmed), Some(owner)) => Some(Held::Unconfirmed(owner)),
            (Some(Phase::Displaced), Some(owner)) => Some(Held::Displaced(owner)),
            (Some(Phase::Leaving), _) => Some(Held::Leaving),
            // The caller puts in what it has made.
            (Some(Phase::Restoring | Phase::Running), _) => return Ok(()),
            (None | Some(Phase::Waiting | Phase::Unconfirmed | Phase::Displaced), _) => None,
        };
        match held {
            Some(held) => self.partitions.0.insert(partition, held),
            None => self.partitions.0.remove(&partition),
        };
        Ok(())
    }
}
