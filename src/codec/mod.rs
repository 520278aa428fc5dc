//! The bytes of the state, in the changelog and in the store alike: keys, entries, checkpoints and tables. The only
//! place that knows them.
//!
//! Every value begins with its format and a checksum. Format 4 is written; [`format_3`] is still read.

pub mod changelog;
pub mod entry;
pub mod format_3;
mod frame;
pub mod key;
pub mod partition;
mod sections;
pub mod stored;

pub use crate::codec::frame::CodecError;
pub use crate::codec::frame::FORMAT;
