//! A completed order.

use crate::domain::change::ChangeReason;
use crate::domain::event::Order;
use crate::engine::commands::effects::Delivered;
use crate::engine::commands::effects::Effects;
use crate::engine::commands::fold::Command;
use crate::engine::commands::fold::Fact;
use crate::engine::commands::fold::fold;
use crate::engine::policy::Rules;
use crate::engine::state::record::CustomerRecord;

/// Adds the order to its day.
pub(super) fn decide(
    order: &Order<'_>,
    record: Option<Box<CustomerRecord>>,
    customer_id: &str,
    delivered: Delivered<'_>,
    rules: Rules<'_>,
) -> Effects {
    let command = Command {
        fact: Fact::Order(order),
        order_hash: Some(order.order_hash()),
        reason: ChangeReason::Purchase,
    };
    fold(record, customer_id, delivered, rules, command)
}
