//! A worker's view of a log in which things go wrong, as the schedule decides. It waits for nothing.

use std::collections::BTreeMap;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::offsets::AppliedOffsets;
use segstream::domain::time::Timestamp;
use segstream::log::ChangelogChunk;
use segstream::log::Committed;
use segstream::log::Error;
use segstream::log::PartitionFacts;
use segstream::log::PollLimit;
use segstream::log::Polled;
use segstream::log::ProgressAnswer;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::log::embedded::EmbeddedWorker;

use super::Amid;
use super::Bug;
use super::Heard;
use super::Kind;
use super::group::Group;
use super::group::MemberId;
use super::group::Note;
use super::group::State;

/// A view whose partitions its holder assigns.
pub trait Assignable: WorkerLog {
    fn assign(&mut self, partitions: &[Partition]);
    fn unassign(&mut self, partitions: &[Partition]);
}

impl Assignable for EmbeddedWorker {
    fn assign(&mut self, partitions: &[Partition]) {
        Self::assign(self, partitions);
    }

    fn unassign(&mut self, partitions: &[Partition]) {
        Self::unassign(self, partitions);
    }
}

/// The path of a failure that the schedule made.
pub const SIMULATED: &str = "simulated";

pub(super) fn failure() -> Error {
    Error::Io {
        path: SIMULATED.to_owned(),
        source: std::io::Error::other("the log is broken"),
    }
}

/// The view of one member of the group.
pub struct FaultyLog<L> {
    pub(super) inner: L,
    pub(super) group: Group,
    pub(super) id: MemberId,
    pub(super) incarnation: u64,
    pub(super) is_restarted: bool,
    /// Ends of changelogs as of the last facts.
    pub(super) changelog_ends: BTreeMap<Partition, u64>,
    /// Where the next transaction begins in each changelog, if nothing else has written to it.
    pub(super) fence: BTreeMap<Partition, u64>,
    /// When a restore asked for the facts first.
    pub(super) asked_ms: BTreeMap<Partition, i64>,
    /// For the bugs that answer with what was.
    pub(super) old_facts: BTreeMap<Partition, PartitionFacts>,
    pub(super) old_ends: BTreeMap<Partition, u64>,
    pub(super) read: BTreeMap<Partition, u64>,
    /// The answer to a question that is open.
    late_answer: Option<ProgressAnswer>,
}

impl<L: Assignable> FaultyLog<L> {
    /// Joins the group; a view of the same member before is fenced.
    pub fn join(inner: L, group: &Group, id: MemberId) -> Self {
        let incarnation = group.lock().join(id);
        Self {
            inner,
            group: group.clone(),
            id,
            incarnation,
            is_restarted: false,
            changelog_ends: BTreeMap::new(),
            fence: BTreeMap::new(),
            asked_ms: BTreeMap::new(),
            old_facts: BTreeMap::new(),
            old_ends: BTreeMap::new(),
            read: BTreeMap::new(),
            late_answer: None,
        }
    }

    pub(super) fn is_fenced(&self, state: &mut State) -> bool {
        state.member(self.id).incarnation != self.incarnation
    }

    /// The next note, if its time has come.
    fn next_note(&self, state: &mut State) -> Option<Note> {
        let is_calm = state.is_calm;
        let member = state.member(self.id);
        let (delay, _) = member.notes.front_mut()?;
        if *delay > 0 && !is_calm {
            *delay -= 1;
            return None;
        }
        let (_, note) = member.notes.pop_front()?;
        match note {
            // There is nothing to tell: it joins again.
            Note::Lost(partitions) if partitions.is_empty() => member.is_member = true,
            Note::JoinedAnew(partitions) => {
                member.is_member = true;
                if !partitions.is_empty() {
                    member.believed.extend(&partitions);
                    member.notes.push_front((2, Note::Revoked(partitions)));
                }
            }
            Note::Lost(_) if state.errs(Bug::LostUnheard) => {}
            note => return Some(note),
        }
        None
    }

    fn heard(&mut self, note: Note, state: &mut State) -> Polled {
        state.heard(
            self.id,
            match note {
                Note::Assigned(_) => Heard::Assigned,
                Note::Revoked(_) | Note::JoinedAnew(_) => Heard::Revoked,
                Note::Lost(_) => Heard::Lost,
            },
        );
        let member = state.member(self.id);
        match note {
            Note::Assigned(partitions) => {
                member.known.extend(&partitions);
                let restores = partitions
                    .iter()
                    .map(|partition| (*partition, Amid::Restore));
                member.amid.extend(restores);
                self.inner.assign(&partitions);
                Polled::Assigned(partitions)
            }
            Note::Revoked(partitions) | Note::JoinedAnew(partitions) => {
                member.leaving.clone_from(&partitions);
                Polled::Revoked(partitions)
            }
            Note::Lost(partitions) => {
                member.leaving.clone_from(&partitions);
                member.is_leaving_lost = true;
                Polled::Lost(partitions)
            }
        }
    }

