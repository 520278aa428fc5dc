//! One schedule: what happens next, until everything settles and is compared with the oracle, twice: the second
//! time after every process was killed and started again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use segstream::domain::ids::Position;
use segstream::faults::Fault;
use segstream::faults::FaultPoint;
use segstream::faults::Faults;
use segstream::log;
use segstream::log::embedded::EmbeddedLog;
use segstream::log::embedded::InputRecord;
use segstream::log::embedded::LogOptions;
use segstream::pipeline::Error;
use segstream::pipeline::control::Counts;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::pipeline::worker::Worker;
use segstream::store;

use super::Bug;
use super::Hits;
use super::Kind;
use super::checks;
use super::faulty_log::SIMULATED;
use super::feed;
use super::feed::Clocks;
use super::feed::Feed;
use super::group::Group;
use super::group::MemberId;
use super::older;
use super::oracle;
use super::process::CrashPlan;
use super::process::OwnWorker;
use super::process::Process;
use super::process::Settings;
use super::process::World;
use super::process::damage;
use super::readers;
use crate::support::Chance;
use crate::support::copy_directory;

/// A place for a process: running, or dead with what it left behind.
pub(super) struct Slot {
    pub(super) workers: usize,
    pub(super) process: Option<Process>,
    pub(super) left_behind: PathBuf,
    pub(super) older: Option<PathBuf>,
}

pub(super) struct Schedule {
    pub(super) world: World,
    pub(super) chance: Chance,
    pub(super) feed: Arc<Mutex<Feed>>,
    pub(super) clocks: Clocks,
    pub(super) slots: Vec<Slot>,
    /// Processes whose place another one has taken.
    pub(super) fenced: Vec<Process>,
    pub(super) past: Vec<Counts>,
    pub(super) partitions: u32,
    pub(super) directories: u32,
    pub(super) kills_left: u32,
    pub(super) deletions_left: u64,
}

/// Runs the schedule of a seed with what may happen in it; what happened.
pub fn run(seed: u64, enabled: &BTreeSet<Kind>, bug: Option<Bug>, root: &Path) -> Hits {
    let mut schedule = Schedule::new(seed, enabled, bug, root);
    let acts = 60 + schedule.chance.below(240);
    let upgraded_at = schedule.chance.below(acts);
    for number in 0..acts {
        if number == upgraded_at {
            schedule.upgrade();
        }
        schedule.act();
    }
    let clock = schedule.settle();
    let inputs: Vec<(Position, InputRecord)> =
        schedule.world.log.inputs().map(Result::unwrap).collect();
    let transfers = schedule.world.log.transfers().map(Result::unwrap);
    let transfers: Vec<(Position, InputRecord)> = transfers.collect();
    let state = schedule.world.group.lock();
    let deletions = oracle::Deletions {
        before: state.deletions.committed.clone(),
        published: checks::published_sequences(&schedule.world),
    };
    drop(state);
    let mode = schedule.world.settings.mode;
    let expected = oracle::fold((&inputs, &transfers), mode, clock, deletions);
    schedule.plant(bug);
    schedule.check(&expected);
    for number in 0..schedule.slots.len() {
        schedule.kill(number);
    }
    if schedule.chance.below(2) == 0 {
        schedule.lose_stores();
    }
    schedule.settle_at(clock);
    schedule.check(&expected);
    schedule.world.group.lock().hits.clone()
}

