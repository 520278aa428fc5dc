//! The model in use: the immutable artifact, the port through which other code uses it
//! ([`segment_model::SegmentModel`]), its kinds, and the churn formulas.
//!
//! Pure: values come in, values go out. Files are read and written by `model_files`; `learn` makes
//! the artifacts.

pub mod artifact;
pub mod churn;
pub mod evaluation;
pub mod feature;
pub mod kmeans;
pub mod path;
pub mod placement;
pub mod segment_model;
pub mod validation;
