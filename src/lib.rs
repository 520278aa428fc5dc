//! segstream keeps every customer of a retailer in the right segment, all the time.
//!
//! The path of an event: [`log`] delivers bytes, [`domain::event::parse`] makes an event or a rejection of
//! them, [`engine`] decides its verdict, the next entry and the changes, [`pipeline`] commits all of it as one
//! transaction, and only then [`store`] makes it visible to readers. ARCHITECTURE.md has the layers;
//! `tests/suite/tidy` enforces them.

pub mod cli;
pub mod codec;
pub mod config;
pub mod dataset;
pub mod disk;
pub mod domain;
pub mod engine;
pub mod faults;
pub mod http;
pub mod learn;
pub mod log;
pub mod model;
pub mod model_files;
pub mod pipeline;
pub mod report;
pub mod simulate;
pub mod sled_opening;
pub mod store;
pub mod telemetry;
pub mod view;
