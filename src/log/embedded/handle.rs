//! The log as its holders share it, and opening it.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::domain::ids::Partition;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::partitioner::partition_of;
use crate::faults::Faults;
use crate::log::Error;
use crate::log::embedded::directory;
use crate::log::embedded::directory::Contents;
use crate::log::embedded::doubt::Doubt;
use crate::log::embedded::ends::Cursors;
use crate::log::embedded::ends::Ends;
use crate::log::embedded::ends::StateFacts;
use crate::log::embedded::ends::read_facts;
use crate::log::embedded::ends::stream_of;
use crate::log::embedded::errors::damaged;
use crate::log::embedded::errors::unusable;
use crate::log::embedded::former;
use crate::log::embedded::frame::Kind;
use crate::log::embedded::frame::Stream;
use crate::log::embedded::identity;
use crate::log::embedded::identity::Identity;
use crate::log::embedded::opening;
use crate::log::embedded::opening::Limits;
use crate::log::embedded::opening::Opened;
use crate::log::embedded::options::Access;
use crate::log::embedded::options::LogOptions;
use crate::log::embedded::segments::SegmentLog;
use crate::log::embedded::segments::Writer;

/// The log; cheap to clone.
#[derive(Clone, Debug)]
pub struct EmbeddedLog(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) input: Arc<SegmentLog>,
    pub(super) changes: Arc<SegmentLog>,
    pub(super) state: Arc<SegmentLog>,
    pub(super) sources: Mutex<Sources>,
    pub(super) outputs: Mutex<Outputs>,
    /// Of each partition.
    pub(super) ends: Mutex<Vec<Ends>>,
    pub(super) appended: Condvar,
    pub(super) doubt: Doubt,
    /// A thread that rewrites or removes segments holds this.
    pub(super) maintenance: Mutex<()>,
    pub(super) faults: Faults,
    /// Held while the log is open; `None` where a copy that lacks the file is read.
    _lock: Option<File>,
}

/// An append holds this, so that offsets are given out in order.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) writer: Writer,
    pub(super) cursors: Cursors,
}

/// A commit holds this.
#[derive(Debug)]
pub(super) struct Outputs {
    pub(super) changes: Writer,
    pub(super) state: Writer,
    pub(super) facts: StateFacts,
}

impl EmbeddedLog {
    /// Opens a log, or makes a new one.
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub fn open(path: &Path, partitions: u32, faults: Faults) -> Result<Self, Error> {
        Self::open_with(path, &LogOptions::new(partitions, faults))
    }

    /// Opens a log, or makes a new one. A log of the former kind is converted beside itself. What was written last is
    /// checked; [`Self::check`] reads the rest.
    ///
    /// # Errors
    /// [`Error::Unusable`] if another process holds it, if it is of another format or partition count, or if it is
    /// damaged. Opening removes nothing that was acknowledged.
    pub fn open_with(path: &Path, options: &LogOptions) -> Result<Self, Error> {
        let (lock, identity) = directory::prepare(path, options)?;
        let read = Read::of(path, options, Access::Write)?;
        // Everything was read, and only now is anything written.
        let settled = Settled {
            input: read.input.settle()?,
            changes: read.changes.settle()?,
            state: read.state.settle()?,
        };
        Self::assemble((path, options), (Some(lock), identity), settled, read.known)
    }

    /// Opens a log that is there, to be read: nothing of it is changed. Others may read it at the same time.
    ///
    /// # Errors
    /// [`Error::Unusable`] as [`Self::open_with`], and where there is no log, or one of the former kind.
    pub fn open_to_read(path: &Path, partitions: u32) -> Result<Self, Error> {
        match Contents::of(path)? {
            Contents::Log => {}
            Contents::Nothing => return Err(unusable(path, "there is no log")),
            Contents::Former => {
                let problem = "it is of an earlier version: start the service, which converts it";
                return Err(unusable(path, problem));
            }
        }
        let options = &LogOptions::new(partitions, Faults::none());
        let held = directory::prepare_to_read(path, options)?;
        let read = Read::of(path, options, Access::Read)?;
        read.known.doubt.raise(&unusable(path, "it is only read"));
        let settled = Settled {
            input: read.input.only_shown(),
            changes: read.changes.only_shown(),
            state: read.state.only_shown(),
        };
        Self::assemble((path, options), held, settled, read.known)
    }

