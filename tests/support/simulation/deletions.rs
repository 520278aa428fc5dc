//! Customers who are deleted while everything else goes on. A deletion takes effect with the transaction that holds
//! it, at the place of the input that its worker had reached; without the transaction it never happened.

use std::collections::BTreeMap;

use segstream::domain::ids::CustomerId;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::log::Transaction;
use segstream::pipeline::partition::clock::ClockMode;
use segstream::pipeline::partition::phase;
use segstream::pipeline::partitions::Phase;

use super::Kind;
use super::group::MemberId;
use super::schedule::Schedule;

/// A deletion that a worker has in hand.
#[derive(Clone, Debug)]
pub struct Deletion {
    member: MemberId,
    partition: Partition,
    /// Of the first delivery after it.
    offset: u64,
    customer_id: String,
}

/// The deletions of a schedule.
#[derive(Debug, Default)]
pub struct Deletions {
    in_hand: Vec<Deletion>,
    /// Who was deleted before a delivery.
    pub committed: BTreeMap<Partition, Vec<(u64, String)>>,
}

impl Deletions {
    /// Those that a worker's transaction holds. What it does not hold was dropped with its partition before.
    pub fn held_by(&mut self, member: MemberId, transaction: &Transaction) -> Vec<Deletion> {
        let held = self.in_hand.iter().filter(|one| one.member == member);
        let held = held.filter(|one| {
            let mut parts = transaction.partitions.iter();
            parts.any(|part| part.partition == one.partition)
        });
        let held = held.cloned().collect();
        self.drop_of(member);
        held
    }

    /// A worker has nothing in hand any more.
    pub fn drop_of(&mut self, member: MemberId) {
        self.in_hand.retain(|one| one.member != member);
    }

    /// A worker begins anew with a partition.
    pub fn drop_in(&mut self, member: MemberId, partition: Partition) {
        self.in_hand
            .retain(|one| one.member != member || one.partition != partition);
    }

    /// The transaction of these took effect.
    pub fn take_effect(&mut self, deletions: Vec<Deletion>) {
        for one in deletions {
            let committed = self.committed.entry(one.partition).or_default();
            committed.push((one.offset, one.customer_id));
        }
    }
}

impl Schedule {
    /// Asks a worker to delete a customer of a partition that it runs.
    pub(super) fn delete(&mut self) {
        let number = self.chance.below(self.slots.len() as u64) as usize;
        let worker = self.chance.below(self.slots[number].workers as u64) as usize;
        let Some(process) = &self.slots[number].process else {
            return;
        };
        let member = process.member(worker);
        let mut worker = process.workers[worker].lock().unwrap();
        let running = worker.phases().into_iter();
        let running = running.filter(|(_, phase)| *phase == phase::Phase::Running);
        let mut candidates = Vec::new();
        for (partition, _) in running {
            let mut state = self.world.group.lock();
            let read = state.member(member).read.get(&partition).copied();
            let (end, _) = state.place(Source::Events, partition);
            drop(state);
            let shown = process.shared.partitions.phase(partition);
            let (Some(offset), Some(Phase::Running(store))) = (read, shown) else {
                continue;
            };
            let feed = self.feed.lock().unwrap();
            for id in feed.customers_sent() {
                let may_delete = match self.world.settings.mode {
                    ClockMode::Event => true,
                    // An event that comes again is new to a customer who was deleted, and older than the clock.
                    ClockMode::Wall => offset == end && !feed.will_send_again(&id),
                };
                if may_delete && store.get(&id).unwrap().is_some() {
                    candidates.push((partition, offset, id));
                }
            }
        }
        let place = self.chance.below(candidates.len() as u64) as usize;
        let mut state = self.world.group.lock();
        if candidates.is_empty() || state.is_older || !state.strikes(Kind::Deleted, 1) {
            return;
        }
        let (partition, offset, customer_id) = candidates.swap_remove(place);
        self.deletions_left -= 1;
        drop(state);
        worker
            .delete(&CustomerId::new(customer_id.as_str()))
            .unwrap();
        let deletion = Deletion {
            member,
            partition,
            offset,
            customer_id,
        };
        self.world.group.lock().deletions.in_hand.push(deletion);
    }
}
