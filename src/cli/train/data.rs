//! What `train` learns from: a file, or the state of a deployment.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::exit::Failed;
use crate::cli::learning_source::StateArgs;
use crate::cli::learning_source::StateRecords;
use crate::cli::learning_source::call;
use crate::cli::learning_source::input_for_state;
use crate::cli::learning_source::input_missing;
use crate::cli::model_fit::check_names;
use crate::cli::output_file::Named;
use crate::cli::reading_args::ReadingArgs;
use crate::cli::state::Later;
use crate::cli::train::dates::Dates;
use crate::cli::train::state_table::table_of;
use crate::cli::whole_number::whole_number;
use crate::dataset::Found;
use crate::dataset::Options;
use crate::dataset::table;
use crate::dataset::table::MARKETING_WINDOW_DAYS;
use crate::dataset::table::Table;
use crate::dataset::table::Wanted;
use crate::domain::feature_source::FeatureSource;
use crate::domain::time::BusinessZone;
use crate::domain::time::Timestamp;
use crate::learn::preparation::TrainingTable;

const SIX_FEATURES: &str = "age,income,total_spending,web_purchases,store_purchases,recency_days";
const MARKETING_AS_OF: &str = "2014-06-30";
/// What a reader of an error should know who gave no format.
pub(crate) const MARKETING_BY_DEFAULT: &str =
    "as --format marketing, the default (a table of numbers is read with --format features)";

/// The formats that `train` can learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// The Kaggle file "marketing campaign".
    Marketing,
    /// Any CSV with a header and numbers in the columns of the features.
    Features,
    /// The state of a deployment: the stores of a stopped instance, or the changelog of a running one.
    State,
}

/// Where the rows come from.
#[derive(Debug, clap::Args)]
pub(super) struct DataArgs {
    /// The file to learn from; not for `state`.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Format of the file, or `state`; `marketing` if absent.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The column of ids, for `features`.
    #[arg(long, value_name = "COLUMN")]
    pub(super) id: Option<String>,
    /// The features to learn from, separated by commas (one that has a comma stands in double quotes); if absent, six of them
    /// for `marketing` and `state`.
    #[arg(long, value_name = "A,B,C")]
    pub(super) features: Option<String>,
    /// Trailing days over which spending and purchases count; 0: all days. If absent, 730 for `marketing` and
    /// `state`.
    #[arg(long, value_name = "DAYS", value_parser = whole_number::<u32>(0..=u32::MAX.into()))]
    window_days: Option<u32>,
    /// Date as of which the values hold; if absent, the newest instant of the `state`, and now for `features`. Those of
    /// `marketing` are of 2014-06-30.
    #[arg(long, value_name = "DATE")]
    pub(super) as_of: Option<String>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    state: StateArgs,
}

/// Rows to learn from, and what they are.
#[derive(Debug)]
pub(super) struct TrainingData {
    /// The rows.
    pub table: TrainingTable,
    /// The features asked for, with the trailing days their values cover.
    pub features: Vec<(String, Option<u32>)>,
    /// The instant as of which the values hold.
    pub as_of: Timestamp,
    /// What was read, in words.
    pub source: String,
    /// What was found about the file.
    pub found: Found,
    /// Currency of the amounts, where it is known.
    pub currency: Option<String>,
    /// The dates of the data.
    pub dates: Dates,
}

impl DataArgs {
    /// The file that is read.
    pub(super) fn input(&self) -> Option<&Path> {
        self.input.as_deref()
    }

    fn format(&self) -> Format {
        self.format.unwrap_or(Format::Marketing)
    }

