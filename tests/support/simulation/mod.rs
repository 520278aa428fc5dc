//! The simulation: schedules of faults over workers, processes and clocks, each from one seed. A schedule
//! runs in one thread, waits for nothing, and ends with a comparison with [`oracle`].
//!
//! - [`group`] is the model of the consumer group and of fencing; [`faulty_log`] is a worker's view of it;
//! - [`process`] is an instance with its stores, killed and started again from what it left on disk;
//! - [`feed`] sends the events and moves the clocks; [`schedule`] decides what happens next;
//! - [`checks`] compares everything that can be seen from outside.

pub mod checks;
pub mod faulty_log;
pub mod feed;
pub mod group;
pub mod oracle;
pub mod process;
pub mod schedule;

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
    /// The log cannot say where a partition stands.
    NoFacts,
    /// The log cannot say how far a partition was read.
    NoProgress,
    /// A chunk of the changelog is empty with something remaining.
    EmptyChunk,
    /// A chunk of the changelog is short.
    ShortChunk,
    /// The clocks move while a worker asks for the end of a partition.
    ClockMovesInProgress,
    /// Partitions are asked back and go to another worker.
    Revoked,
    /// A session ends unnoticed; another process gets the partitions.
    Lost,
    /// A session ends unnoticed; another worker of the same process gets the partitions.
    LostWithinProcess,
    /// A worker goes on restoring a partition that is another's already, whose changelog moves on meanwhile.
    RestoredAfterLoss,
    /// A commit is refused because the worker's session has ended.
    Refused,
    /// A partition that is assigned already is assigned again.
    AssignedTwice,
    /// A worker starts over while a new assignment is on its way to it: it hears of a partition twice.
    AssignedOverRestart,
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
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::Aborted,
        Self::UnknownApplied,
        Self::UnknownNotApplied,
        Self::UnknownPending,
        Self::SlowPoll,
        Self::ShortPoll,
        Self::NoFacts,
        Self::NoProgress,
        Self::EmptyChunk,
        Self::ShortChunk,
        Self::ClockMovesInProgress,
        Self::Revoked,
        Self::Lost,
        Self::LostWithinProcess,
        Self::RestoredAfterLoss,
        Self::Refused,
        Self::AssignedTwice,
        Self::AssignedOverRestart,
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
    ];

    /// Kinds that the program does not survive yet; off unless a run asks for all.
    pub const NOT_YET: [Self; 4] = [
        Self::LostWithinProcess,
        Self::RestoredAfterLoss,
        Self::AssignedTwice,
        Self::AssignedOverRestart,
    ];
}

/// A mistake that a schedule must find.
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

/// How many times each kind was hit.
pub type Hits = std::collections::BTreeMap<Kind, u64>;
