//! The parameters of a churn model from purchase days, and how well they foretell.

pub mod bfgs;
pub mod cohort;
pub mod fit;
mod likelihood;
mod observation;
pub mod quality;
mod rising;
