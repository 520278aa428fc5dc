//! Decodes records of the state changelog, of any format that is read. The restore of a partition and the commands
//! that read a changelog share it.

use crate::codec::CodecError;
use crate::codec::entry;
use crate::codec::entry::Head;
use crate::codec::format_3;
use crate::codec::frame;
use crate::codec::key::StateKey;
use crate::codec::part::Part;
use crate::codec::partition;
use crate::domain::ids::CustomerId;
use crate::engine::state::checkpoint::Checkpoint;
use crate::engine::state::table::DefinitionTable;

/// The content of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The partition's checkpoint.
    Checkpoint(Checkpoint),
    /// The same, under the key of an older format.
    OldCheckpoint(Checkpoint),
    /// The checkpoint under the key of an older format was deleted.
    NoOldCheckpoint,
    /// Names and definition, which were added to the table.
    Table,
    /// What the key of a customer's head holds.
    Customer(CustomerId, Put),
    /// What the key of a part of a customer's entry holds; nothing after it was deleted.
    Part(CustomerId, Part, Option<Vec<u8>>),
}

/// What a customer's key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// This head.
    Entry(Head),
    /// Nothing: the customer is unknown.
    Nothing,
    /// A tombstone of a key of the older format: the key holds nothing if it held an entry of that format; any other
    /// entry stays.
    NothingOld,
}

/// Decodes a record. Names and definitions are added to `table`.
///
/// # Errors
/// If it is not a record of the state, is damaged, or is of a newer format.
pub fn read(
    key: &[u8],
    value: Option<Vec<u8>>,
    table: &mut DefinitionTable,
) -> Result<Said, CodecError> {
    Ok(match (StateKey::decode(key)?, value) {
        (StateKey::Checkpoint, Some(bytes)) => {
            Said::Checkpoint(partition::decode_checkpoint(&bytes)?)
        }
        (StateKey::OldCheckpoint, Some(bytes)) => {
            let old = format_3::decode_checkpoint(&bytes)?;
            table.definition = old.definition;
            Said::OldCheckpoint(old.checkpoint)
        }
        (StateKey::OldCheckpoint, None) => Said::NoOldCheckpoint,
        (StateKey::Table, Some(bytes)) => {
            let found = partition::decode_table(&bytes)?;
            table.take_over(found).map_err(|_| CodecError::Content)?;
            Said::Table
        }
        // Neither is ever deleted.
        (StateKey::Checkpoint | StateKey::Table, None) => return Err(CodecError::Content),
        (StateKey::Head(customer_id), Some(bytes)) => {
            let head = Head {
                summary: entry::summary_of(&bytes)?,
                bytes,
            };
            Said::Customer(customer_id, Put::Entry(head))
        }
        (StateKey::Part(customer_id, part), bytes) => {
            if let Some(bytes) = &bytes {
                frame::checked(bytes)?;
            }
            Said::Part(customer_id, part, bytes)
        }
        (StateKey::Head(customer_id), None) => Said::Customer(customer_id, Put::Nothing),
        (StateKey::OldRecord(customer_id), Some(bytes)) => {
            entry::add_names(&bytes, table)?;
            let summary = entry::summary_of(&bytes)?;
            Said::Customer(customer_id, Put::Entry(Head { bytes, summary }))
        }
        (StateKey::OldRecord(customer_id), None) => Said::Customer(customer_id, Put::NothingOld),
    })
}
