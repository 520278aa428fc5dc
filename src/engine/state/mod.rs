//! All the state of a partition: entries, the checkpoint and the definition table.

pub mod abridged;
pub mod checkpoint;
pub mod chunk;
pub mod definition;
pub mod entry;
pub mod last_record;
pub mod layout;
pub mod record;
pub mod remembered;
pub mod seal;
pub mod table;
