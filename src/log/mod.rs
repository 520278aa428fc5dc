//! What a worker needs of a log: deliveries, an atomic commit, and the replay of a partition's
//! state. A log moves bytes; it decides nothing about customers.
//!
//! Every implementation passes `tests/support/contract.rs`. ARCHITECTURE.md, The log and the store.

pub mod embedded;
mod facts;
pub mod fitting;
pub mod kafka;
mod outcome;
pub mod outputs;
mod progress;

pub use crate::log::facts::ChangelogChunk;
pub use crate::log::facts::ChangelogRecord;
pub use crate::log::facts::PartitionFacts;
pub use crate::log::facts::ReadBack;
pub use crate::log::facts::SourceFacts;
pub use crate::log::outcome::Outcome;
pub use crate::log::progress::Progress;
pub use crate::log::progress::ProgressAnswer;
pub use crate::log::progress::SourceProgress;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::faults::Fault;

/// Name and value of a header; the value may be null. A record may have several of one name, of which the
/// last counts.
pub type Header = (Cow<'static, str>, Option<Vec<u8>>);

/// One record of a source as delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its source, and where it stands there.
    pub position: Position,
    /// The log's timestamp; `None` if the record has none.
    pub record_time: Option<Timestamp>,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's value; `None` is null.
    pub payload: Option<Vec<u8>>,
    /// Its headers, in their order.
    pub headers: Vec<Header>,
}

impl Delivery {
    /// The value of a header: that of the last one of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut named = self.headers.iter().filter(|(known, _)| known == name);
        named.next_back()?.1.as_deref()
    }

    /// Size of its key, its value and its headers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes_of(self.key.as_deref(), self.payload.as_deref(), &self.headers)
    }
}

fn bytes_of(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| name.len() + length(value.as_deref()));
    length(key) + length(value) + headers.sum::<usize>()
}

/// The answer of a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// No record came within the time given.
    Idle,
    /// Deliveries, in offset order within each source of a partition.
    Deliveries(Vec<Delivery>),
    /// Partitions to restore; they deliver nothing before [`WorkerLog::resume_at`].
    Assigned(Vec<Partition>),
    /// Partitions to hand over; what was polled may still be committed.
    Revoked(Vec<Partition>),
    /// Partitions that another worker may own already: drop what is in hand.
    Lost(Vec<Partition>),
}

/// A record for an output topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRecord {
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's value; `None` is null.
    pub value: Option<Vec<u8>>,
    /// Its headers, in their order.
    pub headers: Vec<Header>,
    /// The record's timestamp.
    pub timestamp: Timestamp,
}

impl OutputRecord {
    /// Size of its key, its value and its headers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes_of(self.key.as_deref(), self.value.as_deref(), &self.headers)
    }
}

/// An output and its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// One to which a transaction writes; another one is a bug.
    pub topic: Topic,
    /// The record; one may be in several topics.
    pub record: Arc<OutputRecord>,
}

/// An update of the state changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    /// A key of the state.
    pub key: Vec<u8>,
    /// The record's bytes; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// What a transaction writes for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionCommit {
    /// The partition.
    pub partition: Partition,
    /// The next offset of every source; that of a source which the log does not have is not committed. Offsets
    /// fence the transaction even where it consumed no record.
    pub offsets: AppliedOffsets,
    /// To the changelog partition of the same number, the checkpoint among them.
    pub state: Vec<StateRecord>,
}

/// Everything that becomes visible at once, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// The partitions it writes for, each once. A transaction without one is a bug.
    pub partitions: Vec<PartitionCommit>,
    /// Records of output topics, in their order; the key decides the partition.
    pub outputs: Vec<Output>,
}

impl Transaction {
    /// Checks what every log demands of a transaction before it writes any of it.
    ///
    /// # Errors
    /// What is wrong, if it has no partition or an output for a topic to which no transaction writes.
    pub fn check(&self) -> Result<(), String> {
        if self.partitions.is_empty() {
            return Err("a transaction without offsets would not be fenced".to_owned());
        }
        let mut rows = self.outputs.iter().map(|output| output.topic.row());
        match rows.find(|row| !row.is_output) {
            Some(row) => Err(format!("a transaction has an output for {}", row.setting)),
            None => Ok(()),
        }
    }
}

/// Where a partition's changelog ends after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The partition.
    pub partition: Partition,
    /// The next offset of its changelog.
    pub changelog_next: u64,
}

/// Limits of one poll.
#[derive(Clone, Copy, Debug)]
pub struct PollLimit {
    /// Most records; one more where the log asks each of its sources.
    pub records: usize,
    /// Stop after the record that reaches this many bytes.
    pub bytes: usize,
    /// Wait at most this long for the first.
    pub timeout: Duration,
}

