//! The record of a change as it is published.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use crate::domain::change::SegmentChange;
use crate::domain::change::cause::Cause;
use crate::domain::change::cause::ChangeKind;
use crate::domain::change::cause::ChangeReason;
use crate::domain::change::parts::Contribution;
use crate::domain::change::parts::ModelFacts;
use crate::domain::change::parts::NamedSegment;
use crate::domain::change::parts::PreviousSegment;
use crate::domain::change::parts::RunnerUp;
use crate::domain::change::parts::Timestamped;
use crate::domain::churn::ChurnRisk;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;

/// Version of the record's shape.
const SCHEMA_VERSION: u32 = 1;
/// Most changes are smaller.
const CHANGE_BYTES_USUAL: usize = 1280;

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
    /// The record's value: complete without headers. `topic_events` is the input topic's name.
    ///
    /// # Errors
    /// Never: all numbers are finite, because those of the model and of the customer are bounded.
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
