//! A log in one process, without a broker, in plain files: sources, outputs and a compacted state changelog.
//!
//! This log is the only copy of what it holds. It removes only what a retention or a caller names, and it does not open
//! if it finds damage. There are three directories of segments ([`segments`]): An append writes `input`, a commit
//! writes `changes` and then `state`. So each batch is one frame in one file ([`frame`]), and a transaction is there once its state
//! is. A batch is synced before it is acknowledged, and a number beside the segments counts what was ([`acknowledged`]), so
//! that a log which was cut is not taken for a shorter one.

mod acknowledged;
mod append;
mod base;
mod checking;
mod commit;
mod compaction;
mod cursor;
mod directory;
mod doubt;
mod emptying;
mod ends;
mod errors;
mod former;
mod frame;
mod handle;
mod identity;
mod keeper;
mod names;
mod opening;
mod options;
mod outputs;
mod records;
mod retention;
mod scan;
mod segment;
mod segments;
mod worker;

pub use crate::log::embedded::handle::EmbeddedLog;
pub use crate::log::embedded::keeper::Keeper;
pub use crate::log::embedded::keeper::Retention;
pub use crate::log::embedded::options::LogOptions;
pub use crate::log::embedded::outputs::EmbeddedOutputs;
pub use crate::log::embedded::records::InputRecord;
pub use crate::log::embedded::worker::EmbeddedWorker;
