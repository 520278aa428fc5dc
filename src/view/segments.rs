//! The segments of a model and their customers. docs/HTTP.md.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::segment_model::Segment;
use crate::model::segment_model::SegmentModel;

/// A model's segments and their customers now.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentsView {
    /// Version of the model.
    pub model_version: String,
    /// When it was trained.
    pub trained_at: String,
    /// The segments, by ascending value.
    pub segments: Vec<SegmentView>,
}

/// One segment.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentView {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// A sentence on its customers.
    pub description: String,
    /// Share of the training rows.
    pub share: f64,
    /// The values that stand for the segment, in the features' units.
    pub profile: BTreeMap<String, f64>,
    /// Customers of the owned partitions.
    pub customers: u64,
}

impl SegmentsView {
    /// The segments of a model, with the number of customers by segment id.
    #[must_use]
    pub fn of(model: &SegmentModel, customers: &BTreeMap<String, u64>) -> Self {
        let view = |segment: &Segment| SegmentView {
            id: segment.id.to_string(),
            name: segment.name.to_string(),
            description: segment.description.clone(),
            share: segment.share,
            profile: model
                .features()
                .iter()
                .zip(&segment.profile)
                .map(|(feature, value)| (feature.name.to_string(), *value))
                .collect(),
            customers: customers.get(segment.id.as_str()).copied().unwrap_or(0),
        };
        Self {
            model_version: model.facts().version.to_string(),
            trained_at: model.facts().trained_at.0.to_string(),
            segments: model.segments().iter().map(view).collect(),
        }
    }
}
