//! The call of `churn fit`.

use std::path::PathBuf;

use crate::cli::churn::data::DataArgs;
use crate::cli::common::parse_instant;
use crate::cli::model_version::parse_version;
use crate::cli::whole_number::whole_number;
use crate::dataset::table::parse_date;
use crate::domain::time::Day;
use crate::domain::time::Timestamp;
use crate::model::churn::Family;

const DAYS_PER_WEEK: f64 = 7.0;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream churn fit --input cdnow_master.txt --format cdnow --until 1997-09-30 --holdout-days 273\n  segstream churn fit --format state --dir /var/lib/segstream/store --model model.json --out model.json"
)]
pub(super) struct FitArgs {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Last day to learn from, inclusive; if absent, the last day that the data covers, less --holdout-days.
    #[arg(long, value_parser = parse_day)]
    pub(super) until: Option<Day>,
    /// Days after --until in which customers may buy again: prints how well the fit predicted who did.
    #[arg(long, value_parser = whole_number::<u32>(1..=36_525))]
    pub(super) holdout_days: Option<u32>,
    /// Time unit of the parameters that are printed.
    #[arg(long, value_enum, default_value = "days")]
    pub(super) unit: Unit,
    /// Prior of the fit; `weak` keeps the parameters from growing without bound where there are few customers.
    #[arg(long, value_enum, default_value = "weak")]
    pub(super) prior: PriorArg,
    /// The model file that takes the parameters, with --out.
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(super) model: Option<PathBuf>,
    /// Where that model goes; it may be the same file.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(super) out: Option<PathBuf>,
    /// The churn model that goes into the file.
    #[arg(long, value_enum, default_value = "mbg_nbd")]
    pub(super) method: Method,
    /// Name of the new model version; made from the old name, the method and --until if absent.
    #[arg(
        long = "model-version",
        alias = "version",
        value_name = "NAME",
        requires = "out",
        value_parser = parse_version
    )]
    pub(super) name: Option<String>,
    /// Mark the parameters as another shop's, for use until there is a fit to your own customers.
    #[arg(long)]
    pub(super) example: bool,
    /// Time of the fit, RFC 3339; now if absent. Makes the file reproducible.
    #[arg(long, value_parser = parse_instant)]
    pub(super) fitted_at: Option<Timestamp>,
    /// Print the answer as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Unit {
    Days,
    Weeks,
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Weeks => "weeks",
        }
    }

    pub(super) fn days(self) -> f64 {
        match self {
            Self::Days => 1.0,
            Self::Weeks => DAYS_PER_WEEK,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PriorArg {
    Weak,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Method {
    #[value(name = "mbg_nbd")]
    MbgNbd,
    #[value(name = "bg_nbd")]
    BgNbd,
}

impl Method {
    pub(super) fn family(self) -> Family {
        match self {
            Self::MbgNbd => Family::MbgNbd,
            Self::BgNbd => Family::BgNbd,
        }
    }
}

fn parse_day(text: &str) -> Result<Day, String> {
    parse_date(text).ok_or_else(|| format!("{text:?} is not a date such as 1997-09-30"))
}
