//! Deliveries whose outputs the log does not take. A transaction that is refused for one of its records is halved until one
//! delivery is left; that one is then rejected. Transactions stay small until each partition has passed what was refused:
//! however much others commit meanwhile, the search goes on where it was.

use std::collections::BTreeMap;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::ids::Source;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::pipeline::Limits;
use crate::pipeline::batch::Batch;

/// Deliveries whose outputs the log does not take, and what it says of each.
#[derive(Debug, Default)]
pub struct Refusals {
    found: BTreeMap<Position, String>,
    /// How far refused transactions would have come that were not passed since.
    searched: BTreeMap<Partition, Reach>,
}

/// How far a transaction would have come in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Everything below is folded.
    pub offsets: AppliedOffsets,
    /// The clock, where it has evaluations that time alone caused.
    pub fired_at: Option<Timestamp>,
}

/// A refused transaction that cannot be made smaller and comes from no delivery, or from one that was rejected already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hopeless;

impl Refusals {
    /// What the log said of the outputs of a delivery.
    #[must_use]
    pub fn detail_of(&self, position: Position) -> Option<&str> {
        if self.found.is_empty() {
            return None;
        }
        self.found.get(&position).map(String::as_str)
    }

    /// Takes note that a transaction was refused.
    ///
    /// # Errors
    /// If nothing smaller can be tried.
    pub fn refused(
        &mut self,
        (batch, reaches): (&Batch, BTreeMap<Partition, Reach>),
        limits: &Limits,
        detail: &str,
    ) -> Result<(), Hopeless> {
        for (partition, reach) in reaches {
            let searched = self.searched.entry(partition).or_insert(reach);
            for source in Source::ALL {
                let next = searched
                    .offsets
                    .next(source)
                    .max(reach.offsets.next(source));
                searched.offsets = searched.offsets.with(source, next);
            }
            searched.fired_at = searched.fired_at.max(reach.fired_at);
        }
        if !batch.is_single(limits) {
            return Ok(());
        }
        let position = batch.only_delivery().ok_or(Hopeless)?;
        match self.found.insert(position, detail.to_owned()) {
            None => Ok(()),
            Some(_) => Err(Hopeless),
        }
    }

    /// What was refused was not passed in each partition yet.
    #[must_use]
    pub fn is_searching(&self) -> bool {
        !self.searched.is_empty()
    }

    /// Forgets what was refused in the partitions that have passed it.
    pub fn forget(&mut self, has_passed: impl Fn(Partition, &Reach) -> bool) {
        self.searched
            .retain(|partition, reach| !has_passed(*partition, reach));
    }

    /// Everything below these offsets of a partition is committed. Where that has a delivery that was found, the search is
    /// over; another one begins with another refusal.
    pub fn committed(&mut self, partition: Partition, offsets: AppliedOffsets) {
        let before = self.found.len();
        self.found
            .retain(|position, _| position.partition != partition || !offsets.has(*position));
        if self.found.len() < before {
            self.searched.clear();
        }
    }
}
