//! The model of a consumer group: who owns a partition, who believes to own it, and whose commits are
//! refused. It only takes note; a worker hears of a note when it polls.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;

use segstream::domain::ids::Partition;
use segstream::domain::ids::Source;
use segstream::domain::topic::Topic;
use segstream::log::SourceFacts;
use segstream::log::Transaction;
use segstream::log::WorkerLog;
use segstream::pipeline::Shared;

use super::Amid;
use super::Bug;
use super::Heard;
use super::Hits;
use super::Kind;
use super::changelog::Kept;
use super::deletions::Deletion;
use super::deletions::Deletions;
use super::feed::Clocks;
use super::interleaving::Others;
use super::older;
use crate::support::Chance;

/// A worker of a process: the same again after the process was killed and started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberId {
    pub process: usize,
    pub worker: usize,
}

/// What a worker has not heard yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    Assigned(Vec<Partition>),
    Revoked(Vec<Partition>),
    Lost(Vec<Partition>),
    /// The worker may commit again, and hears later that these are asked back.
    JoinedAnew(Vec<Partition>),
}

#[derive(Debug, Default)]
pub struct Member {
    /// Counted up when a process of the same id starts: the one before is fenced.
    pub incarnation: u64,
    pub is_alive: bool,
    /// Its session has not ended; else its commits are refused.
    pub is_member: bool,
    /// With the polls that pass before it is heard.
    pub notes: VecDeque<(u64, Note)>,
    /// Told to the worker and not given up yet.
    pub known: BTreeSet<Partition>,
    /// Given up at the next poll.
    pub leaving: Vec<Partition>,
    pub is_leaving_lost: bool,
    /// It believes in these, which are another's, and may commit.
    pub believed: BTreeSet<Partition>,
    /// Read and not committed, or known and not resumed.
    pub amid: BTreeSet<(Partition, Amid)>,
    /// The next delivery of each partition that was resumed.
    pub read: BTreeMap<Partition, u64>,
    last_heard: Option<Heard>,
}

impl Member {
    pub(super) fn believes(&self, partition: Partition) -> bool {
        let is_noted =
            |note: &Note| matches!(note, Note::Assigned(new) if new.contains(&partition));
        self.known.contains(&partition) || self.notes.iter().any(|(_, note)| is_noted(note))
    }

    /// Asked back and not given up yet: the client asks for one thing after the other.
    pub(super) fn giving_up(&self) -> Vec<Partition> {
        let mut giving_up = self.leaving.clone();
        for (_, note) in &self.notes {
            match note {
                Note::Revoked(partitions)
                | Note::Lost(partitions)
                | Note::JoinedAnew(partitions) => giving_up.extend(partitions),
                Note::Assigned(_) => {}
            }
        }
        giving_up
    }

    /// Assignments are told one by one where a restart may come between; else as one.
    pub(super) fn note_assigned(&mut self, partition: Partition, delay: u64) {
        if let Some((_, Note::Assigned(partitions))) = self.notes.back_mut() {
            partitions.push(partition);
        } else {
            self.notes
                .push_back((delay, Note::Assigned(vec![partition])));
        }
    }
}

/// A transaction that took effect.
#[derive(Clone, Debug)]
pub struct Applied {
    pub member: MemberId,
    /// The worker knows of it, so it is in the counts of its process.
    pub is_heard: bool,
    /// Source, partition, first delivery and the one after the last.
    pub ranges: Vec<(Source, Partition, u64, u64)>,
    pub changes: usize,
}

/// A transaction that is neither committed nor aborted yet.
#[derive(Debug)]
pub struct Undecided {
    pub member: MemberId,
    pub transaction: Transaction,
    pub deletions: Vec<Deletion>,
    pub takes_effect: bool,
}

impl Undecided {
    /// Whether it writes for a partition.
    pub fn writes(&self, partition: Partition) -> bool {
        let mut parts = self.transaction.partitions.iter();
        parts.any(|part| part.partition == partition)
    }
}

