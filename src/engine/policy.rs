//! The deployment's choices that decide about customers.

use crate::domain::churn::ChurnPolicy;
use crate::domain::money::Currency;
use crate::domain::time::BusinessZone;
use crate::model::segment_model::SegmentModel;

/// Settings of the engine.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Zone of purchase days and calendar years.
    pub zone: BusinessZone,
    /// Currency of every amount.
    pub base_currency: Currency,
    /// Days the ledger covers, counted back from the customer's greatest event day.
    pub ledger_days: u32,
    /// Days within which a refund finds its order.
    pub refund_days: u32,
    /// Event ids a record remembers.
    pub remembered_ids: usize,
    /// Assign a segment to a customer with a profile and no order.
    pub assign_prospects: bool,
    /// How far ahead a crossing is searched. The customer is evaluated again at the end of that time.
    pub horizon_days: u32,
    /// How churn risk is scored.
    pub churn: ChurnPolicy,
}

/// The rules of a command.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The deployment's choices.
    pub policy: &'a Policy,
    /// The model of this transaction.
    pub model: &'a SegmentModel,
}

/// A model and a policy that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model's longest window of {window_days} days and state.refund_days {refund_days} exceed \
     state.ledger_days {ledger_days}: raise state.ledger_days"
)]
pub struct LedgerTooShort {
    window_days: u32,
    refund_days: u32,
    ledger_days: u32,
}

impl Policy {
    /// The ledger must cover every window of the model, and a refund within it.
    ///
    /// # Errors
    /// If they do not fit; the message names the setting to raise.
    pub fn check_model(&self, model: &SegmentModel) -> Result<(), LedgerTooShort> {
        let window_days = model.window_days_max();
        if window_days > 0 && window_days.saturating_add(self.refund_days) > self.ledger_days {
            return Err(LedgerTooShort {
                window_days,
                refund_days: self.refund_days,
                ledger_days: self.ledger_days,
            });
        }
        Ok(())
    }
}
