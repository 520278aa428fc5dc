//! Facts about the person.

use crate::domain::change::ChangeReason;
use crate::domain::profile::ProfileUpdate;
use crate::engine::commands::effects::Delivered;
use crate::engine::commands::effects::Effects;
use crate::engine::commands::fold::Command;
use crate::engine::commands::fold::Fact;
use crate::engine::commands::fold::fold;
use crate::engine::policy::Rules;
use crate::engine::state::record::CustomerRecord;

/// Takes over every fact that is newer than what is known.
pub(super) fn decide(
    update: &ProfileUpdate,
    record: Option<Box<CustomerRecord>>,
    customer_id: &str,
    delivered: Delivered<'_>,
    rules: Rules<'_>,
) -> Effects {
    let command = Command {
        fact: Fact::Profile(update),
        order_hash: None,
        reason: ChangeReason::Profile,
    };
    fold(record, customer_id, delivered, rules, command)
}
