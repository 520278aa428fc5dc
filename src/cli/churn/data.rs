//! The purchase days that `churn fit` learns from: those of a file, or of the state of a deployment.

use std::path::PathBuf;

use crate::cli::churn::file::file;
use crate::cli::churn::purchases::ChurnData;
use crate::cli::churn::sample::sample_ids;
use crate::cli::churn::state::state;
use crate::cli::learning_source::StateArgs;
use crate::cli::learning_source::input_for_state;
use crate::cli::learning_source::input_missing;
use crate::cli::order_args::OrderArgs;
use crate::cli::output_file::Named;
use crate::cli::reading_args::ReadingArgs;
use crate::dataset::replay;

/// The formats that `churn fit` can learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// The CDNOW data set: one purchase a line.
    Cdnow,
    /// A table: `customer_id, order_id, occurred_at, revenue` (or `quantity, price`).
    Orders,
    /// The state of a deployment: the stores of a stopped instance, or the changelog of a running one.
    State,
}

/// Where the purchases come from.
#[derive(Debug, clap::Args)]
pub(super) struct DataArgs {
    /// The file to learn from; not for `state`.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Format of the file, or `state`.
    #[arg(long, value_enum)]
    format: Format,
    /// A CSV with the ids of the customers to use, in its column `master_id` or `customer_id`; all customers if absent.
    #[arg(long)]
    sample: Option<PathBuf>,
    #[command(flatten)]
    orders: OrderArgs,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    state: StateArgs,
}

impl DataArgs {
    /// The files that are read.
    pub(super) fn inputs(&self) -> Vec<Named<'_>> {
        let input = self.input.as_deref();
        let input = input.map(|path| Named::new("--input", path));
        let sample = self.sample.as_deref();
        let sample = sample.map(|path| Named::new("--sample", path));
        input.into_iter().chain(sample).collect()
    }

    /// Refuses an output that would take the place of what the settings name. The model of the settings may get new
    /// parameters.
    ///
    /// # Errors
    /// If it would, or the settings are wrong.
    pub(super) fn check_output(&self, output: Named<'_>) -> anyhow::Result<()> {
        let mut settings = self.state.settings()?;
        settings.model_path = None;
        self.state.check_output(output, &settings)
    }

    /// Reads the purchase days, counted in the business zone.
    ///
    /// # Errors
    /// If the call, the data or the environment is wrong.
    pub(super) fn read(&self) -> anyhow::Result<ChurnData> {
        let settings = self.state.load()?;
        let sample = self.sample.as_deref().map(sample_ids).transpose()?;
        let is_asked = |id: &str| sample.as_ref().is_none_or(|sample| sample.contains(id));
        match self.format {
            Format::State => self.reading.refuse_all_but("--format state", &[])?,
            Format::Cdnow => {
                self.state.refuse("--format cdnow")?;
                self.reading
                    .refuse_all_but("--format cdnow", &["--encoding"])?;
            }
            Format::Orders => self.state.refuse("--format orders")?,
        }
        let zone = settings.time.business_zone.clone();
        let base = settings.intake.exchange.base;
        let options = self.reading.options(zone, Some(base))?;
        match (self.format, &self.input) {
            (Format::State, None) => state(&self.state, &settings, is_asked),
            (Format::State, Some(_)) => Err(input_for_state()),
            (Format::Cdnow | Format::Orders, None) => Err(input_missing()),
            (format, Some(path)) => {
                let format = if format == Format::Cdnow {
                    replay::Format::Cdnow
                } else {
                    replay::Format::Orders
                };
                let context = self.orders.context(format, &settings, &options, None)?;
                let history = replay::read(path, format, &context, &options)?;
                file(path, &history, self.orders, &settings, is_asked)
            }
        }
    }
}