    /// Whether there is a log, of this kind or of the former one. Writes nothing.
    ///
    /// # Errors
    /// [`Error::Unusable`] if something else is there.
    pub fn is_there(path: &Path) -> Result<bool, Error> {
        Ok(Contents::of(path)? != Contents::Nothing)
    }

    /// Whether there is a log of the former kind, which the next [`Self::open`] converts. Writes nothing.
    ///
    /// # Errors
    /// As [`Self::is_there`].
    pub fn is_former(path: &Path) -> Result<bool, Error> {
        Ok(Contents::of(path)? == Contents::Former)
    }

    /// Copies a log of the former kind to a directory that is not there yet. The log stays as it is.
    ///
    /// # Errors
    /// [`Error::Unusable`] if another process holds it, or an error of the disk.
    pub fn copy_former(path: &Path, to: &Path) -> Result<(), Error> {
        former::copy_to_read(path, to)
    }

    fn assemble(
        (path, options): (&Path, &LogOptions),
        (lock, identity): (Option<File>, Identity),
        settled: Settled,
        known: Known,
    ) -> Result<Self, Error> {
        let Settled {
            input,
            changes,
            state,
        } = settled;
        let log = Inner {
            path: path.to_owned(),
            input: Arc::clone(&input.log),
            changes: Arc::clone(&changes.log),
            state: Arc::clone(&state.log),
            ends: Mutex::new(vec![Ends::default(); index_of(identity.partitions)]),
            identity,
            appended: Condvar::new(),
            doubt: known.doubt,
            maintenance: Mutex::default(),
            faults: options.faults.clone(),
            sources: Mutex::new(Sources {
                writer: input,
                cursors: known.cursors,
            }),
            outputs: Mutex::new(Outputs {
                changes,
                state,
                facts: known.facts,
            }),
            _lock: lock,
        };
        let log = Self(Arc::new(log));
        log.publish_sources(&log.lock_sources().writer);
        log.publish_outputs(&log.lock_outputs());
        let ahead = |ends: &Ends| {
            let sources = Source::ALL.into_iter();
            let mut groups =
                sources.map(|source| (ends.group.of(source), ends.sources.next(source)));
            groups.any(|(group, end)| group.is_some_and(|group| group > end))
        };
        if log.lock_ends().iter().any(ahead) {
            let input = directory::root(path).join(identity::INPUT);
            return Err(damaged(&input, "records that were processed are missing"));
        }
        Ok(log)
    }

    /// Number of partitions of every topic.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.0.identity.partitions
    }

    /// The ends of the sources of each partition.
    #[must_use]
    pub fn ends(&self) -> Vec<AppliedOffsets> {
        let ends = self.lock_ends();
        ends.iter().map(|ends| ends.sources).collect()
    }

    /// Events and transfers after the offsets of the group, over all partitions.
    #[must_use]
    pub fn events_waiting(&self) -> u64 {
        let ends = self.lock_ends();
        let waiting = ends.iter().flat_map(|ends| {
            Source::ALL.map(|source| {
                let read = ends.group.of(source).unwrap_or_default();
                ends.sources.next(source).saturating_sub(read)
            })
        });
        waiting.sum()
    }

    /// Bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let inner = &*self.0;
        inner.input.bytes() + inner.changes.bytes() + inner.state.bytes()
    }

    /// The partition of a record with this key, or, without one, of this value.
    pub(crate) fn partition_of(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Partition {
        partition_of(key.or(value).unwrap_or_default(), self.partitions())
    }

    /// Shows readers where the sources end.
    pub(super) fn publish_sources(&self, writer: &Writer) {
        for (partition, ends) in (0..).map(Partition).zip(self.lock_ends().iter_mut()) {
            for source in Source::ALL {
                let end = writer.end(stream_of(source, partition));
                ends.sources = ends.sources.with(source, end);
            }
        }
        self.0.appended.notify_all();
    }

    /// Shows readers where the outputs end, and the group's offsets.
    pub(super) fn publish_outputs(&self, outputs: &Outputs) {
        for (partition, ends) in (0..).map(Partition).zip(self.lock_ends().iter_mut()) {
            let of = |kind| Stream { kind, partition };
            ends.changes = outputs.changes.end(of(Kind::Change));
            ends.dead_letters = outputs.changes.end(of(Kind::DeadLetter));
            ends.state = outputs.state.end(of(Kind::State));
            ends.current = outputs.state.end(of(Kind::Current));
            let group = outputs.facts.groups.get(&partition);
            ends.group = group.copied().unwrap_or_default();
        }
    }

    /// What readers see of a partition; nothing of one that the log does not have.
    pub(super) fn ends_of(&self, partition: Partition) -> Ends {
        let ends = self.lock_ends();
        ends.get(index_of(partition.0)).copied().unwrap_or_default()
    }

    pub(super) fn lock_ends(&self) -> MutexGuard<'_, Vec<Ends>> {
        self.0.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_sources(&self) -> MutexGuard<'_, Sources> {
        self.0
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_outputs(&self) -> MutexGuard<'_, Outputs> {
        self.0
            .outputs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others from rewriting or removing segments.
    pub(super) fn lock_segments(&self) -> MutexGuard<'_, ()> {
        let maintenance = self.0.maintenance.lock();
        maintenance.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn unusable(&self, problem: &str) -> Error {
        unusable(&self.0.path, problem)
    }

    pub(super) fn too_large(&self) -> Error {
        self.unusable("a batch is too large to be written")
    }
}

