//! The record of a change as it is published.

use std::sync::Arc;

use serde::Serialize;

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

/// Version of the record's shape.
pub(super) const SCHEMA_VERSION: u32 = 1;
/// Most changes are smaller.
pub(super) const CHANGE_BYTES_USUAL: usize = 1280;

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CauseBody<'a> {
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
pub(super) struct ChangeBody<'a> {
    pub(super) event_id: &'a str,
    pub(super) schema_version: u32,
    pub(super) kind: ChangeKind,
    pub(super) customer_id: &'a CustomerId,
    pub(super) sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<&'a PreviousSegment>,
    pub(super) current: &'a NamedSegment,
    pub(super) reason: ChangeReason,
    pub(super) cause: CauseBody<'a>,
    pub(super) model: &'a ModelFacts,
    pub(super) distance: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runner_up: Option<&'a RunnerUp>,
    pub(super) confidence: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) churn_risk: Option<&'a ChurnRisk>,
    pub(super) explanation: &'a [Contribution],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) imputed: &'a [Arc<str>],
    pub(super) occurred_at: Timestamped,
    pub(super) emitted_at: Timestamped,
}
