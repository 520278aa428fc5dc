//! How far a worker's partitions are: lags, clocks, and the ends of a run that has some.

use std::time::Duration;

use crate::domain::ids::Partition;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::log::Progress;
use crate::log::WorkerLog;
use crate::pipeline::Error;
use crate::pipeline::partition::running::RunningPartition;
use crate::pipeline::partition::wall::WallTime;
use crate::pipeline::worker::Worker;
use crate::telemetry::observe;

/// From an answer to the next question.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

impl<L: WorkerLog> Worker<L> {
    /// Lags, ends and clocks, about once a second.
    pub(super) fn ask_for_progress(&mut self) -> Result<(), Error> {
        let now = self.shared.monotonic.now();
        let is_due = self
            .progress_known_at
            .is_none_or(|known_at| now.saturating_duration_since(known_at) >= PROGRESS_INTERVAL);
        if !is_due {
            return Ok(());
        }
        if let Some(entry) = self.shared.tally.look(now) {
            self.log_rejections(&entry);
        }
        // It is looked at also where nothing runs, so that a jump is said at once.
        let wall = self.shared.look_at_wall();
        if self.partitions.running().next().is_none() {
            return Ok(());
        }
        // The wall time is taken before the question: events that were written to the log before it are counted in the
        // answer. Record times of transfers may be older; they do not move the clock.
        let running: Vec<Partition> = self.partitions.running().map(|(each, _)| each).collect();
        if let Some(answer) = self.log.progress(&running, wall.now)? {
            self.progress_known_at = Some(now);
            for partition in running {
                // Lag and clock of a partition without an answer stand still.
                let progress = answer.partitions.get(&partition);
                self.note_progress(partition, progress, (answer.asked_at, wall))?;
            }
        }
        if now.saturating_duration_since(self.checkpointed_at)
            >= self.shared.limits.checkpoint_interval
        {
            self.write_moved_clocks()?;
        }
        Ok(())
    }

    /// Takes over how far a partition was read, given the wall time at which its ends were asked for and that of now.
    fn note_progress(
        &mut self,
        partition: Partition,
        progress: Option<&Progress>,
        (asked_at, wall): (Timestamp, WallTime),
    ) -> Result<(), Error> {
        let Some(running) = self.partitions.get_mut(partition) else {
            return Ok(());
        };
        if !self.shared.partitions.is_current(running.owner()) {
            return self.displaced(partition);
        }
        let Some(progress) = progress else {
            return Ok(());
        };
        let mut passed = running.offsets();
        let mut ends = AppliedOffsets::default();
        for (source, read) in progress {
            ends = ends.with(*source, read.end);
            let position = read.position.unwrap_or(0).max(passed.next(*source));
            passed = passed.with(*source, position);
        }
        let committed = if running.has_moved() {
            running.committed_offsets()
        } else {
            passed
        };
        let lag = committed.short_of(&ends);
        // A run with ends uses record times only, never the wall clock.
        if passed.covers(&ends) && !self.shared.control.has_ends() && !wall.is_held {
            running.caught_up(asked_at);
        }
        let end = self.shared.control.end_of(partition);
        // What is beyond the end that was asked for is for another run.
        let passed_all = passed.covers(&end.unwrap_or(ends));
        if passed_all && !running.has_moved() {
            running.pass(end.unwrap_or(passed));
        }
        let now = self.shared.monotonic.now();
        let mode = self.shared.clock_rules.mode;
        let late_seconds = running.deadline_lag_seconds(mode, now);
        let owner = running.owner();
        self.shared.partitions.observe(owner, |metrics, number| {
            observe::lag(metrics, number, lag);
            observe::deadline_lag(metrics, number, late_seconds);
        });
        // An end made of control or aborted records is never delivered, only passed.
        if end.is_some_and(|end| committed.covers(&end)) {
            self.shared.control.reached(partition);
        }
        Ok(())
    }

