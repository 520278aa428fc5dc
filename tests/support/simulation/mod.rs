//! The simulation: schedules of faults over workers, processes and clocks, each from one seed. A schedule
//! runs in one thread, waits for nothing, and ends with a comparison with [`oracle`].
//!
//! - [`group`] is the model of the consumer group and of fencing; [`faulty_log`] is a worker's view of it;
//! - [`process`] is an instance with its stores, killed and started again from what it left on disk;
//! - [`older`] is a process of the older version, as far as it leaves something behind;
//! - [`feed`] sends the events and moves the clocks; [`schedule`] decides what happens next;
//! - [`readers`] looks at the state on the way, [`checks`] compares all that can be seen in the end.

mod answers;
pub mod changelog;
pub mod checks;
pub mod deletions;
pub mod faulty_log;
pub mod feed;
pub mod group;
pub mod interleaving;
pub mod older;
pub mod oracle;
pub mod process;
pub mod readers;
mod rebalance;
pub mod runs;
pub mod schedule;
mod settling;
pub mod spoil;
mod transfers;

use std::collections::BTreeMap;

use segstream::faults::FaultPoint;

/// What may happen in a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A commit is aborted before anything was written.
    Aborted,
    /// The outcome of a commit is unknown; it took effect.
    UnknownApplied,
    /// The outcome of a commit is unknown; it took no effect.
    UnknownNotApplied,
    /// The outcome of a commit is unknown, and is only decided later.
    UnknownPending,
    /// A poll brings nothing although there is something.
    SlowPoll,
    /// A poll brings fewer deliveries than there are.
    ShortPoll,
    /// A poll brings the same deliveries twice.
    DeliveredAgain,
    /// A call fails, and the process ends.
    LogFails,
    /// A commit fails after it took effect, and the process ends.
    CommitFails,
    /// The log cannot say where a partition stands.
    NoFacts,
    /// The log cannot say how far a partition was read.
    NoProgress,
    /// The log says it some turns after it was asked.
    LateProgress,
    /// A chunk of the changelog is empty with something remaining.
    EmptyChunk,
    /// A chunk of the changelog is short.
    ShortChunk,
    /// The changelog still has records that were replaced since.
    Uncompacted,
    /// The wall clock of a process is behind, more or less, and goes back.
    WallGoesBack,
    /// The clocks move while a worker asks for the end of a partition.
    ClockMovesInProgress,
    /// Other workers and producers go on while a call of a worker is under way.
    Interleaved,
    /// Partitions are asked back and go to another worker.
    Revoked,
    /// A session ends unnoticed; another process gets the partitions.
    Lost,
    /// A session ends unnoticed; another worker of the same process gets the partitions.
    LostWithinProcess,
    /// A session ends unnoticed, and the client joins again without a word: the worker may commit again, and still has
    /// partitions that are another's.
    JoinedAnew,
    /// A worker goes on restoring a partition that is another's already, whose changelog moves on meanwhile.
    RestoredAfterLoss,
    /// A commit is refused because the worker's session has ended.
    Refused,
    /// A partition that is assigned already is assigned again.
    AssignedTwice,
    /// A worker starts over while a new assignment is on its way to it: it hears of a partition twice.
    AssignedOverRestart,
    /// A process is asked to stop.
    Stopped,
    /// A process is killed between two turns.
    Killed,
    /// A process is killed at a crossing.
    KilledAtCrossing,
    /// A killed process is not back before its session ends.
    DeadExpired,
    /// A process goes on although one of the same id has taken its place.
    Fenced,
    /// A byte of a store's file is flipped.
    StoreFlipped,
    /// A store's file is cut.
    StoreTruncated,
    /// Files of a store are gone.
    StoreRemoved,
    /// A process is killed while it makes a store.
    StoreHalfMade,
    /// No space is left when a store is opened.
    DiskFull,
    /// A store is an older copy of itself.
    StoreOlder,
    /// A producer that was not acknowledged sends again.
    AppendedTwice,
    /// Another partition hands events over.
    Transferred,
    /// The processes were of the older version until now: their state is in the older format.
    OlderFormat,
    /// A customer is deleted.
    Deleted,
    /// The changelog has tombstones no more that it promised to keep for a time.
    TombstonesRemoved,
    /// The group's offset is not the checkpoint's: it has expired, or somebody has set it.
    GroupOffsetElsewhere,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 43] = [
        Self::Transferred,
        Self::Aborted,
        Self::UnknownApplied,
        Self::UnknownNotApplied,
        Self::UnknownPending,
        Self::SlowPoll,
        Self::ShortPoll,
        Self::DeliveredAgain,
        Self::LogFails,
        Self::CommitFails,
        Self::NoFacts,
        Self::NoProgress,
        Self::LateProgress,
        Self::EmptyChunk,
        Self::ShortChunk,
        Self::Uncompacted,
        Self::WallGoesBack,
        Self::ClockMovesInProgress,
        Self::Interleaved,
        Self::Revoked,
        Self::Lost,
        Self::LostWithinProcess,
        Self::JoinedAnew,
        Self::RestoredAfterLoss,
        Self::Refused,
        Self::AssignedTwice,
        Self::AssignedOverRestart,
        Self::Stopped,
        Self::Killed,
        Self::KilledAtCrossing,
        Self::DeadExpired,
        Self::Fenced,
        Self::StoreFlipped,
        Self::StoreTruncated,
        Self::StoreRemoved,
        Self::StoreHalfMade,
        Self::DiskFull,
        Self::StoreOlder,
        Self::AppendedTwice,
        Self::OlderFormat,
        Self::Deleted,
        Self::TombstonesRemoved,
        Self::GroupOffsetElsewhere,
    ];

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| format!("{kind:?}") == name)
    }
}

