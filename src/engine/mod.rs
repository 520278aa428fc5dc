//! What happens when an event arrives. The whole of the business, and pure: a record and a
//! delivery go in; the next record, at most one change and exactly one verdict come out.
//!
//! Order of judgement: [`admission`] (everything that needs no record), then [`step`].
//! Changes caused by time alone will be steps of their own beside it: they share
//! [`assignment::evaluate`], which already takes the instant as an argument.

pub mod admission;
pub mod alternatives;
pub mod assignment;
pub mod policy;
pub mod record;
pub mod step;
pub mod verdict;
