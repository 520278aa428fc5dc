//! Fits the parameters of a churn model to purchase days, and measures how well they predict.

pub mod bfgs;
pub mod cohort;
pub mod fit;
mod likelihood;
mod observation;
pub mod quality;
mod rising;
