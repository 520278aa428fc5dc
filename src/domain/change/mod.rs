//! A move from one segment to another, as it is published. docs/CHANGES.md.

mod cause;
mod json;
mod parts;

pub use crate::domain::change::cause::Cause;
pub use crate::domain::change::cause::ChangeKind;
pub use crate::domain::change::cause::ChangeReason;
pub use crate::domain::change::parts::Contribution;
pub use crate::domain::change::parts::ModelFacts;
pub use crate::domain::change::parts::NamedSegment;
pub use crate::domain::change::parts::PreviousSegment;
pub use crate::domain::change::parts::RunnerUp;
pub use crate::domain::change::parts::Timestamped;

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::churn::ChurnRisk;
use crate::domain::ids::CustomerId;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;

/// Namespace of the ids of changes. It never changes: consumers de-duplicate by these ids.
const CHANGE_NAMESPACE: Uuid = Uuid::from_u128(0x7b1d_52a6_9c0e_4f3b_8a57_16d4_e2f9_03c8);

/// One change. `emitted_at` is not in it: it is the only part that may differ on a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentChange {
    /// Derived from customer, sequence, segment and model version.
    pub event_id: Uuid,
    /// Kind of the record.
    pub kind: ChangeKind,
    /// The customer who changed.
    pub customer_id: CustomerId,
    /// 1, 2, 3 ... per customer.
    pub sequence: u64,
    /// The segment before; `None` for the first.
    pub previous: Option<PreviousSegment>,
    /// The segment now.
    pub current: NamedSegment,
    /// What kind of thing caused it.
    pub reason: ChangeReason,
    /// What exactly caused it.
    pub cause: Cause,
    /// The model that decided.
    pub model: ModelFacts,
    /// Distance to the segment's centroid in standard deviations.
    pub distance: f64,
    /// The nearest other segment; `None` in a model of one.
    pub runner_up: Option<RunnerUp>,
    /// max(0, 1 - distance / runner-up's distance).
    pub confidence: f64,
    /// Churn risk; `None` where there is no score.
    pub churn_risk: Option<ChurnRisk>,
    /// The features that pull most, at most three.
    pub explanation: Vec<Contribution>,
    /// Features filled from the model's medians.
    pub imputed: Vec<Arc<str>>,
    /// When the segment changed.
    pub occurred_at: Timestamp,
}

impl SegmentChange {
    /// The id of a change: `UUIDv5` of the compact JSON array of what makes it unique.
    #[must_use]
    pub fn derive_id(
        customer_id: &CustomerId,
        sequence: u64,
        segment_id: &SegmentId,
        model_version: &ModelVersion,
    ) -> Uuid {
        let parts = (customer_id, sequence, segment_id, model_version);
        // Texts and a number are always JSON.
        let name = serde_json::to_vec(&parts).unwrap_or_default();
        Uuid::new_v5(&CHANGE_NAMESPACE, &name)
    }
}