/// Why the log did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The transaction may have taken effect or not: go back to the checkpoint.
    #[error("the outcome of a commit is unknown")]
    UnknownOutcome,
    /// No part of the transaction took effect: go back to the checkpoint.
    #[error("the transaction was aborted")]
    Aborted,
    /// No part of the transaction took effect, as the log takes one of its records never: go back to the checkpoint,
    /// and leave out what that record comes from.
    #[error("the log refuses a record: {detail}")]
    Refused {
        /// Which topic refuses it, and why.
        detail: String,
    },
    /// Another process works under this instance's id, and this one must not write any more.
    #[error(
        "another process has taken over the id of this instance: is store.directory a copy, or \
         instance.id used twice?"
    )]
    Fenced,
    /// The log cannot be used as it is; a person must act.
    #[error("cannot use the log at {path}: {problem}")]
    Unusable {
        /// Where it is.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The disk or the database failed.
    #[error("the log's database failed")]
    Database(#[from] sled::Error),
    /// There is no room for the log.
    #[error(
        "the disk of {path} is full. Everything that was acknowledged is in the log: make room, then try again"
    )]
    Full {
        /// What was to be written.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A file operation failed.
    #[error("cannot access {path}")]
    Io {
        /// What was accessed.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A test cut here.
    #[error(transparent)]
    Fault(Fault),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        if fault.is_unknown_outcome {
            Self::UnknownOutcome
        } else {
            Self::Fault(fault)
        }
    }
}

/// What a worker needs of a log. Not shared between threads: each worker has its own.
pub trait WorkerLog: Send {
    /// Waits for deliveries, or for a change of the assignment, which comes before any delivery.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error>;

    /// Starts (or restarts) the deliveries of an assigned partition, each source at its offset.
    ///
    /// # Errors
    /// If the partition is not assigned, or an offset is not in its source.
    fn resume_at(&mut self, partition: Partition, offsets: AppliedOffsets) -> Result<(), Error>;

    /// Stops the deliveries of a partition until [`WorkerLog::resume_at`].
    fn pause(&mut self, partition: Partition);

    /// Commits a transaction. When it returns, what it wrote survives power loss and is visible to
    /// every reader. A refused transaction ([`Error::Unusable`]) wrote nothing; after any other
    /// error it may have been written or not: open the log or ask it again.
    ///
    /// # Errors
    /// [`Error::UnknownOutcome`] where the log does not know, [`Error::Aborted`] where no part took effect,
    /// [`Error::Refused`] where that is the fault of one of its records. A log on which
    /// several processes work also aborts where another worker has written to a changelog since this one has read it.
    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error>;

    /// What the log says of a partition now; `None` if it cannot say yet, to be asked again.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error>;

    /// Asks how far partitions were read; `wall` is the wall time of the question. While an earlier question is open,
    /// nothing is asked and both arguments are ignored. Gives the answer to the open question, or `None` while there is
    /// none: call again. It waits for nothing.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn progress(
        &mut self,
        partitions: &[Partition],
        wall: Timestamp,
    ) -> Result<Option<ProgressAnswer>, Error>;

    /// Reads a chunk of a partition's committed changelog, at most `records` of it, up to its end as
    /// of the last [`WorkerLog::facts`]. A chunk may be empty with something remaining: ask again.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error>;

    /// What stands at a place that was delivered before and that the log still has. A log that cannot be made anew under the
    /// same lineage need not say.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn read_back(&mut self, _position: Position) -> Result<ReadBack, Error> {
        Ok(ReadBack::Unknown)
    }

    /// Forgets the assignment, so that the next poll assigns the partitions anew: after an unknown
    /// outcome the worker drops what it has in hand.
    fn restart(&mut self);

    /// What became of the last transaction whose commit gave [`Error::UnknownOutcome`]; once, as soon as a poll has found
    /// out. A log that does not ask never says it.
    fn decided(&mut self) -> Option<Outcome> {
        None
    }

    /// The partitions that workers of other processes have, each with the next offsets that are committed; `None` while
    /// the log cannot say. A log on which one process works has none.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn of_others(&mut self) -> Result<Option<BTreeMap<Partition, AppliedOffsets>>, Error> {
        Ok(Some(BTreeMap::new()))
    }
}

impl WorkerLog for Box<dyn WorkerLog> {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, Error> {
        (**self).poll(limit)
    }

    fn resume_at(&mut self, partition: Partition, offsets: AppliedOffsets) -> Result<(), Error> {
        (**self).resume_at(partition, offsets)
    }

    fn pause(&mut self, partition: Partition) {
        (**self).pause(partition);
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Vec<Committed>, Error> {
        (**self).commit(transaction)
    }

    fn facts(&mut self, partition: Partition) -> Result<Option<PartitionFacts>, Error> {
        (**self).facts(partition)
    }

    fn progress(
        &mut self,
        partitions: &[Partition],
        wall: Timestamp,
    ) -> Result<Option<ProgressAnswer>, Error> {
        (**self).progress(partitions, wall)
    }

    fn read_changelog(
        &mut self,
        partition: Partition,
        from: u64,
        records: usize,
    ) -> Result<ChangelogChunk, Error> {
        (**self).read_changelog(partition, from, records)
    }

    fn read_back(&mut self, position: Position) -> Result<ReadBack, Error> {
        (**self).read_back(position)
    }

    fn restart(&mut self) {
        (**self).restart();
    }

    fn decided(&mut self) -> Option<Outcome> {
        (**self).decided()
    }

    fn of_others(&mut self) -> Result<Option<BTreeMap<Partition, AppliedOffsets>>, Error> {
        (**self).of_others()
    }
}
