//! The purchase days that `churn fit` learns from: of a file, or of the state of a deployment.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::exit::Failed;
use crate::cli::learning_source::StateArgs;
use crate::cli::learning_source::StateRecords;
use crate::cli::learning_source::call;
use crate::cli::learning_source::input_for_state;
use crate::cli::learning_source::input_missing;
use crate::config::settings::Settings;
use crate::dataset;
use crate::dataset::Rows;
use crate::dataset::replay;
use crate::dataset::replay::SourceEvent;
use crate::domain::event::EventBody;
use crate::domain::event::EventCustomer;
use crate::domain::event::parse::parse;
use crate::domain::event::rules::IntakeRules;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::engine::record::CustomerRecord;
use crate::learn::churn::cohort::PurchaseDays;
use crate::pipeline::clock::WallClock;

/// What there is to learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The CDNOW data set: one purchase a line.
    Cdnow,
    /// CSV: `customer_id, order_id, occurred_at, revenue`.
    Orders,
    /// The state of a deployment: the stores of a stopped instance, or the changelog of a running one.
    State,
}

/// Where the purchases come from.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// The file to learn from; not for `state`.
    #[arg(long)]
    input: Option<PathBuf>,
    /// What is in it.
    #[arg(long, value_enum)]
    format: Format,
    /// A CSV with the ids of the customers to use, in its column `master_id` or `customer_id`; all if absent.
    #[arg(long)]
    sample: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
}

/// Purchase days of customers, and what they are.
#[derive(Debug)]
pub struct ChurnData {
    /// Each customer's, ascending by id.
    pub cohort: Vec<PurchaseDays>,
    /// What was read, in words.
    pub source: String,
    /// The last day that anything is known of.
    pub last_day: Day,
}

impl DataArgs {
    /// Reads the purchase days, counted in the business zone.
    ///
    /// # Errors
    /// If the call, the data or the surroundings are wrong.
    pub fn read(&self) -> anyhow::Result<ChurnData> {
        let settings = self.state.load()?;
        let sample = self.sample.as_deref().map(sample_ids).transpose()?;
        let is_asked = |id: &str| sample.as_ref().is_none_or(|sample| sample.contains(id));
        match (self.format, &self.input) {
            (Format::State, None) => state(&self.state, &settings, is_asked),
            (Format::State, Some(_)) => Err(input_for_state()),
            (Format::Cdnow | Format::Orders, None) => Err(input_missing()),
            (Format::Cdnow, Some(path)) => file(path, replay::Format::Cdnow, &settings, is_asked),
            (Format::Orders, Some(path)) => file(path, replay::Format::Orders, &settings, is_asked),
        }
    }
}

fn file(
    path: &Path,
    format: replay::Format,
    settings: &Settings,
    is_asked: impl Fn(&str) -> bool,
) -> anyhow::Result<ChurnData> {
    let zone = &settings.time.business_zone;
    let context = replay::Context {
        base: settings.intake.exchange.base,
        zone: zone.clone(),
        as_of: Timestamp::default(),
    };
    let mut days: BTreeMap<String, BTreeSet<Day>> = BTreeMap::new();
    let mut last_day = None;
    let now = WallClock::system().now();
    let mut id_first = None;
    for source in replay::read(path, format, &context)? {
        let Some((id, at)) = purchase(&source, path, &settings.intake, now)? else {
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
        last_day: last_day.ok_or_else(|| dataset::Error::Empty {
            path: path.to_owned(),
        })?,
    })
}

/// Who bought, and when; `None` where the event is no purchase of a known customer.
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

fn state(
    args: &StateArgs,
    settings: &Settings,
    is_asked: impl Fn(&str) -> bool,
) -> anyhow::Result<ChurnData> {
    let StateRecords { records, source } = args.records(settings)?;
    let zone = &settings.time.business_zone;
    // The last day with an event: what time has moved on since tells nothing of customers.
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
        last_day,
    })
}

/// The data is shown by one id, not the sample: it is the operator's own file that he looks at then.
fn none_of_sample(known: &str) -> anyhow::Error {
    let digits: String = known
        .chars()
        .map(|character| {
            if character.is_ascii_digit() {
                '0'
            } else {
                character
            }
        })
        .collect();
    call(&format!(
        "no id of --sample is among the customers, whose ids look like {digits:?}: are leading zeros missing?"
    ))
}

fn sample_ids(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut rows = Rows::open(path)?;
    let named = |column: &&str| rows.columns().iter().any(|known| known == column);
    let column = ["master_id", "customer_id"].into_iter().find(named);
    let Some(column) = column else {
        return Err(dataset::Error::MissingColumn {
            path: path.to_owned(),
            column: "master_id or customer_id".to_owned(),
            found: rows.columns().join(", "),
        }
        .into());
    };
    let mut ids = BTreeSet::new();
    while let Some(row) = rows.next_row()? {
        ids.extend(row.text(column).map(str::to_owned));
    }
    Ok(ids)
}