pub struct State {
    pub chance: Chance,
    /// What may happen in this schedule.
    pub kinds: BTreeSet<Kind>,
    pub hits: Hits,
    pub bug: Option<Bug>,
    has_erred: bool,
    /// Nothing more goes wrong.
    pub is_calm: bool,
    pub clocks: Clocks,
    pub members: BTreeMap<MemberId, Member>,
    pub owners: BTreeMap<Partition, MemberId>,
    /// Who gets a partition that is asked back.
    pub(super) targets: BTreeMap<Partition, MemberId>,
    pub(super) partitions: u32,
    pub undecided: Option<Undecided>,
    pub applied: Vec<Applied>,
    /// Transactions that were refused.
    pub refused: u64,
    /// The log behind all views.
    log: Box<dyn WorkerLog>,
    /// Every record that the changelogs ever had.
    pub changelogs: BTreeMap<Partition, Vec<Kept>>,
    /// A restore reads all of them.
    pub is_compacted_late: bool,
    /// How long the changelogs keep tombstones; `None`: for ever.
    pub tombstones_kept: Option<Duration>,
    /// All processes are of the older version.
    pub is_older: bool,
    pub older: older::Behind,
    /// The processes by their numbers.
    pub processes: BTreeMap<usize, Weak<Shared>>,
    pub deletions: Deletions,
    /// Where the group's offset stands instead of the checkpoint's place, until the next commit.
    pub(super) elsewhere: BTreeMap<Partition, Option<u64>>,
    pub others: Others,
}

/// The group; cheap to clone.
#[derive(Clone)]
pub struct Group(Arc<Mutex<State>>);