    /// Commits what was taken or passed, and the clocks that moved.
    pub(super) fn write_moved_clocks(&mut self) -> Result<(), Error> {
        self.checkpointed_at = self.shared.monotonic.now();
        let moved: Vec<Partition> = self
            .partitions
            .running()
            .filter(|(_, running)| {
                running.has_moved() || running.has_moved_offsets() || running.has_moved_clock()
            })
            .map(|(partition, _)| partition)
            .collect();
        if moved.is_empty() {
            Ok(())
        } else {
            self.commit_partitions(&moved)
        }
    }

    /// Moves clocks and notes what is finished, in a run with ends; `true` when no partition has anything left to do. Those
    /// of other workers of the process count too: they may come to this one. A partition of another process has nothing
    /// left to do when the group has committed it up to its end.
    pub(super) fn finish_at_ends(&mut self) -> Result<bool, Error> {
        if !self.shared.control.has_ends() || !self.note_reached_ends() {
            return Ok(false);
        }
        if !self.shared.control.has_reached_all() {
            self.ask_for_others()?;
            if !self.shared.control.has_reached_all() {
                return Ok(false);
            }
        }
        let clock_at_end = self.shared.control.clock_at_end();
        for (_, running) in self.partitions.running() {
            self.require_ahead(running, clock_at_end)?;
        }
        for (_, running) in self.partitions.running_mut() {
            if let Some(instant) = clock_at_end {
                running.advance_clock(instant);
            }
            let is_finished = !running.has_moved() && !running.has_due();
            self.shared.partitions.finish(running.owner(), is_finished);
        }
        if !self.has_finished_all() {
            self.ask_for_others()?;
        }
        let has_finished = self.has_finished_all();
        if has_finished {
            let partitions = &self.shared.partitions;
            let all = self.shared.control.partitions();
            let of_others = all.filter(|partition| !partitions.is_finished(*partition));
            self.shared.control.leave_to_others(of_others.count());
        }
        Ok(has_finished)
    }

    /// Refuses to move a clock to an instant that it has passed.
    pub(super) fn require_ahead(
        &self,
        running: &RunningPartition,
        instant: Option<Timestamp>,
    ) -> Result<(), Error> {
        match (running.clock(), instant) {
            (Some(clock), Some(instant)) if clock > instant => Err(Error::ClockBeyond {
                partition: running.owner().partition(),
                clock,
                instant,
            }),
            _ => Ok(()),
        }
    }

    /// Notes the partitions that are committed up to their ends; `true` when all that this worker has are.
    fn note_reached_ends(&self) -> bool {
        let mut have_all_reached = true;
        for (partition, running) in self.partitions.running() {
            let end = self.shared.control.end_of(partition);
            if end.is_some_and(|end| running.committed_offsets().covers(&end)) {
                self.shared.control.reached(partition);
            } else {
                have_all_reached = false;
            }
        }
        have_all_reached && !self.partitions.is_unconfirmed() && !self.partitions.is_restoring()
    }

    /// Notes how far the group has committed the partitions of other processes, about once a second.
    fn ask_for_others(&mut self) -> Result<(), Error> {
        let now = self.shared.monotonic.now();
        let is_due = |asked_at| now.saturating_duration_since(asked_at) >= PROGRESS_INTERVAL;
        if !self.others.asked_at.is_none_or(is_due) {
            return Ok(());
        }
        let of_others = self.log.of_others()?;
        self.others.asked_at = Some(self.shared.monotonic.now());
        self.others.partitions.clear();
        for (partition, committed) in of_others.unwrap_or_default() {
            let end = self.shared.control.end_of(partition);
            if end.is_some_and(|end| committed.covers(&end)) {
                self.shared.control.reached(partition);
                self.others.partitions.insert(partition);
            }
        }
        Ok(())
    }

    fn has_finished_all(&self) -> bool {
        let partitions = &self.shared.partitions;
        let is_of_others = |partition| {
            self.others.partitions.contains(&partition) && partitions.is_free(partition)
        };
        let mut all = self.shared.control.partitions();
        all.all(|partition| partitions.is_finished(partition) || is_of_others(partition))
    }
}
