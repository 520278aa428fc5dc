//! How partitions go from one worker to another: given, asked back, lost, handed over.

use segstream::domain::ids::Partition;

use super::Bug;
use super::Kind;
use super::group::MemberId;
use super::group::Note;
use super::group::State;

impl State {
    fn has_shared_process(&self, partition: Partition, candidate: MemberId) -> bool {
        let others = self.members.iter().filter(|(id, _)| **id != candidate);
        let mut others = others.filter(|(id, _)| id.process == candidate.process);
        others.any(|(_, member)| member.is_alive && member.believes(partition))
    }

    /// Gives partitions without an owner to somebody.
    pub fn balance(&mut self) {
        for partition in (0..self.partitions).map(Partition) {
            if self.owners.contains_key(&partition) {
                continue;
            }
            let may_share = self.kinds.contains(&Kind::LostWithinProcess);
            let candidates: Vec<MemberId> = self
                .members
                .iter()
                .filter(|(_, member)| member.is_alive && member.is_member)
                .filter(|(id, member)| {
                    !member.believes(partition)
                        && (may_share || !self.has_shared_process(partition, **id))
                })
                .map(|(id, _)| *id)
                .collect();
            let wanted = self.targets.remove(&partition);
            let chosen = wanted.filter(|id| candidates.contains(id)).or_else(|| {
                let place = self.chance.below(candidates.len() as u64) as usize;
                candidates.get(place).copied()
            });
            let Some(id) = chosen else { continue };
            if self.has_shared_process(partition, id) {
                self.hit(Kind::LostWithinProcess);
            }
            self.owners.insert(partition, id);
            let delay = self.delay(2);
            self.member(id).note_assigned(partition, delay);
        }
    }

    /// Asks partitions of a worker back, for others.
    pub fn revoke(&mut self, id: MemberId) {
        let owned = self.owned_by(id);
        let member = self.member(id);
        if owned.is_empty()
            || !member.is_alive
            || !member.is_member
            || !member.giving_up().is_empty()
        {
            return;
        }
        let mut asked: Vec<Partition> = Vec::new();
        for partition in owned {
            if asked.is_empty() || self.chance.below(2) == 0 {
                asked.push(partition);
            }
        }
        let living: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, member)| member.is_alive && member.is_member)
            .map(|(id, _)| *id)
            .collect();
        for partition in &asked {
            let place = self.chance.below(living.len() as u64) as usize;
            self.targets.insert(*partition, living[place]);
            if self.errs(Bug::HandedOverTooEarly) {
                self.owners.remove(partition);
            }
        }
        let delay = self.delay(3);
        self.member(id)
            .notes
            .push_back((delay, Note::Revoked(asked)));
        self.hit(Kind::Revoked);
    }

    /// A session ends. A living worker hears of it later; until then it believes in its partitions.
    pub fn expire(&mut self, id: MemberId) {
        let owned = self.owned_by(id);
        let member = self.member(id);
        if owned.is_empty() || !member.is_member {
            return;
        }
        member.is_member = false;
        let is_alive = member.is_alive;
        let giving_up = member.giving_up();
        for partition in &owned {
            self.owners.remove(partition);
            self.targets.remove(partition);
        }
        if is_alive {
            // What was asked back before is given up before.
            let mut lost = owned;
            lost.retain(|partition| !giving_up.contains(partition));
            let delay = self.delay(12);
            let note = if self.strikes(Kind::JoinedAnew, 3) {
                Note::JoinedAnew(lost)
            } else {
                self.hit(Kind::Lost);
                Note::Lost(lost)
            };
            self.member(id).notes.push_back((delay, note));
        } else {
            self.hit(Kind::DeadExpired);
        }
    }

    /// A worker gives up what it heard of at its last poll; who lost its session is a member again.
    pub fn hand_over(&mut self, id: MemberId) -> Vec<Partition> {
        let member = self.member(id);
        let leaving = std::mem::take(&mut member.leaving);
        for partition in &leaving {
            member.known.remove(partition);
            member.believed.remove(partition);
            member.amid.retain(|(of, _)| of != partition);
        }
        if std::mem::take(&mut member.is_leaving_lost) {
            member.is_member = true;
        } else {
            for partition in &leaving {
                if self.owners.get(partition) == Some(&id) {
                    self.owners.remove(partition);
                }
            }
        }
        leaving
    }
}
