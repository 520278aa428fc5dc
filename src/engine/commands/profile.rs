//! Facts about the person.

use crate::domain::change::ChangeReason;
use crate::domain::profile::ProfileUpdate;
use crate::domain::profile::Statement;
use crate::engine::commands::effects::Delivered;
use crate::engine::commands::effects::Effects;
use crate::engine::commands::fold::Command;
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
    let occurred_at = delivered.event.occurred_at;
    let command = Command {
        order_hash: None,
        reason: ChangeReason::Profile,
    };
    fold(
        record,
        customer_id,
        delivered,
        rules,
        command,
        |aggregate, _, event_hash| {
            let stated = Statement {
                occurred_at,
                event_hash,
            };
            aggregate.fold_profile(update, stated);
            None
        },
    )
}
