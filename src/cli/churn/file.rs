//! The purchase days of a file.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::churn::purchases::ChurnData;
use crate::cli::churn::sample::none_of_sample;
use crate::cli::file_summary::FileSummary;
use crate::cli::order_args::OrderArgs;
use crate::config::settings::Settings;
use crate::dataset;
use crate::dataset::replay::History;
use crate::dataset::replay::SourceEvent;
use crate::domain::event::EventBody;
use crate::domain::event::EventCustomer;
use crate::domain::event::parse::parse;
use crate::domain::event::rules::IntakeRules;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::learn::churn::cohort::PurchaseDays;
use crate::pipeline::partition::clock::WallClock;

pub(super) fn file(
    path: &Path,
    history: &History,
    args: OrderArgs,
    settings: &Settings,
    is_asked: impl Fn(&str) -> bool,
) -> anyhow::Result<ChurnData> {
    let zone = &settings.time.business_zone;
    if let Some(row) = history.refused.first() {
        return Err(dataset::Error::Event {
            path: path.to_owned(),
            line: row.line,
            detail: row.detail.clone(),
        }
        .into());
    }
    let mut days: BTreeMap<String, BTreeSet<Day>> = BTreeMap::new();
    let mut last_day = None;
    let now = WallClock::system().now();
    let mut id_first = None;
    for source in &history.events {
        let Some((id, at)) = purchase(source, path, &settings.intake, now)? else {
            continue;
        };
        let day = zone.day_of(at);
        last_day = last_day.max(Some(day));
        if is_asked(&id) {
            days.entry(id.clone()).or_default().insert(day);
        }
        id_first.get_or_insert(id);
    }
    if let (true, Some(id)) = (days.is_empty(), id_first) {
        return Err(none_of_sample(&id));
    }
    let cohort = days.into_values().filter_map(|days| {
        Some(PurchaseDays {
            first: *days.first()?,
            last: *days.last()?,
            folded: 0,
            days: days.into_iter().collect(),
        })
    });
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(ChurnData {
        cohort: cohort.collect(),
        source: name.into_owned(),
        file: Some(FileSummary::of(history, args, &settings.intake)),
        last_day: last_day.ok_or_else(|| dataset::Error::Empty {
            path: path.to_owned(),
        })?,
    })
}

/// The customer and the day of a purchase; `None` where the event is not a purchase of a known customer.
fn purchase(
    source: &SourceEvent,
    path: &Path,
    rules: &IntakeRules,
    now: Timestamp,
) -> Result<Option<(String, Timestamp)>, dataset::Error> {
    let invalid = |detail: String| dataset::Error::Event {
        path: path.to_owned(),
        line: source.line,
        detail,
    };
    let event = parse(&source.payload, source.record_time, rules);
    let event = event.map_err(|problem| invalid(problem.detail))?;
    let (EventCustomer::Known(id), EventBody::OrderCompleted(_)) = (event.customer, event.body)
    else {
        return Ok(None);
    };
    let at = event.occurred_at;
    if at > now {
        return Err(invalid(format!("occurred_at: {at} has not come yet")));
    }
    Ok(Some((id.into_owned(), at)))
}
