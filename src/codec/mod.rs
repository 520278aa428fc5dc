//! The bytes of the state, in the changelog and in the store alike: keys, entries, checkpoints and tables. The only
//! place that knows them.
//!
//! Every value begins with its format and a checksum. Format 5 is written; [`format_4`] and [`format_3`] are still read.

pub mod abridged;
mod bytes;
pub mod changelog;
pub mod entry;
pub mod format_3;
pub mod format_4;
mod frame;
mod head;
pub mod key;
pub mod latest;
mod names;
pub mod part;
pub mod partition;
mod past;
pub mod stored;
mod whole;

pub use crate::codec::frame::CodecError;
pub use crate::codec::frame::FORMAT;
