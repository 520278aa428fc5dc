//! A customer's record as of an instant, evaluated once for all that a view shows of it.

use serde::Serialize;

use crate::domain::change::Timestamped;
use crate::domain::churn::ChurnRisk;
use crate::domain::time::Timestamp;
use crate::engine::assignment::evaluate_committed;
use crate::engine::elapse::Foreseen;
use crate::engine::elapse::foresee;
use crate::engine::policy::Rules;
use crate::engine::risk::RiskPath;
use crate::engine::state::record::CustomerRecord;
use crate::model::artifact::ChurnBasis;
use crate::model::evaluation::Evaluation;

/// Deadlines that are evaluated in search of the next change: one for each purchase day that leaves a window
/// before.
const FORESIGHT_MAX: usize = 1000;

/// The churn risk of the customer, and its basis.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChurnRiskView {
    /// Score, band and method.
    #[serde(flatten)]
    pub risk: ChurnRisk,
    /// The basis of the method's parameters; absent in exports, and where the method has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<ChurnBasis>,
}

/// A record as of an instant, in the segment that is committed: what every view of it is made from.
pub(super) struct Evaluated {
    pub(super) as_of: Timestamp,
    pub(super) evaluation: Evaluation,
    pub(super) next_change: Option<Foreseen>,
    pub(super) churn_risk: Option<ChurnRiskView>,
}

impl Evaluated {
    pub(super) fn of(
        customer_id: &str,
        record: &CustomerRecord,
        as_of: Timestamp,
        rules: Rules<'_>,
    ) -> Self {
        let path = RiskPath::of(&record.aggregate, rules.model, rules.policy);
        let churn_risk = path.map(|path| ChurnRiskView {
            risk: path.risk(as_of, None),
            basis: None,
        });
        Self {
            as_of,
            evaluation: evaluate_committed(record, as_of, rules),
            next_change: foresee(record, customer_id, as_of, rules, FORESIGHT_MAX),
            churn_risk,
        }
    }

    pub(super) fn next_change_at(&self) -> Option<Timestamped> {
        let next_change = self.next_change.as_ref();
        next_change.map(|foreseen| Timestamped(foreseen.at))
    }
}
