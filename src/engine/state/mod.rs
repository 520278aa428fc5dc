//! All the state of a partition: entries, the checkpoint and the definition table.

pub mod checkpoint;
pub mod definition;
pub mod entry;
pub mod record;
pub mod table;
