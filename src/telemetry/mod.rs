//! How the service is observed: log lines and the closed list of metrics. Neither ever holds the id or the
//! name of a customer, or a payload.

pub mod logging;
pub mod metrics;
pub mod observe;
pub mod rejections;
