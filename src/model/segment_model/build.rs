//! Makes a model that is ready to assign from an artifact.

use crate::domain::change::ModelFacts;
use crate::domain::change::Timestamped;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;
use crate::model::artifact::Artifact;
use crate::model::artifact::ArtifactFeature;
use crate::model::artifact::ArtifactSegment;
use crate::model::churn::ChurnModel;
use crate::model::churn::Parameters;
use crate::model::feature::Feature;
use crate::model::kmeans::KMeans;
use crate::model::segment_model::ChurnFacts;
use crate::model::segment_model::Kind;
use crate::model::segment_model::Misfit;
use crate::model::segment_model::Segment;
use crate::model::segment_model::SegmentModel;
use crate::model::validation;

impl SegmentModel {
    /// Checks an artifact and makes it ready to assign.
    ///
    /// # Errors
    /// Lists every problem of the artifact.
    pub fn from_artifact(artifact: &Artifact) -> Result<Self, Misfit> {
        let mut problems = validation::problems(artifact);
        let trained_at = Timestamp::parse_rfc3339(&artifact.trained_at);
        if trained_at.is_none() {
            problems.push(format!(
                "trained_at {:?} is not an RFC 3339 instant",
                artifact.trained_at
            ));
        }
        match trained_at {
            Some(trained_at) if problems.is_empty() => Ok(Self::build(artifact, trained_at)),
            Some(_) | None => Err(Misfit { problems }),
        }
    }

    fn build(artifact: &Artifact, trained_at: Timestamp) -> Self {
        let features = artifact.features.iter().map(Feature::of).collect();
        let segments = artifact
            .segments
            .iter()
            .map(|entry| segment(entry, artifact))
            .collect();
        let mut windows_days: Vec<u32> = artifact
            .features
            .iter()
            .filter_map(|feature| feature.window_days)
            .collect();
        windows_days.sort_unstable();
        windows_days.dedup();
        Self {
            facts: ModelFacts {
                version: ModelVersion::new(artifact.version.as_str()),
                trained_at: Timestamped(trained_at),
                k: artifact.segments.len(),
            },
            features,
            segments,
            kind: Kind::KMeans(KMeans::of(artifact)),
            training: artifact.training.clone(),
            windows_days,
            churn: churn(artifact),
            fingerprint: artifact.fingerprint.clone(),
        }
    }
}

fn churn(artifact: &Artifact) -> Option<ChurnFacts> {
    let entry = artifact.churn.as_ref()?;
    let parameters = Parameters {
        r: entry.r,
        alpha: entry.alpha_days,
        a: entry.a,
        b: entry.b,
    };
    Some(ChurnFacts {
        model: ChurnModel::new(entry.method, parameters)?,
        basis: entry.basis,
    })
}

fn segment(entry: &ArtifactSegment, artifact: &Artifact) -> Segment {
    let value = |feature: &ArtifactFeature| entry.profile.get(&feature.name).copied();
    Segment {
        id: SegmentId::new(entry.id.as_str()),
        name: entry.name.as_str().into(),
        description: entry.description.clone(),
        share: entry.share,
        profile: artifact.features.iter().filter_map(value).collect(),
    }
}
