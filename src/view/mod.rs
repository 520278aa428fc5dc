//! The views of a customer, of the segments and of the next change: typed, pure, and the same for HTTP and the
//! command line. A view evaluates a customer once.

pub mod as_of;
mod base64;
pub mod change;
pub mod changes;
pub mod csv;
pub mod customer;
pub mod dead_letter;
pub mod evaluated;
pub mod export;
pub mod prediction;
pub mod segments;