impl Schedule {
    fn new(seed: u64, enabled: &BTreeSet<Kind>, bug: Option<Bug>, root: &Path) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9));
        let mode = [ClockMode::Event, ClockMode::Wall][chance.below(2) as usize];
        let partitions = 2 + chance.below(2) as u32;
        // Each schedule has a choice of what may happen, so that rare companies meet too.
        let kinds = enabled.iter().copied();
        let kinds: BTreeSet<Kind> = kinds.filter(|_| chance.below(3) > 0).collect();
        let options = LogOptions {
            segment_bytes: 10_000,
            ..LogOptions::new(partitions, Faults::none())
        };
        let log = EmbeddedLog::open_with(&root.join("log"), &options).unwrap();
        let clocks = Clocks::new();
        let behind = Box::new(log.member());
        let group_chance = Chance(chance.next());
        let is_uncompacted = kinds.contains(&Kind::Uncompacted) && chance.below(2) == 0;
        let group = Group::new(
            behind,
            partitions,
            clocks.clone(),
            group_chance,
            (kinds, bug),
        );
        group.lock().is_compacted_late = is_uncompacted;
        let feed = Feed::new(seed, mode, log.clone(), &mut chance);
        feed.allow(&clocks);
        let feed = Arc::new(Mutex::new(feed));
        group.lock().others.feed = Some(Arc::clone(&feed));
        let settings = Settings::any(mode, &mut chance);
        let processes = 1 + chance.below(feed::PROCESSES_MAX as u64) as usize;
        let workers_max = if processes == 1 { 3 } else { 2 };
        let slots = (0..processes).map(|number| Slot {
            workers: 1 + chance.below(workers_max) as usize,
            process: None,
            left_behind: root.join(format!("store-{number}")),
            older: None,
        });
        let slots = slots.collect();
        let kills_left = chance.below(6) as u32;
        let mut state = group.lock();
        state.is_older = state.kinds.contains(&Kind::OlderFormat) && chance.below(2) == 0;
        if state.kinds.contains(&Kind::TombstonesRemoved) {
            let hours = [1, 24, 24 * 20][chance.below(3) as usize];
            state.tombstones_kept = Some(Duration::from_secs(hours * 3600));
        }
        drop(state);
        let deletions_left = chance.below(6);
        Self {
            world: World {
                log,
                group,
                settings,
                crash_plan: CrashPlan::default(),
                root: root.to_owned(),
            },
            chance,
            feed,
            clocks,
            slots,
            fenced: Vec::new(),
            past: Vec::new(),
            partitions,
            directories: 0,
            kills_left,
            deletions_left,
        }
    }

    fn act(&mut self) {
        match self.chance.below(100) {
            0..70 => self.turn_of_any(),
            70..80 => self.send(),
            80..88 => self.pass_time(),
            88..91 if self.deletions_left > 0 => self.delete(),
            _ => self.upset(),
        }
        if self.chance.below(4) == 0 {
            self.world.group.lock().balance();
        }
        if self.chance.below(8) == 0 {
            let processes = self.slots.iter().filter_map(|slot| slot.process.as_ref());
            processes.for_each(|process| readers::check(&self.world, process));
        }
    }

    pub(super) fn send(&self) {
        self.feed.lock().unwrap().send(&self.world.group);
    }

    fn pass_time(&mut self) {
        let milliseconds = [1, 300, 1100, 6000, 70_000][self.chance.below(5) as usize];
        self.clocks.tick(Duration::from_millis(milliseconds));
        self.clocks.pass(self.chance.below(101));
        if self.world.group.lock().strikes(Kind::WallGoesBack, 3) {
            let process = self.chance.below(feed::PROCESSES_MAX as u64) as usize;
            let behind_ms = self.chance.below(8000) as i64;
            self.clocks.set_behind_ms(process, behind_ms);
        }
    }

    /// Something happens to a process or to the group.
    fn upset(&mut self) {
        let number = self.chance.below(self.slots.len() as u64) as usize;
        let worker = self.chance.below(self.slots[number].workers as u64) as usize;
        let id = MemberId {
            process: number,
            worker,
        };
        let what = self.chance.below(8);
        let mut state = self.world.group.lock();
        match what {
            0 | 1 if state.kinds.contains(&Kind::Revoked) => state.revoke(id),
            2 if state.kinds.contains(&Kind::Lost) => state.expire(id),
            3 if state.chance.below(2) == 0 => state.decide_undecided(),
            4 if self.slots[number].process.is_none() => {
                drop(state);
                self.start(number);
            }
            4 | 5 if self.kills_left > 0 && state.strikes(Kind::Killed, 3) => {
                self.kills_left -= 1;
                drop(state);
                self.kill(number);
            }
            6 if self.kills_left > 0 && state.kinds.contains(&Kind::KilledAtCrossing) => {
                self.kills_left -= 1;
                self.world.crash_plan.arm(Some(self.chance.below(30)));
            }
            7 if state.strikes(Kind::Stopped, 4) => {
                drop(state);
                self.stop(number);
            }
            _ => {}
        }
    }

    /// A process commits what it has in hand, writes its stores, and ends.
    fn stop(&mut self, number: usize) {
        let Some(process) = &self.slots[number].process else {
            return;
        };
        process.shared.control.stop();
        for worker in 0..self.slots[number].workers {
            // Where a worker failed, another process may have taken the place; that one is not asked to stop.
            let process = self.slots[number].process.as_ref();
            if process.is_none_or(|process| !process.shared.control.is_stopping()) {
                return;
            }
            self.work(number, worker, Worker::run);
        }
        let process = self.slots[number].process.as_ref();
        if process.is_some_and(|process| process.shared.control.is_stopping()) {
            self.kill(number);
        }
    }

    fn turn_of_any(&mut self) {
        if !self.fenced.is_empty() && self.chance.below(3) == 0 {
            let place = self.chance.below(self.fenced.len() as u64) as usize;
            self.turn_of_fenced(place);
            return;
        }
        let number = self.chance.below(self.slots.len() as u64) as usize;
        let worker = self.chance.below(self.slots[number].workers as u64) as usize;
        if self.slots[number].process.is_none() && self.chance.below(4) == 0 {
            self.start(number);
        }
        self.turn(number, worker);
    }

    pub(super) fn turn(&mut self, number: usize, worker: usize) {
        self.work(number, worker, Worker::turn);
    }

    /// A worker does something; if the schedule has it fail, its process dies.
    fn work(
        &mut self,
        number: usize,
        worker: usize,
        work: fn(&mut OwnWorker) -> Result<(), Error>,
    ) {
        let Some(process) = &self.slots[number].process else {
            return;
        };
        let id = process.member(worker);
        let worker = Arc::clone(&process.workers[worker]);
        let done = work(&mut worker.lock().unwrap());
        drop(worker);
        self.all_ended(done.err().map(|error| (id, error)));
    }

    /// A worker that stopped, and those that stopped while it worked.
    fn all_ended(&mut self, last: Option<(MemberId, Error)>) {
        let mut ended = std::mem::take(&mut self.world.group.lock().others.ended);
        ended.extend(last);
        let mut failed: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (id, error) in ended {
            self.ended(id, &error);
            failed.entry(id.process).or_default().insert(id.worker);
        }
        for (process, workers) in failed {
            self.end(process, &workers);
        }
    }

    /// Whether a worker may end with this error.
    fn ended(&mut self, id: MemberId, error: &Error) {
        let mut state = self.world.group.lock();
        match fault_of(error) {
            Some(fault) => {
                state.hit(Kind::KilledAtCrossing);
                *state.hits.points.entry(fault.point).or_default() += 1;
                if fault.point == FaultPoint::Committed {
                    state.forget_last_of(id);
                }
            }
            None if is_simulated(error) || is_full(error) => {}
            None => panic!("{id:?} stopped: {error:?}"),
        }
    }

    fn turn_of_fenced(&mut self, place: usize) {
        let worker = self.chance.below(self.fenced[place].workers.len() as u64) as usize;
        let worker = Arc::clone(&self.fenced[place].workers[worker]);
        let done = worker.lock().unwrap().turn();
        self.all_ended(None);
        match done {
            Ok(()) => {}
            Err(Error::Log(log::Error::Fenced)) => drop(self.fenced.remove(place)),
            Err(error) if fault_of(&error).is_some() || is_simulated(&error) || is_full(&error) => {
                drop(self.fenced.remove(place));
            }
            // Another of its workers has ended between a write to this store and the note of it, which ends a process.
            Err(Error::Store(store::Error::Untrusted { .. })) => drop(self.fenced.remove(place)),
            Err(error) => panic!("a fenced process stopped: {error:?}"),
        }
    }

    /// A process dies; what is on disk then is what the next one starts from.
    pub(super) fn kill(&mut self, number: usize) {
        self.end(number, &BTreeSet::new());
    }

    /// A process dies, because these workers have failed. Where it goes on nevertheless, its other workers do.
    fn end(&mut self, number: usize, failed: &BTreeSet<usize>) {
        let Some(mut process) = self.slots[number].process.take() else {
            return;
        };
        let left_behind = self.directory();
        process.left_behind(&left_behind, self.partitions);
        self.past.push(process.shared.tally.counts());
        let mut state = self.world.group.lock();
        for worker in 0..process.workers.len() {
            state.die(process.member(worker));
            if state.strikes(Kind::DeadExpired, 2) {
                state.expire(process.member(worker));
            }
        }
        let is_older = state.strikes(Kind::StoreOlder, 3);
        let goes_on = state.strikes(Kind::Fenced, 4);
        drop(state);
        let slot = &mut self.slots[number];
        slot.left_behind = left_behind;
        if is_older && let Some(older) = slot.older.take() {
            slot.left_behind = older;
        } else if self.chance.below(2) == 0 {
            let left_behind = self.slots[number].left_behind.clone();
            let older = self.directory();
            copy_directory(&left_behind, &older);
            self.slots[number].older = Some(older);
        }
        for worker in failed.iter().rev() {
            drop(process.workers.remove(*worker));
        }
        if goes_on && !process.workers.is_empty() {
            self.fenced.push(process);
            self.start(number);
        } else {
            let root = process.root.clone();
            drop(process);
            std::fs::remove_dir_all(root).unwrap();
        }
    }

    fn directory(&mut self) -> PathBuf {
        self.directories += 1;
        self.world.root.join(format!("left-{}", self.directories))
    }

    pub(super) fn start(&mut self, number: usize) {
        let (workers, root) = {
            let slot = &self.slots[number];
            (slot.workers, slot.left_behind.clone())
        };
        damage(&root, self.partitions, &self.world.group);
        let process = Process::start(&self.world, number, workers, root);
        self.slots[number].process = Some(process);
    }

    /// All processes are of the newer version from now on. They find what those of the older one left.
    fn upgrade(&mut self) {
        if !self.world.group.lock().is_older {
            return;
        }
        self.fenced.clear();
        // Nothing goes wrong with those that are killed now.
        self.world.group.lock().is_calm = true;
        for number in 0..self.slots.len() {
            self.kill(number);
        }
        let mut state = self.world.group.lock();
        state.is_calm = false;
        state.decide_undecided();
        state.is_older = false;
        state.hit(Kind::OlderFormat);
        drop(state);
        for number in 0..self.slots.len() {
            let left_behind = self.slots[number].left_behind.clone();
            self.slots[number].older = None;
            if !left_behind.exists() {
                continue;
            }
            let older = self.directory();
            copy_directory(&left_behind, &older);
            older::put_back_stores(&left_behind, &older, self.partitions);
            // The database lets the lock of its directory go a moment later.
            let copy = self.directory();
            copy_directory(&older, &copy);
            self.slots[number].left_behind = copy;
        }
    }

    /// What is on disk is gone, but for the log.
    fn lose_stores(&mut self) {
        for slot in &self.slots {
            if slot.left_behind.exists() {
                std::fs::remove_dir_all(&slot.left_behind).unwrap();
            }
        }
    }

    fn check(&self, expected: &oracle::Expected) {
        let slots = self.slots.iter();
        let processes: Vec<&Process> = slots.filter_map(|slot| slot.process.as_ref()).collect();
        checks::check(&self.world, &processes, expected, &self.past);
    }
}

/// The log failed because the schedule had it fail.
fn is_simulated(error: &Error) -> bool {
    matches!(error, Error::Log(log::Error::Io { path, .. }) if path == SIMULATED)
}

/// No space was left on the disk.
fn is_full(error: &Error) -> bool {
    matches!(error, Error::Store(store::Error::Full { .. }))
}

/// The crossing at which a process was killed; `None` where it stopped by itself.
fn fault_of(error: &Error) -> Option<Fault> {
    match error {
        Error::Fault(fault)
        | Error::Log(log::Error::Fault(fault))
        | Error::Store(store::Error::Fault(fault)) => Some(*fault),
        _ => None,
    }
}
