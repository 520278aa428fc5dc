//! One partition of a worker, from its assignment until it is handed over.

pub mod clock;
mod committing;
pub mod definition;
pub mod held;
pub mod judging;
pub mod lateness;
pub mod past;
pub mod pending;
pub mod phase;
pub mod record_cache;
pub mod restore;
pub mod running;
mod starting;
pub mod wall;