    /// Refuses flags that do not apply to the format.
    fn refuse_others(&self, features: &[(String, Option<u32>)]) -> anyhow::Result<()> {
        let what = match self.format() {
            Format::State => "--format state",
            Format::Marketing => "--format marketing",
            Format::Features => "--format features",
        };
        match self.format() {
            Format::State => self.reading.refuse_all_but(what, &[])?,
            Format::Marketing | Format::Features => {
                self.state.refuse(what)?;
                self.state.refuse_settings(what)?;
            }
        }
        match &self.id {
            Some(_) if self.format() != Format::Features => Err(call(&format!(
                "--id does not apply to {what}: it is for --format features"
            ))),
            Some(id) if features.iter().any(|(name, _)| name == id) => Err(call(&format!(
                "--features has {id:?}, which is the column of --id: an id is no feature"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Reads the rows. `now` is the time of training; `outputs` are what will be written.
    ///
    /// # Errors
    /// If the call, the data or the environment is wrong.
    pub(super) fn read(
        &self,
        now: Timestamp,
        outputs: &[Named<'_>],
    ) -> anyhow::Result<TrainingData> {
        let features = self.features()?;
        self.refuse_others(&features)?;
        let options = self.reading.options(BusinessZone::UTC, None)?;
        let names: Vec<String> = features.iter().map(|(name, _)| name.clone()).collect();
        let wanted = Wanted {
            names: &names,
            may_be_absent: false,
        };
        match (self.format(), &self.input) {
            (Format::State, None) => self.of_state(features, outputs),
            (Format::State, Some(_)) => Err(input_for_state()),
            (_, None) => Err(input_missing()),
            (Format::Marketing, Some(path)) => {
                let as_of = date(MARKETING_AS_OF, &BusinessZone::UTC)?;
                let asked = self.as_of.as_deref();
                let asked = asked.map(|text| date(text, &BusinessZone::UTC));
                if asked.transpose()?.is_some_and(|asked| asked != as_of) {
                    return Err(call(&format!(
                        "--as-of does not apply to --format marketing, whose ages and days are those of {MARKETING_AS_OF}"
                    )));
                }
                let table = table::read(path, table::Format::Marketing, None, wanted, &options);
                let table = match self.format {
                    Some(_) => table?,
                    None => table.context(MARKETING_BY_DEFAULT)?,
                };
                let to = BusinessZone::UTC.day_of(as_of);
                let dates = Dates::of_marketing(&table.rows, as_of, to);
                Ok(file(path, table, features, (as_of, dates), &options))
            }
            (Format::Features, Some(path)) => {
                let id = self.id.as_deref();
                let format = table::Format::Features;
                let table = table::read(path, format, id, wanted, &options)?;
                let as_of = self.as_of.as_deref();
                let as_of = as_of
                    .map(|text| date(text, &BusinessZone::UTC))
                    .transpose()?;
                let dates = Dates::of_features(as_of);
                let as_of = as_of.unwrap_or(now);
                Ok(file(path, table, features, (as_of, dates), &options))
            }
        }
    }

    pub(super) fn features(&self) -> anyhow::Result<Vec<(String, Option<u32>)>> {
        let names = match (&self.features, self.format()) {
            (Some(names), _) => names.as_str(),
            (None, Format::Marketing | Format::State) => SIX_FEATURES,
            (None, Format::Features) => {
                return Err(call(
                    "--features is missing: the columns to learn from, such as a,b,c",
                ));
            }
        };
        let days = match (self.window_days, self.format()) {
            (Some(0), _) | (None, Format::Features) => None,
            (Some(days), _) => Some(days),
            (None, Format::Marketing | Format::State) => Some(MARKETING_WINDOW_DAYS),
        };
        let names = feature_names(names)?;
        let window = |name: &str| days.filter(|_| FeatureSource::named(name).may_be_windowed());
        let windowed = names.into_iter().map(|name| {
            let days = window(&name);
            (name, days)
        });
        Ok(windowed.collect())
    }

    fn of_state(
        &self,
        features: Vec<(String, Option<u32>)>,
        outputs: &[Named<'_>],
    ) -> anyhow::Result<TrainingData> {
        let settings = self.state.load()?;
        for output in outputs {
            self.state.check_output(*output, &settings)?;
        }
        check_names(features.iter().map(|(name, _)| name.as_str()))?;
        let windows = features.iter().filter_map(|(_, days)| *days);
        let days = windows.max().unwrap_or(0);
        if days > settings.ledger_days {
            return Err(call(&format!(
                "--window-days {days} is more than state.ledger_days {}, the days that the state covers",
                settings.ledger_days
            )));
        }
        let StateRecords {
            records,
            policy,
            source,
        } = self.state.records(&settings)?;
        let newest = records.iter().map(|(_, record)| record.evaluated_at).max();
        let newest = newest
            .context("the state has no customers")
            .map_err(|problem| Failed(problem.to_string()))?;
        let zone = &policy.zone;
        let as_of = self
            .as_of
            .as_deref()
            .map(|text| date(text, zone))
            .transpose()?;
        if let Some(as_of) = as_of.filter(|as_of| *as_of < newest) {
            let mut later = Later::default();
            let evaluated = records.iter().map(|(_, record)| record.evaluated_at);
            evaluated
                .filter(|at| *at > as_of)
                .for_each(|at| later.add(at));
            later.check_at(as_of, |last_at| {
                let day = zone.day_of(last_at);
                let begins_in_time = zone.start_of(day) >= last_at;
                let first = if begins_in_time {
                    day
                } else {
                    day.plus_days(1)
                };
                format!("{first} and later dates, or no --as-of")
            })?;
        }
        let as_of = as_of.unwrap_or(newest);
        let table = table_of(&records, &features, as_of, &policy);
        Ok(TrainingData {
            currency: Some(policy.base_currency.as_str().to_owned()),
            dates: Dates::of_state(&records, as_of, zone),
            table,
            features,
            as_of,
            source,
            found: Found::default(),
        })
    }
}

fn file(
    path: &Path,
    table: Table,
    features: Vec<(String, Option<u32>)>,
    (as_of, dates): (Timestamp, Dates),
    options: &Options,
) -> TrainingData {
    let name = path.file_name();
    TrainingData {
        table: table.rows,
        found: table.found,
        features,
        as_of,
        currency: options.currency.map(|currency| currency.to_string()),
        dates,
        source: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    }
}

fn date(text: &str, zone: &BusinessZone) -> anyhow::Result<Timestamp> {
    let instant = table::parse_date(text).and_then(|day| zone.foreign_instant_at(day, 0));
    instant.ok_or_else(|| {
        call(&format!(
            "--as-of {text:?} is not a date such as 2014-06-30"
        ))
    })
}

/// The names of a list, each once.
fn feature_names(list: &str) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let mut reader = csv::ReaderBuilder::new();
    // A list may have several lines.
    let reader = reader
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All);
    let mut reader = reader.from_reader(list.as_bytes());
    for record in reader.records() {
        let record = record?;
        for name in record.iter().filter(|name| !name.is_empty()) {
            if names.iter().any(|known| known == name) {
                return Err(call(&format!("--features {list:?} has {name} twice")));
            }
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Err(call(&format!(
            "--features {list:?} has no name: it must be columns to learn from, such as a,b,c"
        )));
    }
    Ok(names)
}
