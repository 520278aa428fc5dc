//! A model that serves: the immutable artifact, the segment of a customer, when time alone moves
//! a customer, and the churn formulas.
//!
//! Pure: values come in, values go out. Files are read and written by `model_files`; `learn` makes
//! the artifacts.

pub mod artifact;
pub mod churn;
pub mod crossing;
pub mod segment_model;
pub mod validation;