/// The files of a log that were read, and what they say besides records.
struct Read {
    input: Opened,
    changes: Opened,
    state: Opened,
    known: Known,
}

struct Known {
    cursors: Cursors,
    facts: StateFacts,
    doubt: Doubt,
}

/// The same once they are as they should be.
struct Settled {
    input: Writer,
    changes: Writer,
    state: Writer,
}

impl Read {
    fn of(path: &Path, options: &LogOptions, access: Access) -> Result<Self, Error> {
        let root = directory::root(path);
        let mut cursors = Cursors::new();
        let limits = Limits {
            segment_bytes: options.segment_bytes,
            number_max: u64::MAX,
            doubt: Doubt::default(),
            access,
        };
        let input = opening::open(&root.join(identity::INPUT), &limits, &mut |facts| {
            let later: Cursors = read_facts(facts)?;
            cursors.extend(later);
            cursors.retain(|_, line| line.is_some());
            Some(())
        })?;
        let (changes, state, facts) = open_outputs(&root, &limits)?;
        let known = Known {
            cursors,
            facts,
            doubt: limits.doubt,
        };
        Ok(Self {
            input,
            changes,
            state,
            known,
        })
    }
}

/// Reads changes and state. Changes are written and synced before the state that goes with them, so a transaction is there
/// once its state is.
fn open_outputs(root: &Path, limits: &Limits) -> Result<(Opened, Opened, StateFacts), Error> {
    let (of_changes, of_state) = (root.join(identity::CHANGES), root.join(identity::STATE));
    let open_state = |limits: &Limits| {
        let mut facts = StateFacts::default();
        let state = opening::open(&of_state, limits, &mut |later| {
            facts.extend(read_facts(later)?);
            Some(())
        })?;
        Ok::<_, Error>((state, facts))
    };
    let open_changes = |number_max| {
        let limits = Limits {
            number_max,
            ..limits.clone()
        };
        opening::open(&of_changes, &limits, &mut |_| Some(()))
    };
    let (state, facts) = open_state(limits)?;
    let changes = open_changes(facts.changes_number)?;
    if changes.writer.number == facts.changes_number {
        return Ok((changes, state, facts));
    }
    // Of a transaction that was being written a power loss may keep the later of two writes.
    if state.has_batch() {
        let limits = Limits {
            number_max: state.writer.number - 1,
            ..limits.clone()
        };
        let (state, facts) = open_state(&limits)?;
        let changes = open_changes(facts.changes_number)?;
        if changes.writer.number == facts.changes_number {
            return Ok((changes, state, facts));
        }
    }
    Err(damaged(&of_changes, "its last batches are missing"))
}

/// The place of a partition in a list of all.
pub(super) fn index_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
