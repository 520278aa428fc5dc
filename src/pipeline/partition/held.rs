//! The partitions of one worker, each in one phase.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::domain::ids::Partition;
use crate::pipeline::partition::phase::Phase;
use crate::pipeline::partition::restore::Restore;
use crate::pipeline::partition::running::RunningPartition;
use crate::pipeline::partitions::Owner;
use crate::store::partition::PartitionStore;

/// A partition with what its phase needs.
#[derive(Debug)]
pub enum Held {
    /// See [`Phase::Waiting`].
    Waiting(Owner),
    /// See [`Phase::Restoring`].
    Restoring(Box<Restore>),
    /// See [`Phase::Running`].
    Running(Box<RunningPartition>),
    /// See [`Phase::Leaving`].
    Leaving,
    /// See [`Phase::Unconfirmed`]; the ownership that it had.
    Unconfirmed(Owner),
    /// See [`Phase::Displaced`]; the ownership that it had.
    Displaced(Owner),
}

impl Held {
    /// Its phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::Waiting(_) => Phase::Waiting,
            Self::Restoring(_) => Phase::Restoring,
            Self::Running(_) => Phase::Running,
            Self::Leaving => Phase::Leaving,
            Self::Unconfirmed(_) => Phase::Unconfirmed,
            Self::Displaced(_) => Phase::Displaced,
        }
    }

    /// The ownership that it has or had.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        match self {
            Self::Waiting(owner) | Self::Unconfirmed(owner) | Self::Displaced(owner) => {
                Some(*owner)
            }
            Self::Restoring(restore) => Some(restore.owner()),
            Self::Running(running) => Some(running.owner()),
            Self::Leaving => None,
        }
    }

    /// What takes deliveries, if it does.
    #[must_use]
    pub fn running(&self) -> Option<&RunningPartition> {
        match self {
            Self::Running(running) => Some(running),
            Self::Waiting(_)
            | Self::Restoring(_)
            | Self::Leaving
            | Self::Unconfirmed(_)
            | Self::Displaced(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn running_mut(&mut self) -> Option<&mut RunningPartition> {
        match self {
            Self::Running(running) => Some(running),
            Self::Waiting(_)
            | Self::Restoring(_)
            | Self::Leaving
            | Self::Unconfirmed(_)
            | Self::Displaced(_) => None,
        }
    }

    /// What is being restored, if it is.
    #[must_use]
    pub fn restore(&self) -> Option<&Restore> {
        match self {
            Self::Restoring(restore) => Some(restore),
            Self::Waiting(_)
            | Self::Running(_)
            | Self::Leaving
            | Self::Unconfirmed(_)
            | Self::Displaced(_) => None,
        }
    }

    /// The store of a running partition.
    #[must_use]
    pub fn store(&self) -> Option<Arc<PartitionStore>> {
        self.running().map(|running| Arc::clone(running.store()))
    }
}

/// All of them, by number.
#[derive(Debug, Default)]
pub struct HeldPartitions(pub BTreeMap<Partition, Held>);

impl HeldPartitions {
    /// Those that take deliveries.
    pub fn running(&self) -> impl Iterator<Item = (Partition, &RunningPartition)> {
        let all = self.0.iter();
        all.filter_map(|(partition, held)| Some((*partition, held.running()?)))
    }

    /// The same, to be changed.
    pub fn running_mut(&mut self) -> impl Iterator<Item = (Partition, &mut RunningPartition)> {
        let all = self.0.iter_mut();
        all.filter_map(|(partition, held)| Some((*partition, held.running_mut()?)))
    }

    /// One that takes deliveries.
    #[must_use]
    pub fn get(&self, partition: Partition) -> Option<&RunningPartition> {
        self.0.get(&partition)?.running()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, partition: Partition) -> Option<&mut RunningPartition> {
        self.0.get_mut(&partition)?.running_mut()
    }

    /// The partitions in a phase, ascending.
    pub fn in_phase(&self, phase: Phase) -> impl Iterator<Item = Partition> {
        let all = self.0.iter();
        all.filter(move |(_, held)| held.phase() == phase)
            .map(|(partition, _)| *partition)
    }

    /// The first partition in a phase after another, round and round.
    #[must_use]
    pub fn next_in_phase(&self, phase: Phase, after: Partition) -> Option<Partition> {
        let behind = self.0.range((Bound::Excluded(after), Bound::Unbounded));
        let next = behind
            .chain(&self.0)
            .find(|(_, held)| held.phase() == phase);
        next.map(|(partition, _)| *partition)
    }

    /// Something can be done now for some that do not take deliveries yet.
    #[must_use]
    pub fn has_restore_work(&self) -> bool {
        let mut all = self.0.values();
        all.any(|held| {
            held.phase() == Phase::Waiting || held.restore().is_some_and(|one| !one.is_waiting())
        })
    }

    /// The partition to restore next: one that waits for the definition of partition 0 lets the others go first.
    #[must_use]
    pub fn next_to_restore(&self) -> Option<Partition> {
        let all = self.0.iter();
        let restoring: Vec<(Partition, bool)> = all
            .filter_map(|(partition, held)| Some((*partition, held.restore()?.is_waiting())))
            .collect();
        let ready = restoring.iter().find(|(_, is_waiting)| !is_waiting);
        ready
            .or_else(|| restoring.first())
            .map(|(partition, _)| *partition)
    }

    /// Some of them do not take deliveries yet.
    #[must_use]
    pub fn is_restoring(&self) -> bool {
        let mut all = self.0.values();
        all.any(|held| matches!(held.phase(), Phase::Waiting | Phase::Restoring))
    }

    /// The log has not said yet whether some of them are still this worker's.
    #[must_use]
    pub fn is_unconfirmed(&self) -> bool {
        let mut all = self.0.values();
        all.any(|held| matches!(held.phase(), Phase::Unconfirmed | Phase::Displaced))
    }
}
