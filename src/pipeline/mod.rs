//! The path of an event: poll, step, stage, commit, apply. One worker is one thread with its own
//! view of the log; nothing is shared on the way but committed state for readers.
//!
//! [`worker`] is the whole of it on one screen; [`service`] starts and stops the threads.

mod assignment;
pub mod batch;
pub mod control;
pub mod findings;
pub mod flushes;
pub mod gate;
pub mod journal;
mod others;
pub mod outputs;
pub mod partition;
pub mod partitions;
mod progress;
pub mod refusals;
pub mod service;
mod transaction;
mod trust;
pub mod unknown_names;
pub mod worker;

use std::sync::Arc;
use std::time::Duration;

use crate::codec::CodecError;
use crate::domain::event::rules::IntakeRules;
use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::domain::time::Timestamp;
use crate::domain::topic::TopicNames;
use crate::engine::policy::Policy;
use crate::engine::state::definition::Definition;
use crate::engine::state::definition::Difference;
use crate::engine::state::seal::Sealing;
use crate::engine::state::table::SameNumber;
use crate::faults::Fault;
use crate::faults::Faults;
use crate::log;
use crate::model::segment_model::SegmentModel;
use crate::pipeline::control::Control;
use crate::pipeline::control::Tally;
use crate::pipeline::partition::clock::ClockRules;
use crate::pipeline::partition::clock::MonotonicClock;
use crate::pipeline::partition::clock::WallClock;
use crate::pipeline::partition::wall::Misfit;
use crate::pipeline::partitions::Partitions;
use crate::store;
use crate::telemetry::metrics::Metrics;

/// Limits of a worker; each is a setting.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A transaction is committed this long after its first delivery.
    pub commit_interval: Duration,
    /// Or after this many deliveries.
    pub commit_records: usize,
    /// Or after about this many bytes of payloads, changes and state.
    pub commit_bytes: usize,
    /// Dirty records reach the disk this long after each other.
    pub flush_interval: Duration,
    /// Or after this many, over a worker's partitions.
    pub flush_records: usize,
    /// Or after this much memory, over a worker's partitions.
    pub flush_bytes: usize,
    /// Pages of a store that are written at once.
    pub flush_pages: usize,
    /// A thread of its own writes them; else the worker does, one chunk a turn.
    pub flushes_in_background: bool,
    /// Memory of a partition for decoded records that are used again.
    pub record_cache_bytes: usize,
    /// When parts of records are written under keys of their own.
    pub sealing: Sealing,
    /// A clock that only moved, and offsets that were only passed, are written this often.
    pub checkpoint_interval: Duration,
}

/// Everything the workers of a process have in common. Read only but for what locks itself.
#[derive(Debug)]
pub struct Shared {
    /// Limits of each worker.
    pub limits: Limits,
    /// How record times move the partition clocks.
    pub clock_rules: ClockRules,
    /// The wall clock; tests move their own.
    pub wall: WallClock,
    /// The clock of commits, flushes and checkpoints; tests move their own.
    pub monotonic: MonotonicClock,
    /// The deployment's choices.
    pub policy: Policy,
    /// What is accepted as an event.
    pub intake: IntakeRules,
    /// What decides the state, by the settings of this run.
    pub definition: Definition,
    /// Partitions of the input.
    pub partition_count: u32,
    /// The model of every transaction.
    pub model: Arc<SegmentModel>,
    /// Names of the topics, for causes and dead letters.
    pub topics: TopicNames,
    /// The stores, and what readers may see of them.
    pub partitions: Partitions,
    /// The closed list of metrics.
    pub metrics: Arc<Metrics>,
    /// Counts of what was committed.
    pub tally: Tally,
    /// Shutdown and the ends to reach.
    pub control: Control,
    /// Crash points of tests.
    pub faults: Faults,
}

