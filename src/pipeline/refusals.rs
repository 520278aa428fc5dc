//! Deliveries whose outputs the log does not take. A transaction that is refused for one of its records is halved until one
//! delivery is left; that one is then rejected.

use std::collections::BTreeMap;

use crate::domain::ids::Partition;
use crate::domain::ids::Position;
use crate::domain::offsets::AppliedOffsets;
use crate::pipeline::Limits;
use crate::pipeline::batch::Batch;

/// Deliveries whose outputs the log does not take, and what it says of each.
#[derive(Debug, Default)]
pub struct Refusals(BTreeMap<Position, String>);

/// A refused transaction that cannot be made smaller and comes from no delivery, or from one that was rejected already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hopeless;

impl Refusals {
    /// What the log said of the outputs of a delivery.
    #[must_use]
    pub fn detail_of(&self, position: Position) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&position).map(String::as_str)
    }

    /// Takes note that a transaction was refused.
    ///
    /// # Errors
    /// If nothing smaller can be tried.
    pub fn refused(
        &mut self,
        batch: &Batch,
        limits: &Limits,
        detail: &str,
    ) -> Result<(), Hopeless> {
        if !batch.is_single(limits) {
            return Ok(());
        }
        let position = batch.only_delivery().ok_or(Hopeless)?;
        match self.0.insert(position, detail.to_owned()) {
            None => Ok(()),
            Some(_) => Err(Hopeless),
        }
    }

    /// Everything below these offsets of a partition is committed.
    pub fn committed(&mut self, partition: Partition, offsets: AppliedOffsets) {
        if !self.0.is_empty() {
            self.0
                .retain(|position, _| position.partition != partition || !offsets.has(*position));
        }
    }
}
