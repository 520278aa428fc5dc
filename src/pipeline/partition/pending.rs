//! What a transaction wrote for a partition, until it is known to be committed.

use crate::codec::changelog::Put;
use crate::codec::entry::Head;
use crate::codec::part::PartChange;
use crate::domain::ids::CustomerId;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::record::RecordSummary;
use crate::engine::state::table::DefinitionTable;
use crate::log::StateRecord;
use crate::pipeline::Error;
use crate::store::memory::Before;
use crate::store::memory::Update;

/// Entries that become visible when their transaction is known to be committed. Their bytes are in what was written
/// to the changelog.
#[derive(Debug)]
pub struct Pending {
    pub(super) customers: Vec<Replaced>,
    /// The checkpoint of the transaction.
    pub checkpoint: Checkpoint,
    /// It has evaluations that time alone caused.
    pub has_fired: bool,
    /// The table, if the transaction wrote one.
    pub table: Option<DefinitionTable>,
}

/// A customer whose entry is replaced.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) customer_id: CustomerId,
    pub(super) before: Option<RecordSummary>,
    pub(super) after: Option<RecordSummary>,
    pub(super) parts: Vec<PartChange>,
    /// Where the head stands in what was written.
    pub(super) place: usize,
}

impl Pending {
    /// What the store takes over, given what was written to the changelog.
    ///
    /// # Errors
    /// If an entry is not in it.
    pub fn updates(&mut self, state: Vec<StateRecord>) -> Result<Vec<Update>, Error> {
        let mut values: Vec<Option<Vec<u8>>> = state.into_iter().map(|one| one.value).collect();
        let customers = std::mem::take(&mut self.customers).into_iter();
        customers
            .map(|replaced| {
                let bytes = values.get_mut(replaced.place).and_then(Option::take);
                let put = match (bytes, replaced.after) {
                    (Some(bytes), Some(summary)) => Put::Entry(Head { bytes, summary }),
                    (None, None) => Put::Nothing,
                    (Some(_), None) | (None, Some(_)) => return Err(Error::NotWritten),
                };
                Ok(Update {
                    customer_id: replaced.customer_id,
                    put: Some(put),
                    parts: replaced.parts,
                    before: Before::Known(replaced.before),
                })
            })
            .collect()
    }
}
