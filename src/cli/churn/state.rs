//! The purchase days of a state.

use crate::cli::churn::purchases::ChurnData;
use crate::cli::churn::sample::none_of_sample;
use crate::cli::exit::Failed;
use crate::cli::learning_source::StateArgs;
use crate::cli::learning_source::StateRecords;
use crate::config::settings::Settings;
use crate::domain::time::Day;
use crate::engine::state::record::CustomerRecord;
use crate::learn::churn::cohort::PurchaseDays;

pub(super) fn state(
    args: &StateArgs,
    settings: &Settings,
    is_asked: impl Fn(&str) -> bool,
) -> anyhow::Result<ChurnData> {
    let StateRecords {
        records,
        policy,
        source,
    } = args.records(settings)?;
    let zone = &policy.zone;
    // The last day with an event: the clock may have moved further, but nothing is known of customers after it.
    let days = records
        .iter()
        .filter_map(|(_, record)| record.aggregate.greatest_event_day);
    let last_day = days.max();
    let last_day = last_day.ok_or_else(|| Failed("the state has no customers".to_owned()))?;
    let days_of = |record: &CustomerRecord| {
        let purchases = record.aggregate.purchases?;
        let days: Vec<Day> = record.aggregate.ledger.days().collect();
        let kept = u32::try_from(days.len()).unwrap_or(u32::MAX);
        Some(PurchaseDays {
            first: zone.day_of(purchases.first_at),
            last: zone.day_of(purchases.last_at),
            folded: record.aggregate.ledger.purchase_days().saturating_sub(kept),
            days,
        })
    };
    let asked: Vec<_> = records
        .iter()
        .filter(|(id, _)| is_asked(id.as_str()))
        .collect();
    if let (true, Some((id, _))) = (asked.is_empty(), records.first()) {
        return Err(none_of_sample(id.as_str()));
    }
    let cohort = asked.into_iter().filter_map(|(_, record)| days_of(record));
    Ok(ChurnData {
        cohort: cohort.collect(),
        source,
        file: None,
        last_day,
    })
}
