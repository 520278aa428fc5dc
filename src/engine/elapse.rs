//! Evaluates one customer's deadlines up to an instant, in order, each as of its own instant.

use crate::domain::change::Cause;
use crate::domain::change::ChangeReason;
use crate::domain::change::SegmentChange;
use crate::domain::time::Timestamp;
use crate::engine::policy::Rules;
use crate::engine::risk::after;
use crate::engine::state::record::CustomerRecord;
use crate::engine::transition::reassign;

/// Evaluates the record as of each of its deadlines up to `due_by`, and returns how many there were. However
/// late that happens, it gives the same changes with the same instants.
pub fn elapse(
    record: &mut CustomerRecord,
    customer_id: &str,
    due_by: Timestamp,
    rules: Rules<'_>,
    changes: &mut Vec<SegmentChange>,
) -> usize {
    let mut evaluations = 0;
    while let Some(at) = record.deadline.filter(|at| *at <= due_by) {
        record.evaluated_at = record.evaluated_at.max(at);
        let cause = || Cause::Deadline(at);
        let reason = ChangeReason::TimePassed;
        changes.extend(reassign(record, customer_id, reason, rules, cause));
        evaluations += 1;
    }
    evaluations
}

/// What time alone will do next to a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// When the segment changes.
    pub at: Timestamp,
    /// The change, as it will be if nothing happens until then.
    pub change: SegmentChange,
}

/// The next change of segment by time alone, up to the horizon after `as_of`, by at most so many evaluations. One that
/// is due by `as_of` and not committed yet is the next one, at its own instant.
#[must_use]
pub fn foresee(
    record: &CustomerRecord,
    customer_id: &str,
    as_of: Timestamp,
    rules: Rules<'_>,
    evaluations_max: usize,
) -> Option<Foreseen> {
    let horizon = after(as_of, f64::from(rules.policy.horizon_days));
    let mut record = record.clone();
    let mut changes = Vec::new();
    for _ in 0..evaluations_max {
        let at = record.deadline.filter(|at| *at <= horizon)?;
        elapse(&mut record, customer_id, at, rules, &mut changes);
        let moved = |change: &SegmentChange| {
            let before = change
                .previous
                .as_ref()
                .map(|previous| &previous.segment.segment_id);
            before != Some(&change.current.segment_id)
        };
        if let Some(place) = changes.iter().position(moved) {
            let change = changes.swap_remove(place);
            return Some(Foreseen {
                at: change.occurred_at,
                change,
            });
        }
        changes.clear();
    }
    None
}
