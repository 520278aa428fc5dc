//! How segments are learned and applied: preparation of training rows, scaling, k-means, naming,
//! and the immutable artifact that assigns a customer to the nearest centroid.
//!
//! Pure: rows and seeds come in, values go out. Files are read and written by `model_files`.

pub mod analysis;
pub mod artifact;
pub mod choice;
pub mod churn;
pub mod crossing;
pub mod indices;
pub mod kmeans;
pub mod naming;
pub mod preparation;
pub mod profiles;
pub mod projection;
pub mod scaler;
pub mod segment_model;
pub mod starts;
pub mod training;
pub mod validation;
