//! One partition of a worker, from its assignment until it is handed over.

pub mod clock;
pub mod held;
pub mod lateness;
pub mod phase;
pub mod record_cache;
pub mod restore;
pub mod running;