impl Group {
    pub fn new(
        log: Box<dyn WorkerLog>,
        partitions: u32,
        clocks: Clocks,
        chance: Chance,
        (kinds, bug): (BTreeSet<Kind>, Option<Bug>),
    ) -> Self {
        Self(Arc::new(Mutex::new(State {
            chance,
            kinds,
            hits: Hits::default(),
            bug,
            has_erred: false,
            is_calm: false,
            clocks,
            members: BTreeMap::new(),
            owners: BTreeMap::new(),
            targets: BTreeMap::new(),
            partitions,
            undecided: None,
            applied: Vec::new(),
            refused: 0,
            log,
            changelogs: BTreeMap::new(),
            is_compacted_late: false,
            tombstones_kept: None,
            is_older: false,
            older: older::Behind::default(),
            processes: BTreeMap::new(),
            deletions: Deletions::default(),
            elsewhere: BTreeMap::new(),
            others: Others::default(),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether something goes wrong now; one time in `one_in` where the schedule has it.
    pub fn strikes(&mut self, kind: Kind, one_in: u64) -> bool {
        let strikes = !self.is_calm && self.kinds.contains(&kind) && self.chance.below(one_in) == 0;
        if strikes {
            self.hit(kind);
        }
        strikes
    }

    /// Whether the planted bug shows now; once in a schedule.
    pub fn errs(&mut self, bug: Bug) -> bool {
        let errs = self.bug == Some(bug) && !self.has_erred && self.chance.below(4) == 0;
        self.has_erred |= errs;
        errs
    }

    pub fn hit(&mut self, kind: Kind) {
        *self.hits.kinds.entry(kind).or_default() += 1;
    }

    /// A worker hears something, perhaps in the middle of something else.
    pub fn heard(&mut self, id: MemberId, heard: Heard) {
        let member = self.member(id);
        let before = member.last_heard.replace(heard);
        let amid: BTreeSet<Amid> = member.amid.iter().map(|(_, amid)| *amid).collect();
        if let Some(before) = before {
            *self.hits.orders.entry((before, heard)).or_default() += 1;
        }
        for amid in amid {
            *self.hits.amid.entry((amid, heard)).or_default() += 1;
        }
    }

    pub(super) fn delay(&mut self, longest: u64) -> u64 {
        if self.is_calm {
            0
        } else {
            self.chance.below(longest + 1)
        }
    }

    pub fn member(&mut self, id: MemberId) -> &mut Member {
        self.members.entry(id).or_default()
    }

    /// A worker starts; one of the same id before it is fenced. It gets what the group has kept for it.
    pub fn join(&mut self, id: MemberId) -> u64 {
        self.decide_undecided_of(id);
        self.deletions.drop_of(id);
        let kept: Vec<Partition> = self.owned_by(id);
        let member = self.member(id);
        let incarnation = member.incarnation + 1;
        *member = Member {
            incarnation,
            is_alive: true,
            is_member: true,
            ..Member::default()
        };
        for partition in kept {
            member.note_assigned(partition, 0);
        }
        incarnation
    }

    /// A worker is gone; the group keeps its partitions until its session ends.
    pub fn die(&mut self, id: MemberId) {
        for partition in self.owned_by(id) {
            if self.targets.contains_key(&partition) {
                self.owners.remove(&partition);
            }
        }
        self.others.workers.retain(|(other, _)| *other != id);
        self.deletions.drop_of(id);
        let member = self.member(id);
        *member = Member {
            incarnation: member.incarnation,
            is_member: member.is_member,
            ..Member::default()
        };
    }

    pub fn owned_by(&self, id: MemberId) -> Vec<Partition> {
        let owned = self.owners.iter().filter(|(_, owner)| **owner == id);
        owned.map(|(partition, _)| *partition).collect()
    }

    /// Takes note of the tables behind a transaction of a process of the older version.
    pub fn note_tables(&mut self, member: MemberId, transaction: &Transaction) {
        let shared = self.processes.get(&member.process).and_then(Weak::upgrade);
        if let Some(shared) = shared.filter(|_| self.is_older) {
            self.older.note_tables(member.process, transaction, &shared);
        }
    }

    /// The outcome of a transaction that was unknown is decided.
    pub fn decide_undecided_of(&mut self, id: MemberId) {
        if self
            .undecided
            .as_ref()
            .is_some_and(|undecided| undecided.member == id)
        {
            self.decide_undecided();
        }
    }

    pub fn decide_undecided(&mut self) {
        let Some(undecided) = self.undecided.take() else {
            return;
        };
        if undecided.takes_effect {
            let applied = self.describe(undecided.member, &undecided.transaction, false);
            let transaction = undecided.transaction;
            let written = if self.is_older {
                older::rewritten(undecided.member.process, &transaction, &mut self.older)
            } else {
                transaction
            };
            let committed = self.log.commit(&written).unwrap();
            self.applied.push(applied);
            self.keep(&written, &committed);
            self.deletions.take_effect(undecided.deletions);
        }
    }

    /// The end of a changelog.
    pub fn changelog_end(&mut self, partition: Partition) -> u64 {
        self.log.facts(partition).unwrap().unwrap().changelog_end
    }

    /// What a transaction commits; asked before it is written.
    pub fn describe(&mut self, id: MemberId, transaction: &Transaction, is_heard: bool) -> Applied {
        let parts = transaction.partitions.iter();
        let ranges = parts.flat_map(|part| {
            Source::ALL.map(|source| {
                let (_, first) = self.place(source, part.partition);
                (source, part.partition, first, part.offsets.next(source))
            })
        });
        let outputs = transaction.outputs.iter();
        let changes = outputs.filter(|output| output.topic == Topic::Changes);
        Applied {
            member: id,
            is_heard,
            ranges: ranges.collect(),
            changes: changes.count(),
        }
    }

    /// A process died after its commit and before it counted it.
    pub fn forget_last_of(&mut self, id: MemberId) {
        let mut applied = self.applied.iter_mut().rev();
        if let Some(last) = applied.find(|applied| applied.member == id) {
            last.is_heard = false;
        }
    }

    /// The group's offset expires, or somebody sets it. It is a hint: the checkpoint decides.
    pub(super) fn move_group_offset(&mut self, partition: Partition, events: &mut SourceFacts) {
        if events.group_offset.is_none() || self.is_calm {
            return;
        }
        if self.strikes(Kind::GroupOffsetElsewhere, 8) {
            let places = events.end - events.start + 1;
            let offset = events.start + self.chance.below(places);
            let offset = Some(offset).filter(|_| self.chance.below(4) > 0);
            self.elsewhere.insert(partition, offset);
        }
        if let Some(offset) = self.elsewhere.get(&partition) {
            events.group_offset = *offset;
        }
    }

    /// End of a source and the committed offset.
    pub fn place(&mut self, source: Source, partition: Partition) -> (u64, u64) {
        let facts = self.log.facts(partition).unwrap().unwrap();
        let found = facts.sources[&source];
        (found.end, found.group_offset.unwrap_or(found.start))
    }
}
