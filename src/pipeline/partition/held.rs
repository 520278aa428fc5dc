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
        }
    }

    /// The ownership that it has or had.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        match self {
            Self::Waiting(owner) | Self::Unconfirmed(owner) => Some(*owner),
            Self::Restoring(restore) => Some(restore.owner()),
            Self::Running(running) => Some(running.owner()),
            Self::Leaving => None,
        }
    }

    /// The store of a running partition.
    #[must_use]
    pub fn store(&self) -> Option<Arc<PartitionStore>> {
        match self {
            Self::Running(running) => Some(Arc::clone(running.store())),
            Self::Waiting(_) | Self::Restoring(_) | Self::Leaving | Self::Unconfirmed(_) => None,
        }
    }
}

/// All of them, by number.
#[derive(Debug, Default)]
pub struct HeldPartitions(pub BTreeMap<Partition, Held>);

impl HeldPartitions {
    /// Those that take deliveries.
    pub fn running(&self) -> impl Iterator<Item = (Partition, &RunningPartition)> {
        self.0.iter().filter_map(|(partition, held)| match held {
            Held::Running(running) => Some((*partition, &**running)),
            Held::Waiting(_) | Held::Restoring(_) | Held::Leaving | Held::Unconfirmed(_) => None,
        })
    }

    /// The same, to be changed.
    pub fn running_mut(&mut self) -> impl Iterator<Item = (Partition, &mut RunningPartition)> {
        self.0
            .iter_mut()
            .filter_map(|(partition, held)| match held {
                Held::Running(running) => Some((*partition, &mut **running)),
                Held::Waiting(_) | Held::Restoring(_) | Held::Leaving | Held::Unconfirmed(_) => {
                    None
                }
            })
    }

    /// One that takes deliveries.
    #[must_use]
    pub fn get(&self, partition: Partition) -> Option<&RunningPartition> {
        match self.0.get(&partition)? {
            Held::Running(running) => Some(running),
            Held::Waiting(_) | Held::Restoring(_) | Held::Leaving | Held::Unconfirmed(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, partition: Partition) -> Option<&mut RunningPartition> {
        match self.0.get_mut(&partition)? {
            Held::Running(running) => Some(running),
            Held::Waiting(_) | Held::Restoring(_) | Held::Leaving | Held::Unconfirmed(_) => None,
        }
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

    /// Some of them do not take deliveries yet.
    #[must_use]
    pub fn is_restoring(&self) -> bool {
        let mut all = self.0.values();
        all.any(|held| matches!(held.phase(), Phase::Waiting | Phase::Restoring))
    }

    /// The log has not said yet whether some of them are still this worker's.
    #[must_use]
    pub fn is_unconfirmed(&self) -> bool {
        self.in_phase(Phase::Unconfirmed).next().is_some()
    }
}