/// Why a worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log failed.
    #[error("the log failed")]
    Log(#[from] log::Error),
    /// The log does not take what no event can be rejected for: what time alone has changed, or a dead letter.
    #[error(
        "the log refuses a record that cannot be left out: {detail}; run `segstream topics check`"
    )]
    Refused {
        /// Which topic refuses it, and why.
        detail: String,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] store::Error),
    /// No thread can be made to write a store.
    #[error("no thread for a flush")]
    NoThread(#[source] std::io::Error),
    /// The thread that wrote a store has panicked.
    #[error("a flush panicked")]
    FlushPanicked,
    /// The changelog holds bytes that are no record: they were not written by segstream, or are
    /// damaged, and nothing can be restored past them.
    #[error("record {offset} of the changelog of partition {partition} cannot be read")]
    Changelog {
        /// Its partition.
        partition: Partition,
        /// Its offset.
        offset: u64,
        /// The cause.
        source: CodecError,
    },
    /// Another worker of the process has taken a partition over, so what an entry of it is made of is not there any more.
    #[error("partition {partition} was taken over by another worker of the process")]
    Displaced {
        /// The partition.
        partition: Partition,
    },
    /// The worker and its log do not agree about a partition.
    #[error("partition {partition} of a transaction does not run in its worker")]
    NotRunning {
        /// The partition.
        partition: Partition,
    },
    /// The log says of a partition what cannot be.
    #[error("the log and the worker do not agree about a partition: {0}")]
    Phase(#[from] partition::phase::Impossible),
    /// A record or a change could not be written down.
    #[error("cannot encode an output")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The state was made under another definition.
    #[error(
        "the state of partition {partition} was made under other settings: {}; set them as they were. Under these settings, \
         begin anew beside it: name a new store.directory, and a new embedded.directory or a new topics.state and \
         kafka.group_id, and send the events again or replay the files",
        list(differences)
    )]
    OtherDefinition {
        /// The partition.
        partition: Partition,
        /// Every field in which they differ.
        differences: Vec<Difference>,
    },
    /// The model has two names whose numbers in the state are the same.
    #[error("the model cannot be used")]
    SameNumber(#[from] SameNumber),
    /// A transaction lacks an entry that it should have.
    #[error("an entry that was staged is not in its transaction")]
    NotWritten,
    /// The group has read on where the state has no trace of it.
    #[error(
        "the group's offset of partition {partition} is {group_offset}, but its changelog has no \
         checkpoint: the state is lost or belongs to another topic"
    )]
    OffsetWithoutCheckpoint {
        /// The partition.
        partition: Partition,
        /// The group's offset.
        group_offset: u64,
    },
    /// The changelog does not hold all of an entry, even when it is read from its start.
    #[error(
        "the changelog of partition {partition} does not hold all of a customer's state: records of it were deleted. Bring it \
         back, or send the events again to a new one beside it: with a new topics.state and kafka.group_id, or a new \
         embedded.directory, and a new store.directory"
    )]
    IncompleteChangelog {
        /// The partition.
        partition: Partition,
    },
    /// The wall clock at the start does not fit the state.
    #[error(
        "the wall clock does not fit the state of partition {partition}, whose customers it would move for good: set \
         the clock, or, if it is right, start with `segstream run --trust-clock`"
    )]
    WallClock {
        /// The partition.
        partition: Partition,
        /// How they differ.
        source: Misfit,
    },
    /// A clock was to be moved to an instant that it has passed.
    #[error(
        "--advance-to {instant} is before {clock}, the clock of partition {partition}: a clock never goes back. Name \
         an instant that is not before it"
    )]
    ClockBeyond {
        /// The partition.
        partition: Partition,
        /// Its clock.
        clock: Timestamp,
        /// Where it was to be moved.
        instant: Timestamp,
    },
    /// A source does not have the records the state continues with.
    #[error(
        "the state of partition {partition} continues at offset {offset} of its {}, but the log holds {start} to \
         {end} of them: the topic was shortened or made anew",
        of.as_str()
    )]
    SourceOutOfRange {
        /// The partition.
        partition: Partition,
        /// The source.
        of: Source,
        /// The next offset.
        offset: u64,
        /// First offset there.
        start: u64,
        /// The end.
        end: u64,
    },
    /// A source does not have the record that was folded last.
    #[error(
        "the state of partition {partition} was made from other {source_name} than the topic has: the record at offset \
         {offset} is not the one that was processed there. Was the topic made anew, or is topics.state that of another \
         topic? Bring the topic back. To begin anew beside it, name a new store.directory, topics.state and \
         kafka.group_id",
        source_name = of.as_str()
    )]
    OtherSource {
        /// The partition.
        partition: Partition,
        /// The source.
        of: Source,
        /// The offset of the last folded record.
        offset: u64,
    },
    /// A thread could not be started.
    #[error("cannot start a worker")]
    Spawn(#[source] std::io::Error),
    /// A worker panicked; its message is in the log.
    #[error("a worker panicked")]
    Panicked,
    /// The workers did not stop in time.
    #[error("the workers did not stop within shutdown.deadline, {deadline:?}")]
    DeadlinePassed {
        /// The setting.
        deadline: Duration,
    },
    /// A test cut here.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn list(differences: &[Difference]) -> String {
    let each: Vec<String> = differences.iter().map(Difference::to_string).collect();
    each.join("; ")
}
