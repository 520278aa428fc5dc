//! Learns a model from rows: preparation, scaling, k-means, the choice of k, profiles and names; and churn
//! parameters from purchase days.
//!
//! Pure, and batch only: `engine` never waits for it. Files are read and written by `model_files`.

pub mod analysis;
mod blocks;
pub mod choice;
pub mod churn;
pub mod clustering;
mod columns;
pub mod indices;
mod kept_ids;
pub mod kmeans;
mod lloyd;
pub mod meaning;
pub mod money;
pub mod naming;
pub mod numbers;
pub mod phrases;
pub mod preparation;
pub mod profiles;
pub mod projection;
pub mod recommendations;
mod revenue;
pub mod scaler;
mod segments;
pub mod silhouette;
pub mod standing;
pub mod starts;
pub mod suggestions;
pub mod training;
pub mod wording;
