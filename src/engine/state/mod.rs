//! All the state of a partition: what a key holds, and what the partition knows of itself.

pub mod checkpoint;
pub mod definition;
pub mod entry;
pub mod record;
pub mod table;
