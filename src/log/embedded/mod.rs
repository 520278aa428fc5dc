//! A log in one process, without a broker: sources, outputs, compacted state changelog and
//! checkpoints in one sled database of its own, one tree.
//!
//! This log is the only copy of what it holds. It never removes anything by itself, and it does not open
//! where it is in doubt. Every batch is atomic and carries the ends of the partitions it moves; it is
//! flushed before an append is acknowledged and before a commit returns. Opening checks all of it: every
//! offset up to the ends is there, every value matches its checksum, and no acknowledged batch is
//! missing (a watermark outside the database counts them).

mod append;
mod changes;
mod check;
mod commit;
mod handle;
mod layout;
mod records;
mod scan;
mod watermark;
mod worker;

pub use crate::log::embedded::handle::EmbeddedLog;
pub use crate::log::embedded::records::InputRecord;
pub use crate::log::embedded::worker::EmbeddedWorker;