    /// What the group has to say to this worker; it comes before any delivery.
    pub(super) fn rebalance(&mut self, state: &mut State) -> Option<Polled> {
        let leaving = state.hand_over(self.id);
        self.inner.unassign(&leaving);
        self.asked_ms
            .retain(|partition, _| !leaving.contains(partition));
        state.decide_undecided_of(self.id);
        if let Some(note) = self.next_note(state) {
            if self.is_restarted && matches!(note, Note::Assigned(_)) {
                if state.kinds.contains(&Kind::AssignedOverRestart) {
                    state.hit(Kind::AssignedOverRestart);
                } else {
                    drop(self.heard(note, state));
                    return self.assigned_anew(state);
                }
            }
            return Some(self.heard(note, state));
        }
        if self.is_restarted {
            return self.assigned_anew(state);
        }
        if !state.member(self.id).known.is_empty() && state.strikes(Kind::AssignedTwice, 20) {
            let known = state.member(self.id).known.iter().copied().collect();
            return Some(Polled::Assigned(known));
        }
        None
    }

    fn assigned_anew(&mut self, state: &mut State) -> Option<Polled> {
        self.is_restarted = false;
        let known: Vec<Partition> = state.member(self.id).known.iter().copied().collect();
        if known.is_empty() {
            return None;
        }
        state.heard(self.id, Heard::Assigned);
        let restores = known.iter().map(|partition| (*partition, Amid::Restore));
        state.member(self.id).amid.extend(restores);
        Some(Polled::Assigned(known))
    }

    /// The log is broken: the process will end.
    pub(super) fn fail_sometimes(state: &mut State) -> Result<(), Error> {
        if state.strikes(Kind::LogFails, 500) {
            return Err(failure());
        }
        Ok(())
    }
}

/// While a call is under way, others go on: before a poll, a commit and a resumption, and once the answer to a
/// question is made.
impl<L: Assignable> WorkerLog for FaultyLog<L> {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        self.group.let_others_work(self.id);
        self.polled(limit)
    }

    fn resume_at(&mut self, partition: Partition, offsets: AppliedOffsets) -> Result<(), Error> {
        self.group.let_others_work(self.id);
        let mut state = self.group.lock();
        Self::fail_sometimes(&mut state)?;
        if let Some(end) = self.changelog_ends.get(&partition) {
            self.fence.insert(partition, *end);
        }
        let read = self.read.get(&partition).copied().unwrap_or(0);
        if read > offsets.next(Source::Events) && state.errs(Bug::ResumedWhereItHadRead) {
            let read_on = offsets.with(Source::Events, read);
            return self.inner.resume_at(partition, read_on);
        }
        self.asked_ms.remove(&partition);
        if !self.is_fenced(&mut state) {
            state.deletions.drop_in(self.id, partition);
            let member = state.member(self.id);
            member.amid.remove(&(partition, Amid::Restore));
            member.read.insert(partition, offsets.next(Source::Events));
        }
        self.inner.resume_at(partition, offsets)
    }

    fn pause(&mut self, partition: Partition) {
        self.inner.pause(partition);
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        self.group.let_others_work(self.id);
        let committed = self.committed(transaction);
        self.group.let_others_work(self.id);
        committed
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        let facts = self.known_facts(partition);
        self.group.let_others_work(self.id);
        facts
    }

    fn progress(
        &mut self,
        partitions: &[Partition],
        wall: Timestamp,
    ) -> Result<Option<ProgressAnswer>, Error> {
        let mut answer = match self.late_answer.take() {
            Some(late) => late,
            None => self.answered(partitions, wall)?,
        };
        if self.group.lock().strikes(Kind::LateProgress, 3) {
            self.late_answer = Some(answer);
            return Ok(None);
        }
        for (partition, progress) in &mut answer.partitions {
            self.read_on(*partition, progress)?;
        }
        Ok(Some(answer))
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        let chunk = self.chunk(partition, from, records);
        let has_records = chunk.as_ref().is_ok_and(|chunk| !chunk.records.is_empty());
        let is_known = self.group.lock().member(self.id).known.contains(&partition);
        if has_records && is_known {
            self.group.let_next_owner_work(self.id, partition);
        }
        self.group.let_others_work(self.id);
        chunk
    }

    fn restart(&mut self) {
        self.is_restarted = true;
        self.asked_ms.clear();
        let group = self.group.clone();
        let mut state = group.lock();
        if !self.is_fenced(&mut state) {
            state.deletions.drop_of(self.id);
        }
        let member = state.member(self.id);
        member.amid.retain(|(_, amid)| *amid != Amid::Batch);
    }
}
