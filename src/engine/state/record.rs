//! All the state of one customer: what is kept in the store and written to the changelog.

use crate::domain::aggregate::CustomerAggregate;
use crate::domain::churn::RiskBand;
use crate::domain::ids::ModelVersion;
use crate::domain::ids::SegmentId;
use crate::domain::ledger::Ledger;
use crate::domain::offsets::AppliedOffsets;
use crate::domain::time::Timestamp;
use crate::engine::state::abridged::Abridged;
use crate::engine::state::layout::Layout;
use crate::engine::state::remembered::RememberedEvents;
use crate::engine::state::table::SegmentNumber;

/// The record of one customer. Everything in it follows from the deliveries below its offsets
/// and the clock.
#[derive(Clone, Debug, Default)]
pub struct CustomerRecord {
    /// The next offset of every source; what is below has been folded.
    pub applied: AppliedOffsets,
    /// The instant as of which the record was evaluated last; never goes back.
    pub evaluated_at: Timestamp,
    /// What the features are computed from.
    pub aggregate: CustomerAggregate,
    /// De-duplication.
    pub remembered: RememberedEvents,
    /// Number of the last change; 0 before the first.
    pub sequence: u64,
    /// The segment; `None` before the first assignment.
    pub assignment: Option<Assigned>,
    /// The band of churn risk; `None` where there is no score.
    pub band: Option<RiskBand>,
    /// The next instant at which time alone can change a result; after `evaluated_at`.
    pub deadline: Option<Timestamp>,
    /// Where its parts lie. It is not a part of what the record is, and not compared.
    pub layout: Layout,
    /// What is known of its past where that is not read; then the remembered events, the days of the ledger, the
    /// categories and the sums of days are empty. Only whole records are compared.
    pub abridged: Option<Abridged>,
}

impl PartialEq for CustomerRecord {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            applied,
            evaluated_at,
            aggregate,
            remembered,
            sequence,
            assignment,
            band,
            deadline,
            layout: _,
            abridged: _,
        } = self;
        *applied == other.applied
            && *evaluated_at == other.evaluated_at
            && *aggregate == other.aggregate
            && *remembered == other.remembered
            && *sequence == other.sequence
            && *assignment == other.assignment
            && *band == other.band
            && *deadline == other.deadline
    }
}

/// The part of an entry in the counts, and its deadline: readable without decoding all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSummary {
    /// Its segment; `None` before the first assignment, and for an alias or a suppression.
    pub segment: Option<SegmentNumber>,
    /// Its band of churn risk.
    pub band: Option<RiskBand>,
    /// Its deadline.
    pub deadline: Option<Timestamp>,
    /// The changelog still holds it under the key of an older format.
    pub has_old_key: bool,
}

/// The segment of a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// The segment.
    pub segment_id: SegmentId,
    /// The model that has this segment.
    pub model_version: ModelVersion,
    /// When the customer came into it.
    pub since: Timestamp,
}

impl CustomerRecord {
    /// The record of a customer of whom nothing is known, abridged.
    #[must_use]
    pub fn new_abridged() -> Self {
        Self {
            abridged: Some(Abridged::default()),
            ..Self::default()
        }
    }

    /// Abridges a whole record of which nothing lies in the head.
    pub fn abridge(&mut self) {
        let nothing = RememberedEvents::restore(Vec::new(), self.remembered.floor());
        let remembered = std::mem::replace(&mut self.remembered, nothing);
        let aggregate = &mut self.aggregate;
        let last_day = aggregate.ledger.days().max();
        let categories = std::mem::take(&mut aggregate.categories).named().len();
        self.abridged = Some(Abridged::of(remembered.events(), last_day, categories));
        aggregate.ledger = Ledger::with_lifetime(aggregate.ledger.totals_since(None));
        self.layout.sums = Vec::new();
    }

    /// The profile is not as it was written last.
    #[must_use]
    pub fn has_new_profile(&self) -> bool {
        self.aggregate.profile != self.layout.profile.profile
    }

    /// The segment's id, if there is one.
    #[must_use]
    pub fn segment_id(&self) -> Option<&SegmentId> {
        self.assignment
            .as_ref()
            .map(|assigned| &assigned.segment_id)
    }
}