/// A mistake that a schedule must find; it is made once in a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An aborted transaction is taken for a committed one.
    OkForAborted,
    /// A transaction whose outcome was unknown is sent again as it was.
    SentAgainAfterUnknown,
    /// Each dead letter is written twice.
    DoubledDeadLetter,
    /// A dead letter is not written.
    LostDeadLetter,
    /// A change is published twice.
    DoubledChange,
    /// A change is not published.
    LostChange,
    /// The latest change of a customer is not written to `current`.
    LostCurrent,
    /// `current` keeps the first change of a transaction instead of the last.
    CurrentHasFirst,
    /// A staged customer is not in the transaction.
    LostState,
    /// Deliveries go on where the worker had read, not at the checkpoint.
    ResumedWhereItHadRead,
    /// A delivery is never delivered.
    LostDelivery,
    /// The changelog ends too early for the restore.
    ChangelogCutShort,
    /// A record of the changelog is not read back.
    ChangelogGap,
    /// What the log says of a partition is what it said the first time.
    OldFacts,
    /// The end of a partition is the one of the question before: what was appended meanwhile is taken for
    /// read, as where the wall time is taken after the question.
    OldEnd,
    /// Who lost its session may still commit.
    NotFenced,
    /// A transaction may follow what another worker wrote to the changelog.
    ChangelogNotFenced,
    /// A lost partition is never heard of.
    LostUnheard,
    /// A partition goes to the next worker before the last one has handed it over, and nothing is fenced.
    HandedOverTooEarly,
    /// Deliveries of an aborted transaction are counted.
    AbortedCounted,
    /// A partition that went away stays marked as owned.
    MarkStays,
    /// A partition that went away stays in the gauges.
    GaugeStays,
    /// A partition that went away can still be seen.
    PhaseStays,
}

/// What a worker hears of its partitions and transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    Assigned,
    Revoked,
    Lost,
    Aborted,
    Unknown,
}

impl Heard {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Assigned,
        Self::Revoked,
        Self::Lost,
        Self::Aborted,
        Self::Unknown,
    ];
}

/// In the middle of what a worker hears something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amid {
    /// Deliveries were taken and not committed.
    Batch,
    /// A partition has not been resumed.
    Restore,
}

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    pub kinds: BTreeMap<Kind, u64>,
    /// Where processes were killed within a turn.
    pub points: BTreeMap<FaultPoint, u64>,
    /// What a worker heard after what.
    pub orders: BTreeMap<(Heard, Heard), u64>,
    pub amid: BTreeMap<(Amid, Heard), u64>,
}

impl Hits {
    /// Adds what happened in another schedule.
    pub fn add(&mut self, more: &Self) {
        fn sum<K: Ord + Copy>(into: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
            for (key, count) in more {
                *into.entry(*key).or_default() += count;
            }
        }
        sum(&mut self.kinds, &more.kinds);
        sum(&mut self.points, &more.points);
        sum(&mut self.orders, &more.orders);
        sum(&mut self.amid, &more.amid);
    }
}
