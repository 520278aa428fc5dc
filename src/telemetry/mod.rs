//! How the service is watched: log lines and the closed list of metrics. No customer id, name or
//! payload ever reaches either.

pub mod logging;
pub mod metrics;
pub mod observe;
