//! `segstream state`: reads the state of a stopped instance. On the embedded log, the end of the log is restored
//! into a copy of the store first, so a store that lags or was lost gives the same answers.

mod as_of;
mod export;
mod output;
mod recount;

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::changes;
use crate::cli::common::SettingsArgs;
use crate::cli::exit::Failed;
use crate::cli::reading::stores;
use crate::cli::records::reading;
use crate::cli::state::as_of::AsOfArgs;
pub(crate) use crate::cli::state::as_of::Later;
use crate::cli::state::as_of::warn_of_clocks_ahead;
use crate::cli::state::export::ExportArgs;
use crate::config::settings::Settings;
use crate::engine::policy::Rules;
use crate::view::export::ExportLine;
use crate::view::export::export_line;

/// Reads the state of a stopped instance.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream state export > customers.jsonl\n  segstream state export --as-of now --format csv --out customers.csv"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The store directory; the same as --set store.directory=DIR. `export` takes several.
    #[arg(long, global = true)]
    dir: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print one customer as a JSON object.
    Get {
        /// The customer's id.
        id: String,
        #[command(flatten)]
        as_of: AsOfArgs,
    },
    /// Print every customer as JSON Lines or CSV, sorted by the bytes of the id.
    Export(ExportArgs),
    /// Count customers by segment again, and compare with the counts that the stores keep.
    Recount,
    /// Print the change records as JSON Lines, by partition and offset; also beside a running instance.
    Changes,
}

/// The setting that `--dir` stands for.
pub(super) fn preset(directory: Option<&PathBuf>) -> Vec<String> {
    let preset = directory.map(|dir| format!("store.directory={}", dir.display()));
    preset.into_iter().collect()
}

impl Args {
    /// The settings for each `--dir`; the settings alone where there is none.
    fn settings_by_directory(&self) -> anyhow::Result<Vec<Settings>> {
        if self.dir.is_empty() {
            return Ok(vec![self.settings.load()?]);
        }
        let directories = self.dir.iter();
        directories
            .map(|directory| self.settings.load_with(&preset(Some(directory))))
            .collect()
    }
}

/// A line of an export, and where the customer is.
#[derive(Serialize)]
struct OneCustomer {
    #[serde(flatten)]
    line: ExportLine,
    /// The partition of the input that has the customer's events.
    partition: u32,
}

/// Runs the command.
///
/// # Errors
/// If the state cannot be read, the customer is unknown, or the counts differ.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = args.settings.load_with(&preset(args.dir.first()))?;
    args.settings.init_logging(&settings)?;
    match &args.command {
        Command::Get { id, as_of } => get(&settings, id, as_of),
        Command::Export(export_args) => {
            export::run(export_args, &args.settings, &args.settings_by_directory()?)
        }
        Command::Recount => recount::run(&settings),
        Command::Changes => changes::run(&settings),
    }
}

fn get(settings: &Settings, id: &str, as_of: &AsOfArgs) -> anyhow::Result<()> {
    let mut found = None;
    let stores = stores(settings)?;
    for (partition, store) in stores.by_partition() {
        if let Some(entry) = store.get(id)? {
            found = found.or(Some((entry.entry, store, partition)));
        }
    }
    let unknown = || Failed(format!("no customer has the id {id:?}"));
    let (entry, store, partition) = found.ok_or_else(unknown)?;
    let record = entry.into_record().ok_or_else(unknown)?;
    let (model, policy) = reading(settings, &store.table().definition)?;
    let (model, policy) = (&model, &policy);
    let clock = store.checkpoint().and_then(|last| last.clock);
    let as_of = as_of.read();
    let Ok(instant) = as_of.of(record.evaluated_at, clock) else {
        let mut later = Later::default();
        later.add(record.evaluated_at);
        return Ok(later.check(as_of)?);
    };
    warn_of_clocks_ahead(as_of, std::iter::once(clock));
    let line = export_line(id, &record, instant, Rules { policy, model });
    let mut out = std::io::stdout().lock();
    let partition = partition.0;
    serde_json::to_writer_pretty(&mut out, &OneCustomer { line, partition })?;
    writeln!(out)?;
    Ok(())
}
