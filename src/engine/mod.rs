//! The business rules, pure: given an entry and a delivery, the engine returns the next entry, the changes
//! and exactly one verdict.
//!
//! Order of judgement: [`admission`] (everything that needs no record), then one of the [`commands`]. Time alone is
//! [`elapse`]: every deadline as of its own instant. Both end in [`transition`], which also finds the next
//! [`deadline`].

pub mod admission;
pub mod alternatives;
pub mod assignment;
pub mod commands;
pub mod deadline;
pub mod elapse;
pub mod policy;
pub mod risk;
pub mod snap;
pub mod state;
pub mod transition;
pub mod verdict;
