//! A move from one segment to another, as it is published. docs/CHANGES.md.

use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use uuid::Uuid;

use crate::domain::churn::ChurnRisk;
use crate::domain::ids::CustomerId;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::Position;
use crate::domain::ids::SegmentId;
use crate::domain::time::Timestamp;

/// Namespace of the ids of changes. It never changes: consumers de-duplicate by these ids.
const CHANGE_NAMESPACE: Uuid = Uuid::from_u128(0x7b1d_52a6_9c0e_4f3b_8a57_16d4_e2f9_03c8);
/// Version of the record's shape.
const SCHEMA_VERSION: u32 = 1;
/// Most changes are smaller.
const CHANGE_BYTES_USUAL: usize = 1280;

/// One change. `emitted_at` is not in it: it is the only part that may differ on a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentChange {
    /// Derived from customer, sequence, segment and model version.
    pub event_id: Uuid,
    /// First assignment, move, or another band of churn risk.
    pub kind: ChangeKind,
    /// Whose change it is.
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
    /// How likely the customer is lost; `None` where nothing tells.
    pub churn_risk: Option<ChurnRisk>,
    /// The features that pull most, at most three.
    pub explanation: Vec<Contribution>,
    /// Features filled from the model's medians.
    pub imputed: Vec<Arc<str>>,
    /// When the segment changed.
    pub occurred_at: Timestamp,
}

/// What kind of record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The first segment of a customer.
    Assigned,
    /// A move.
    Changed,
    /// The same segment, another band of churn risk.
    ChurnRiskChanged,
}

impl ChangeKind {
    /// The `CloudEvents` type.
    #[must_use]
    pub fn cloud_event_type(self) -> &'static str {
        match self {
            Self::Assigned => "com.segstream.customer.segment.assigned.v1",
            Self::Changed => "com.segstream.customer.segment.changed.v1",
            Self::ChurnRiskChanged => "com.segstream.customer.churn_risk.changed.v1",
        }
    }
}

/// What kind of thing moved the customer; also the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeReason {
    /// An accepted order.
    Purchase,
    /// New facts about the person.
    Profile,
    /// Nothing but time.
    TimePassed,
}

impl ChangeReason {
    /// The metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Profile => "profile",
            Self::TimePassed => "time_passed",
        }
    }
}

/// What exactly caused a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// A delivered event.
    Event {
        /// Its id.
        event_id: String,
        /// Where it was delivered.
        position: Position,
    },
    /// An instant that was foreseen.
    Deadline(Timestamp),
}

/// A segment and its name in the model that decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedSegment {
    /// Stable id.
    pub segment_id: SegmentId,
    /// Name for people.
    pub segment_name: Arc<str>,
}

/// The segment before a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreviousSegment {
    /// Which.
    #[serde(flatten)]
    pub segment: NamedSegment,
    /// Since when.
    pub since: Timestamped,
}

/// The model that decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelFacts {
    /// Its version.
    pub version: ModelVersion,
    /// When it was trained.
    pub trained_at: Timestamped,
    /// Its number of segments.
    pub k: usize,
}

/// The nearest other segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunnerUp {
    /// Which.
    pub segment_id: SegmentId,
    /// Distance to its centroid in standard deviations.
    pub distance: f64,
}

/// How much one feature speaks for the own segment against the runner-up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// Name of the feature.
    pub feature: Arc<str>,
    /// The customer's value before caps, in the feature's unit.
    pub value: f64,
    /// The centroid of the own segment, in the feature's unit.
    pub segment_mean: f64,
    /// Share of d2(runner-up) - d2(own), signed; the shares of all features sum to 1.
    pub pull: f64,
}

/// An instant that is written as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamped(pub Timestamp);

impl Serialize for Timestamped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum CauseBody<'a> {
    Event {
        event_id: &'a str,
        topic: &'a str,
        partition: u32,
        offset: u64,
    },
    Deadline {
        deadline: Timestamped,
    },
}

#[derive(Serialize)]
struct ChangeBody<'a> {
    event_id: &'a str,
    schema_version: u32,
    kind: ChangeKind,
    customer_id: &'a CustomerId,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a PreviousSegment>,
    current: &'a NamedSegment,
    reason: ChangeReason,
    cause: CauseBody<'a>,
    model: &'a ModelFacts,
    distance: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_up: Option<&'a RunnerUp>,
    confidence: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    churn_risk: Option<&'a ChurnRisk>,
    explanation: &'a [Contribution],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    imputed: &'a [Arc<str>],
    occurred_at: Timestamped,
    emitted_at: Timestamped,
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

    /// The record's value: complete without headers. `topic_events` is the input topic's name.
    ///
    /// # Errors
    /// Only if a number is not finite, which a validated model cannot produce.
    pub fn to_json(
        &self,
        topic_events: &str,
        emitted_at: Timestamp,
    ) -> Result<Vec<u8>, serde_json::Error> {
        let cause = match &self.cause {
            Cause::Event { event_id, position } => CauseBody::Event {
                event_id,
                topic: topic_events,
                partition: position.partition.0,
                offset: position.offset,
            },
            Cause::Deadline(at) => CauseBody::Deadline {
                deadline: Timestamped(*at),
            },
        };
        let mut event_id_text = Uuid::encode_buffer();
        let mut value = Vec::with_capacity(CHANGE_BYTES_USUAL);
        let body = ChangeBody {
            event_id: self.event_id.hyphenated().encode_lower(&mut event_id_text),
            schema_version: SCHEMA_VERSION,
            kind: self.kind,
            customer_id: &self.customer_id,
            sequence: self.sequence,
            previous: self.previous.as_ref(),
            current: &self.current,
            reason: self.reason,
            cause,
            model: &self.model,
            distance: self.distance,
            runner_up: self.runner_up.as_ref(),
            confidence: self.confidence,
            churn_risk: self.churn_risk.as_ref(),
            explanation: &self.explanation,
            imputed: &self.imputed,
            occurred_at: Timestamped(self.occurred_at),
            emitted_at: Timestamped(emitted_at),
        };
        serde_json::to_writer(&mut value, &body)?;
        Ok(value)
    }
}
