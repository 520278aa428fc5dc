//! The kinds, reasons and causes of changes.

use serde::Serialize;

use crate::domain::ids::Position;
use crate::domain::time::Timestamp;

/// Kind of a change record.
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

/// The reason of a change; also the metric label.
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
        /// Its place in the input.
        position: Position,
    },
    /// The deadline, which is the instant of the change.
    Deadline(Timestamp),
}
