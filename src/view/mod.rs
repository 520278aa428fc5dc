//! What others see of a customer, the segments and a change to come: typed, pure, and the same for HTTP and the
//! command line. A customer is evaluated once a view.

pub mod change;
pub mod changes;
pub mod customer;
pub mod evaluated;
pub mod export;
pub mod prediction;
pub mod segments;
