//! What else goes on while a worker waits for an answer of its log: other workers take turns, producers send,
//! and the worker's session may end. So whatever can come between two steps of a thread comes between them
//! here, in one thread and in an order that the seed decides.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;
use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::log::WorkerLog;
use segstream::pipeline::Error;
use segstream::pipeline::worker::Worker;

use super::Kind;
use super::feed::Feed;
use super::group::Group;
use super::group::MemberId;

/// Calls within calls.
const DEPTH_MAX: u32 = 2;
/// Enough to restore a partition, to take deliveries and to commit.
const TURNS_OF_THE_NEXT_OWNER: u32 = 30;

/// Somebody who can take a turn.
pub trait Turn: Send + Sync {
    /// `None` where it is in the middle of one.
    fn try_turn(&self) -> Option<Result<(), Error>>;
}

impl<L: WorkerLog> Turn for Mutex<Worker<L>> {
    fn try_turn(&self) -> Option<Result<(), Error>> {
        Some(self.try_lock().ok()?.turn())
    }
}

/// Who may go on meanwhile.
#[derive(Default)]
pub struct Others {
    pub workers: Vec<(MemberId, Weak<dyn Turn>)>,
    pub feed: Option<Arc<Mutex<Feed>>>,
    /// Workers that stopped within somebody else's call.
    pub ended: Vec<(MemberId, Error)>,
    depth: u32,
}

impl Group {
    /// Lets others go on while a call of a worker is under way.
    pub fn let_others_work(&self, id: MemberId) {
        let mut state = self.lock();
        if state.others.depth >= DEPTH_MAX || !state.strikes(Kind::Interleaved, 15) {
            return;
        }
        if state.kinds.contains(&Kind::Lost) && state.chance.below(4) == 0 {
            state.expire(id);
        }
        if state.chance.below(2) == 0 {
            state.balance();
        }
        let feed = state
            .others
            .feed
            .clone()
            .filter(|_| state.chance.below(4) == 0);
        state.others.depth += 1;
        // Now and then long enough for another to restore a partition and to commit.
        let longest = [8, 8, 8, 60][state.chance.below(4) as usize];
        let turns = 1 + state.chance.below(longest);
        let favourite = state.chance.next();
        drop(state);
        if let Some(feed) = feed {
            feed.lock().unwrap().send(self);
        }
        for _ in 0..turns {
            self.turn_of_another(favourite);
        }
        self.lock().others.depth -= 1;
    }

    /// Time passes while a worker is asked something: an event may come after the answer was made, and the clock may
    /// go on to the next one.
    pub fn let_time_pass(&self) {
        let mut state = self.lock();
        if !state.strikes(Kind::ClockMovesInProgress, 2) {
            return;
        }
        // Most often as far as it may.
        let hundredths = state.chance.below(300).min(100);
        let feed = state.others.feed.clone();
        let feed = feed.filter(|_| state.chance.below(2) == 0);
        drop(state);
        if let Some(feed) = feed {
            feed.lock().unwrap().send(self);
        }
        self.lock().clocks.pass(hundredths);
    }

    fn turn_of_another(&self, favourite: u64) {
        let mut state = self.lock();
        state
            .others
            .workers
            .retain(|(_, worker)| worker.strong_count() > 0);
        let workers = state.others.workers.len().max(1) as u64;
        let place = if state.chance.below(3) == 0 {
            state.chance.below(workers)
        } else {
            favourite % workers
        };
        let place = place as usize;
        let Some((id, worker)) = state.others.workers.get(place).cloned() else {
            return;
        };
        drop(state);
        self.turn_of(id, &worker);
    }

    /// A worker loses its session while a chunk of its restore is on its way. Another one of the process restores the
    /// partition, takes deliveries and commits before the chunk arrives.
    pub fn let_next_owner_work(&self, id: MemberId, partition: Partition) {
        let mut state = self.lock();
        let kinds = [Kind::Lost, Kind::LostWithinProcess];
        let may_be_lost = kinds.iter().all(|kind| state.kinds.contains(kind));
        let is_owner = state.owners.get(&partition) == Some(&id) && state.member(id).is_member;
        let members = state.members.iter().filter(|(other, _)| **other != id);
        let mut members = members.filter(|(other, member)| {
            let is_there = member.is_alive && member.is_member && member.notes.is_empty();
            other.process == id.process && is_there && !member.believes(partition)
        });
        let next = members.next().map(|(next, _)| *next);
        let mut workers = state.others.workers.iter();
        let worker = workers.find(|(other, _)| Some(*other) == next).cloned();
        let Some((next, worker)) = worker.filter(|_| may_be_lost && is_owner) else {
            return;
        };
        if state.others.depth > 0 || !state.strikes(Kind::RestoredAfterLoss, 4) {
            return;
        }
        state.others.depth += 1;
        state.expire(id);
        state.hit(Kind::LostWithinProcess);
        state.owners.insert(partition, next);
        state.member(next).note_assigned(partition, 0);
        let feed = state.others.feed.clone();
        drop(state);
        if let Some(feed) = feed {
            feed.lock().unwrap().send(self);
        }
        for _ in 0..TURNS_OF_THE_NEXT_OWNER {
            // A worker that failed does nothing more.
            if !self
                .lock()
                .others
                .workers
                .iter()
                .any(|(other, _)| *other == next)
            {
                break;
            }
            self.turn_of(next, &worker);
            self.lock().clocks.tick(Duration::from_millis(200));
        }
        self.lock().others.depth -= 1;
    }

    fn turn_of(&self, id: MemberId, worker: &Weak<dyn Turn>) {
        let turned = worker.upgrade().and_then(|worker| worker.try_turn());
        if let Some(Err(error)) = turned {
            let mut state = self.lock();
            state.others.workers.retain(|(other, _)| *other != id);
            state.others.ended.push((id, error));
        }
    }
}
