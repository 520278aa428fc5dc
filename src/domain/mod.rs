//! What the words mean: ids, instants, money, events, the aggregate of one customer, its features
//! and a change of segment.
//!
//! Pure: no clock, file, network, thread, log or global. Everything here is plain data and total
//! functions on it; bad input is a value ([`event::InvalidEvent`]), never an error.

pub mod aggregate;
pub mod categories;
pub mod change;
pub mod churn;
pub mod counted;
pub mod event;
pub mod feature_source;
pub mod features;
pub mod ids;
pub mod ledger;
pub mod money;
pub mod nearest;
pub mod offsets;
pub mod order_rows;
pub mod partitioner;
pub mod profile;
pub mod purchase;
mod rfc3339;
pub mod time;
pub mod topic;
pub mod transfer;
