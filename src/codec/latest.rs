//! The latest of each customer's keys in a changelog that is read from its start.

use std::collections::BTreeMap;

use crate::codec::CodecError;
use crate::codec::changelog;
use crate::codec::changelog::Put;
use crate::codec::changelog::Said;
use crate::codec::entry;
use crate::codec::entry::Head;
use crate::codec::part::Part;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;
use crate::engine::state::entry::Entry;
use crate::engine::state::table::DefinitionTable;

/// What a changelog of one partition holds of its customers.
#[derive(Clone, Debug, Default)]
pub struct LatestEntries {
    heads: BTreeMap<CustomerId, Head>,
    parts: BTreeMap<(CustomerId, Part), Vec<u8>>,
    /// The names of its numbers, and its definition.
    pub table: DefinitionTable,
    /// The clock of its latest checkpoint.
    pub clock: Option<Timestamp>,
}

impl LatestEntries {
    /// Takes the next record.
    ///
    /// # Errors
    /// If it is not a record of the state, is damaged, or is of a newer format.
    pub fn take(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), CodecError> {
        match changelog::read(key, value, &mut self.table)? {
            Said::Customer(customer_id, Put::Entry(head)) => {
                self.heads.insert(customer_id, head);
            }
            Said::Customer(customer_id, Put::Nothing) => {
                self.heads.remove(&customer_id);
            }
            Said::Customer(customer_id, Put::NothingOld) => {
                let known = self.heads.get(&customer_id);
                if known.is_some_and(|head| head.summary.has_old_key) {
                    self.heads.remove(&customer_id);
                }
            }
            Said::Part(customer_id, part, Some(bytes)) => {
                self.parts.insert((customer_id, part), bytes);
            }
            Said::Part(customer_id, part, None) => {
                self.parts.remove(&(customer_id, part));
            }
            // A clock never goes back.
            Said::Checkpoint(checkpoint) | Said::OldCheckpoint(checkpoint) => {
                self.clock = self.clock.max(checkpoint.clock);
            }
            Said::NoOldCheckpoint | Said::Table => {}
        }
        Ok(())
    }

    /// Every entry, ascending by customer.
    ///
    /// # Errors
    /// If an entry is damaged, or a part of it is missing.
    pub fn entries(&self) -> Result<Vec<(CustomerId, Entry)>, CodecError> {
        let heads = self.heads.iter();
        let entries = heads.map(|(customer_id, head)| {
            let mut part = |part| {
                let bytes = self.parts.get(&(customer_id.clone(), part));
                bytes.map(Vec::as_slice)
            };
            let (entry, _) = entry::decode(&head.bytes, &mut part, &self.table)?;
            Ok((customer_id.clone(), entry))
        });
        entries.collect()
    }
}
