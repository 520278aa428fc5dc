//! The next change of a customer's segment by time alone. docs/HTTP.md.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::change::ChangeReason;
use crate::domain::change::Timestamped;
use crate::domain::ids::SegmentId;
use crate::engine::elapse::Foreseen;

/// The next change, as it will be if nothing happens until then.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NextChange {
    /// When.
    pub at: Timestamped,
    /// The segment then.
    pub to: NextSegment,
    /// Time alone.
    pub reason: ChangeReason,
}

/// The segment of the next change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NextSegment {
    /// Stable id.
    pub id: SegmentId,
    /// Name for people.
    pub name: Arc<str>,
}

impl NextChange {
    /// The next change as it is shown.
    #[must_use]
    pub fn of(foreseen: Foreseen) -> Self {
        let change = foreseen.change;
        Self {
            at: Timestamped(foreseen.at),
            to: NextSegment {
                id: change.current.segment_id,
                name: change.current.segment_name,
            },
            reason: change.reason,
        }
    }
}
