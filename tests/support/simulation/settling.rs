//! The end of a schedule: nothing goes wrong any more, and everything comes to rest. And the mistakes that a
//! process could make there.

use std::collections::BTreeMap;
use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::time::DAY_MS;
use segstream::domain::time::Timestamp;
use segstream::engine::verdict::Outcome;
use segstream::pipeline::control::Counts;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::pipeline::partitions::Phase;
use segstream::telemetry::observe;

use super::Bug;
use super::feed;
use super::process::free_space;
use super::schedule::Schedule;

/// Turns after which everything must have settled.
const ROUNDS_MAX: u32 = 600;
/// Rounds without a transaction after which there is nothing left to do.
const ROUNDS_QUIET: u32 = 4;

impl Schedule {
    /// Nothing goes wrong any more, everything is sent, and on the wall clock so much time passes; where each
    /// clock stands then, if it is not told by the log.
    pub(super) fn settle(&mut self) -> Option<Timestamp> {
        self.world.group.lock().is_calm = true;
        self.world.crash_plan.arm(None);
        self.fenced.clear();
        for number in 0..self.slots.len() {
            let process = self.slots[number].process.as_ref();
            if process.is_some_and(|process| free_space(&process.root, self.partitions)) {
                self.kill(number);
            }
        }
        while !self.feed.lock().unwrap().is_sent() {
            self.send();
        }
        let days = [0, 30, 1500][self.chance.below(3) as usize];
        for process in 0..feed::PROCESSES_MAX {
            self.clocks.set_behind_ms(process, 0);
        }
        let end_ms = self.clocks.now_ms() + days * DAY_MS + 60_000;
        let end = Timestamp::from_milliseconds(end_ms).unwrap();
        self.clocks.set_wall_ms(end.as_milliseconds());
        let is_wall = self.world.settings.mode == ClockMode::Wall;
        let clock = is_wall.then(|| end.plus_milliseconds(-feed::grace_ms()));
        self.settle_at(clock);
        clock
    }

    pub(super) fn settle_at(&mut self, clock: Option<Timestamp>) {
        for number in 0..self.slots.len() {
            if self.slots[number].process.is_none() {
                self.start(number);
            }
        }
        let limits = self.world.settings.limits;
        let step = limits.checkpoint_interval.max(limits.commit_interval) + Duration::from_secs(1);
        let (mut quiet, mut transactions) = (0, 0);
        for _ in 0..ROUNDS_MAX {
            let mut state = self.world.group.lock();
            state.decide_undecided();
            state.balance();
            drop(state);
            for number in 0..self.slots.len() {
                for worker in 0..self.slots[number].workers {
                    self.turn(number, worker);
                }
            }
            self.clocks.tick(step);
            let now = self.world.group.lock().applied.len();
            quiet = if now == transactions { quiet + 1 } else { 0 };
            transactions = now;
            if quiet >= ROUNDS_QUIET && self.unsettled(clock).is_none() {
                if !self.end_sessions_behind() {
                    return;
                }
                quiet = 0;
            }
        }
        let processes = self.slots.iter().filter_map(|slot| slot.process.as_ref());
        for (process, worker) in processes.flat_map(|one| one.workers.iter().map(move |w| (one, w)))
        {
            let phases = worker.lock().unwrap().phases();
            println!(
                "phases of a worker of process {}: {phases:?}",
                process.number
            );
        }
        panic!("it does not settle: {:?}", self.unsettled(clock));
    }

    /// A worker that got a partition back without a word finds with its next transaction that another one has written
    /// since. Where no transaction comes any more, its session ends here; whether one did.
    fn end_sessions_behind(&self) -> bool {
        let mut has_ended = false;
        let mut state = self.world.group.lock();
        for (partition, owner) in state.owners.clone() {
            let process = self.slots[owner.process].process.as_ref();
            let phase = process.and_then(|process| process.shared.partitions.phase(partition));
            if let Some(Phase::Running(store)) = phase
                && store.changelog_next() < state.changelog_end(partition)
            {
                state.expire(owner);
                has_ended = true;
            }
        }
        has_ended
    }

    /// What is still to be done.
    fn unsettled(&self, clock: Option<Timestamp>) -> Option<String> {
        let mut state = self.world.group.lock();
        for (id, member) in &state.members {
            if !member.is_member || !member.notes.is_empty() || !member.leaving.is_empty() {
                return Some(format!("{id:?} has not heard everything"));
            }
        }
        for partition in (0..self.partitions).map(Partition) {
            let owner = state.owners.get(&partition).copied();
            for source in Source::ALL {
                let (end, committed) = state.place(source, partition);
                if committed < end {
                    return Some(format!(
                        "{source:?} of {partition} are at {committed} of {end}"
                    ));
                }
            }
            let Some(process) = owner.and_then(|id| self.slots[id.process].process.as_ref()) else {
                return Some(format!("partition {partition} is nobody's"));
            };
            let Some(Phase::Running(store)) = process.shared.partitions.phase(partition) else {
                return Some(format!("partition {partition} does not run"));
            };
            let stands = store.checkpoint().and_then(|checkpoint| checkpoint.clock);
            if clock.is_some() && stands != clock {
                return Some(format!("the clock of {partition} stands at {stands:?}"));
            }
        }
        None
    }

    /// What a process would show that made one of these mistakes.
    pub(super) fn plant(&self, bug: Option<Bug>) {
        let (Some(bug), Some(process)) = (bug, &self.slots[0].process) else {
            return;
        };
        let state = self.world.group.lock();
        let is_elsewhere = |partition: &Partition| {
            let owner = state.owners.get(partition);
            owner.is_some_and(|owner| owner.process != process.number)
        };
        let elsewhere = (0..self.partitions).map(Partition).find(is_elsewhere);
        let partitions = &process.shared.partitions;
        match (bug, elsewhere) {
            (Bug::MarkStays, Some(gone)) => partitions.directory().mark_owned(gone).unwrap(),
            (Bug::PhaseStays, Some(gone)) => drop(partitions.take(gone)),
            (Bug::GaugeStays, Some(_)) => {
                let segment = process.shared.model.segments()[0].id.clone();
                observe::customers_moved(&process.shared.metrics, segment.as_str(), None, 1);
            }
            (Bug::AbortedCounted, _) if state.refused > 0 => {
                process.shared.tally.add(&Counts {
                    verdicts: BTreeMap::from([(Outcome::Applied, 1)]),
                    ..Counts::default()
                });
            }
            _ => {}
        }
    }
}
