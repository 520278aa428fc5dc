//! Ids that are in use already: where a training finds the segments of a known model again, they keep its ids.

use crate::learn::standing::Portrait;
use crate::model::artifact::Artifact;

/// Standard deviations within which every mean of a segment must be that of the known one.
const SAME_WITHIN: f64 = 0.1;

/// The ids of the known model in the order of the segments, if both have the same features and each segment is
/// one of the known ones, no two the same.
pub(super) fn kept_ids(portrait: &Portrait<'_>, known: &Artifact) -> Option<Vec<String>> {
    let features = portrait.features;
    let is_known = |feature: &crate::learn::analysis::FeatureSummary| {
        let mut all = known.features.iter();
        all.any(|one| one.name == feature.name && one.window_days == feature.window_days)
    };
    let have_all = known.features.len() == features.len() && features.iter().all(is_known);
    if !have_all || known.segments.len() != portrait.segments.len() {
        return None;
    }
    let mut ids: Vec<String> = Vec::with_capacity(portrait.segments.len());
    for segment in portrait.segments {
        let found = known.segments.iter().find(|candidate| {
            let mut each = features.iter().zip(segment);
            each.all(|(feature, own)| {
                let there = candidate.profile.get(&feature.name);
                there.is_some_and(|mean| {
                    (own.mean - mean).abs() <= SAME_WITHIN * feature.standard_deviation
                })
            })
        })?;
        if ids.contains(&found.id) {
            return None;
        }
        ids.push(found.id.clone());
    }
    Some(ids)
}
